"""docs/rail.md: its programs run and say what the page says; its commands are commands."""

from __future__ import annotations

import asyncio
import re
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

import httpx
import pytest

from shike.app import Shike
from shike.cli import main
from shike.cli.rail import app
from shike.rail.selling import Selling
from shike.rail.web.table import markdown
from tests import bounded

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


TIMETABLES, COUNTER, SERVED, SPREAD, PLAYED = re.findall(r"```console\n(.*?)```", PAGE, re.DOTALL)


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


def test_its_table_is_the_route_table() -> None:
    (told,) = re.findall(r"<!-- routes -->\n(.*?)<!-- /routes -->", PAGE, re.DOTALL)
    assert told == markdown(), "to renew it: shike.rail.web.table.markdown()"


def test_its_several_processes_are_a_command() -> None:
    for line in re.findall(r"^\$ shike (.*)$", SPREAD, re.MULTILINE):
        _, bound, _ = app.parse_args(shlex.split(line)[1:])
        assert bound.arguments["spread"] == "redis://localhost:6379/0"


@pytest.mark.slow
def test_its_server_sells_what_the_page_asks_for(tmp_path: Path) -> None:
    """The page's command in a process of its own, the page's order over HTTP, then SIGTERM."""
    (tmp_path / "tests").symlink_to(ROOT / "tests")
    (line,) = re.findall(r"^\$ shike (.*)$", SERVED, re.MULTILINE)
    (wanted,) = re.findall(r"```json\n(.*?)```", PAGE, re.DOTALL)
    words = [sys.executable, "-m", "shike.cli", *shlex.split(line), "--port", "0"]
    with subprocess.Popen(words, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as server:
        try:
            url = bounded.line(server).decode().split()[-1].removesuffix("/rail")
            with httpx.Client(base_url=url, timeout=bounded.SECONDS) as passenger:
                assert "text/html" in passenger.get("/rail").headers["content-type"]
                assert passenger.post("/rail/v1/session").status_code == 201
                headers = {"idempotency-key": "k", "content-type": "application/json"}
                held = [passenger.post("/rail/v1/orders", content=wanted.encode(), headers=headers) for _ in range(2)]
                assert [one.status_code for one in held] == [201, 200] and held[0].json()["state"] == "held"
                again = passenger.post(
                    "/rail/v1/orders", content=wanted.encode(), headers=headers | {"idempotency-key": "l"}
                )
                assert (again.status_code, again.json()["reason"]) == (409, "person")
            server.terminate()
            assert server.wait(bounded.SECONDS) == 0
        finally:
            server.kill()


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
