"""docs/rail.md: its programs run and say what the page says; its commands are commands."""

from __future__ import annotations

import asyncio
import re
import shlex
from pathlib import Path
from typing import Any

import pytest

from shike.app import Shike
from shike.cli import main
from shike.rail.selling import Selling

ROOT = Path(__file__).parents[2]
PAGE = ROOT.joinpath("docs/rail.md").read_text(encoding="utf-8")
BUYING, MOMENTS = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)


def test_a_seat_is_bought_and_given_back_as_it_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    names: dict[str, Any] = {}
    exec(BUYING, names)  # noqa: S102 - our own page
    names["FEED"] = ROOT / names["FEED"]
    monkeypatch.chdir(tmp_path)
    asyncio.run(names["main"]())
    (told,) = re.findall(r"```text\n(.*?)```", PAGE, re.DOTALL)
    assert capsys.readouterr().out == told


def test_its_moments_are_schedules() -> None:
    from tests.unit.rail.shop import MemorySeats, railway

    names: dict[str, Any] = {}
    exec(MOMENTS, names)  # noqa: S102
    app = Shike("memory://")
    assert isinstance(names["selling"](app, railway(), MemorySeats()), Selling)
    assert {schedule.name for schedule in app.schedules} == {"default/rail.open", "default/rail.finish"}


TIMETABLES, COUNTER, PLAYED = re.findall(r"```console\n(.*?)```", PAGE, re.DOTALL)


@pytest.mark.parametrize("line", re.findall(r"^\$ shike (.*)$", TIMETABLES, re.MULTILINE))
def test_its_searches_work(line: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.chdir(ROOT)
    assert main(shlex.split(line)) in (0, 1) and capsys.readouterr().out


def test_its_counter_says_what_the_page_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "tests").symlink_to(ROOT / "tests")
    monkeypatch.chdir(tmp_path)
    for told in re.split(r"^\$ shike ", COUNTER, flags=re.MULTILINE)[1:]:
        line, _, said = told.partition("\n")
        assert main(shlex.split(line)) in (0, 1)
        assert capsys.readouterr().out == said


@pytest.mark.slow
def test_its_sale_is_played(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """With fewer buyers: they are all the page's command is changed in."""
    (tmp_path / "tests").symlink_to(ROOT / "tests")
    monkeypatch.chdir(tmp_path)
    (line,) = re.findall(r"^\$ shike (.*)$", PLAYED, re.MULTILINE)
    assert main(shlex.split(line.replace("--buyers 10000", "--buyers 400"))) == 0
    assert "no seat is sold twice" in capsys.readouterr().out and Path("sale.svg").exists()
