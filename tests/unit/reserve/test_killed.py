"""Real processes that are killed while they sell: what was told stands in the journal, and nothing twice (P1, P9)."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from pathlib import Path

import pytest

from shike.reserve.journal import open_journal
from shike.reserve.journal.reading import load, verify
from shike.reserve.state import State


def seller(url: str, name: str) -> subprocess.Popen[str]:
    words = [sys.executable, "-m", "tests.unit.reserve.seller", url, name]
    return subprocess.Popen(words, stdout=subprocess.PIPE, text=True, cwd=Path(__file__).parents[3])


def told_until_killed(process: subprocess.Popen[str], count: int) -> list[str]:
    """Kill it, as the machine would, once it has told so many; all that it told."""
    assert process.stdout is not None
    told = [process.stdout.readline() for _ in range(count)]
    process.kill()
    rest, _ = process.communicate()
    return [line for line in (*told, *rest.splitlines(keepends=True)) if line.endswith("\n")]


async def judged(url: str) -> State:
    journal = open_journal(url)
    await journal.open()
    verdict = await verify(journal, "L")
    assert verdict.clean, verdict
    state = (await load(journal, "L")).state
    await journal.close()
    return state


@pytest.mark.slow
@pytest.mark.parametrize("sellers", [1, 2])
def test_what_a_killed_seller_has_told_stands_in_the_journal(sellers: int, tmp_path: Path) -> None:
    """Also where two sell from one file at once, and the version is all that stands between them."""
    url = f"sqlite:///{tmp_path}/sales.db"
    for round_ in range(3):
        processes = [seller(url, f"s{round_}{number}") for number in range(sellers)]
        told = [line for process in processes for line in told_until_killed(process, 60)]
        state = asyncio.run(judged(url))
        for line in told:
            command, order, unit, start = line.split()
            found = state.orders[int(order)]
            assert (found.units, found.start) == ((int(unit),), int(start)), command
        assert len(told) >= 60 * sellers
