"""docs/delays.md: its programs run, and it names every technique, what it promises and how it is measured."""

from __future__ import annotations

import asyncio
import re
from pathlib import Path
from typing import Any

import pytest

from shike.connect.delays.opening import TECHNIQUES
from tests.servers import url

PAGE = Path(__file__).parents[2].joinpath("docs/delays.md").read_text(encoding="utf-8")
PROGRAMS = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)


def run_page(names: dict[str, Any], *programs: str, name: str) -> None:
    """Define what the page shows, with this test's Redis and a name of its own."""
    for program in programs:
        text = program.replace("redis://localhost:6379/0", url("redis"))
        for known in ("reminders", "orders"):
            text = text.replace(f'"{known}"', f'"{name}"')
        exec(compile(text, "delays.md", "exec"), names)  # noqa: S102 - our own page


def test_a_message_is_sent_and_received(capsys: pytest.CaptureFixture[str]) -> None:
    names: dict[str, Any] = {"__name__": "page"}
    run_page(names, PROGRAMS[0].replace('"1s"', '"50ms"'), name="page-reminders")

    async def story() -> None:
        program = asyncio.ensure_future(names["main"]())
        async with asyncio.timeout(60):
            while "call Lin" not in capsys.readouterr().out:
                await asyncio.sleep(0.02)
        program.cancel()
        await asyncio.wait([program])

    asyncio.run(story())


def test_a_run_is_submitted_by_way_of_a_broker(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    names: dict[str, Any] = {"__name__": "page", "asyncio": asyncio}
    run_page(names, PROGRAMS[1].replace('"30m"', '"50ms"'), PROGRAMS[2], name="page-orders")
    assert names["roles"].waker is not None

    async def story() -> None:
        app = names["app"]
        ended = asyncio.Event()
        app.on("run.ended", lambda event: ended.set())
        office = asyncio.ensure_future(names["in_the_back_office"]())
        await names["at_the_counter"]()
        await asyncio.wait_for(ended.wait(), 60)
        office.cancel()
        await asyncio.wait([office])
        await app.client.close()

    asyncio.run(story())


def test_it_names_every_technique_and_how_to_choose_it() -> None:
    for scheme, (_, kind) in TECHNIQUES.items():
        plain = scheme.partition("+")[0]
        assert f"`{kind}`" in PAGE
        assert f"`{scheme}://" in PAGE or f"`{plain}`" in PAGE.split("TLS: ")[1].split(".")[0]


def test_its_figures_were_written_by_the_command_that_it_names() -> None:
    assert "`python -m benchmarks.delays --write`" in PAGE
    measured = PAGE.split("<!-- bench:delays -->")[1].split("<!-- /bench:delays -->")[0]
    assert "| Shike, in memory |" in measured and "UTC" in measured
