"""SIGKILL in the middle of transactions: the file is whole, and what was answered is true (P1, P3)."""

from __future__ import annotations

import asyncio
import random
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import pytest

from shike.model import Ended, State
from shike.store.base import RunFilter
from shike.store.sqlite import SQLiteStore
from shike.store.sqlite.database import check
from tests import bounded

CHILD = Path(__file__).with_name("sqlite_child.py")
LEASES = 1_000


class Told:
    """What the children heard from the store before they died."""

    def __init__(self) -> None:
        self.accepted: set[int] = set()
        self.succeeded: set[int] = set()

    def read(self, output: bytes) -> None:
        for line in output.split(b"\n")[:-1]:  # a last line without its end was cut off by the kill
            mark, *ids = line.split()
            (self.accepted if mark == b"+" else self.succeeded).update(map(int, ids))


def live_and_die(database: Path, identity: str, seconds: float) -> bytes:
    """Start a child, let it work for a moment, kill it; what it said."""
    child = subprocess.Popen([sys.executable, str(CHILD), str(database), identity], stdout=subprocess.PIPE)
    first = bounded.line(child)
    time.sleep(seconds)
    child.kill()
    rest, _ = child.communicate(timeout=bounded.SECONDS)
    return first + rest


async def rescue(store: SQLiteStore, identity: str) -> None:
    assert store.is_gone(identity), "the kernel let go of the dead child's lock"
    assert await store.close_session(identity, seen_beat=0, reason="killed")
    while (await store.free(identity, LEASES)).left:
        pass
    assert await store.held(identity) == 0


async def kill_again_and_again(database: Path, kills: int) -> None:
    chance = random.Random(7)
    told = Told()
    store = SQLiteStore(database)
    await store.open()
    try:
        for number in range(kills):
            identity = f"child-{number}"
            told.read(await asyncio.to_thread(live_and_die, database, identity, chance.uniform(0.005, 0.08)))
            assert check(database) == []
            await rescue(store, identity)
        await compare(store, told, kills)
    finally:
        await store.close()


async def compare(store: SQLiteStore, told: Told, kills: int) -> None:
    rows = await store.runs(RunFilter(limit=10_000_000))
    places = Counter(row.run.id for row in rows)
    assert len(told.accepted) > kills, "the children got something done"
    assert told.succeeded, "and finished some of it"
    assert max(places.values()) == 1, "a run is in one place"
    assert told.accepted <= places.keys(), "nothing that was accepted is lost"
    ended = {row.run.id: row.state for row in rows if isinstance(row, Ended)}
    assert {ended.get(run_id) for run_id in told.succeeded} == {State.SUCCESS}, "an accepted success stands"
    counts = await store.counts()
    assert counts.running == 0
    assert counts.scheduled + counts.eligible + counts.failed + sum(counts.ended.values()) == len(places)


@pytest.mark.parametrize("kills", [5, pytest.param(20, marks=pytest.mark.slow)])
def test_a_process_killed_in_mid_transaction_loses_nothing(tmp_path: Path, kills: int) -> None:
    bounded.run(kill_again_and_again(tmp_path / "shike.db", kills))
