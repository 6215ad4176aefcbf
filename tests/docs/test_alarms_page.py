"""docs/alarms.md: its programs run and print what they say, and it names every rule and channel (R2.9)."""

from __future__ import annotations

import asyncio
import re
import tomllib
from contextlib import redirect_stdout
from io import StringIO
from pathlib import Path
from typing import Any

import pytest

from shike.connect.alarms.channels.opening import CHANNELS
from shike.connect.alarms.rules.opening import RULES, rule_of
from shike.connect.alarms.telling import Teller
from shike.settings import load
from shike.store.memory import MemoryStore

PAGE = Path(__file__).parents[2].joinpath("docs/alarms.md").read_text(encoding="utf-8")
PROGRAMS = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)


@pytest.fixture
def space(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> dict[str, Any]:
    """What the page defines."""
    monkeypatch.chdir(tmp_path)
    for name in ("SLACK_HOOK", "DINGTALK_HOOK", "DINGTALK_SECRET"):
        monkeypatch.setenv(name, "https://hooks.example.com/of-a-test")
    found: dict[str, Any] = {"__name__": "page"}
    with redirect_stdout(StringIO()) as printed:
        for program in PROGRAMS:
            exec(compile(program, "alarms.md", "exec"), found)  # noqa: S102 - our own page
    return found | {"printed": printed.getvalue()}


def test_its_programs_print_what_they_say(space: dict[str, Any]) -> None:
    said = re.findall(r"print\(.*\)  # (.*)", "".join(PROGRAMS))
    assert len(said) == 4
    assert "".join(f"{words}\n" for words in said) == space["printed"]


def test_the_alarms_that_it_declares_are_watched_for(space: dict[str, Any], capsys: pytest.CaptureFixture[str]) -> None:
    (watch,) = space["app"].duties
    assert len(watch.watched) == 8
    watch.watched = {name: one for name, one in watch.watched.items() if name.startswith("disk_full")}

    async def look() -> None:
        store = MemoryStore()
        await watch.look(store, Teller(store, watch.channels, lambda: 0.5))

    asyncio.run(look())
    assert re.fullmatch(r"raised \d+% of the disk is used\n", capsys.readouterr().out)


def test_its_settings_are_some() -> None:
    (block,) = re.findall(r"```toml\n(.*?)```", PAGE, re.DOTALL)
    settings = tomllib.loads(block)
    assert [rule_of(text) for text in settings["alarms"]]
    environ = {f"SHIKE_{name.upper()}": ",".join(words) for name, words in settings.items()}
    assert list(load(environ=environ).settings.alarms) == settings["alarms"]


def test_it_names_every_rule_and_every_channel_with_its_text() -> None:
    for kind, rule in RULES.items():
        assert f"| `{rule.__name__}(" in PAGE and re.search(rf"\| `{kind}[:>`]", PAGE)
    for kind in CHANNELS:
        assert f"| `{kind}:" in PAGE
