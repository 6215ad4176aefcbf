"""A great many runs that are due at once: each runs once, and new work does not wait behind them (P1, P5)."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from shike.bounds import BAND_BACKLOG
from shike.ids import RunIds
from shike.model import RECORD_VERSION, Ended, Run, State
from shike.store.guards import Entry
from shike.store.verbs import NewSession
from tests.fault.real.figures import record
from tests.fault.real.grounds import STORES, ground_of
from tests.fault.real.judge import judge, lateness
from tests.fault.real.scene import scene
from tests.fault.real.site import Site

pytestmark = [pytest.mark.slow, pytest.mark.long]

MILLISECOND = 10_000
BACKLOG = int(os.environ.get("SHIKE_FAULT_BACKLOG", "1000000"))
BACKLOG_LATE_SECONDS = 2.0
AHEAD_SECONDS = 4.0
PILE_BATCH = 2_000
POISON_OTHERS = 30


@pytest.mark.parametrize("kind", STORES)
def test_ten_thousand_in_one_millisecond(kind: str, tmp_path: Path) -> None:
    with scene(ground_of(kind), tmp_path, ticks=False) as site:
        site.up(site.start("node"), site.start("worker", slots=100, lease=10.0))
        due_at = time.monotonic() + AHEAD_SECONDS
        site.submit(MILLISECOND, seconds=0.0, delay=AHEAD_SECONDS)
        verdict = judge(site, repeats_max=0, ticks=False)
        begun = [note.at for note in site.notes("begin")][:MILLISECOND]
        assert begun[0] >= due_at - 0.1, "a run began ahead of its time"
    record("10,000 in one millisecond", kind, drained_seconds=round(begun[-1] - due_at, 2), **verdict.figures())


@pytest.mark.parametrize("kind", ["sqlite", *(["redis"] if "redis" in STORES else [])])
def test_new_work_is_on_time_beside_a_backlog_of_a_million(kind: str, tmp_path: Path) -> None:
    with scene(ground_of(kind), tmp_path, ticks=False) as site:
        pile(site, BACKLOG)
        site.up(site.start("node"), site.start("worker", slots=100, lease=10.0))
        site.until(lambda: site.ask(lambda store: store.counts()).ended, "the backlog does not move")
        late = sorted(lateness(site) for _ in range(20))
        counts = site.ask(lambda store: store.counts())
        done = sum(counts.ended.values())
        assert done < BACKLOG, "the backlog was gone before anything was measured"
        assert late[-1] < BACKLOG_LATE_SECONDS
        assert set(counts.ended) == {State.SUCCESS.name} and not counts.dead
        assert done + counts.eligible + counts.running >= BACKLOG, "some of it is missing"
    record("backlog at once", kind, backlog=BACKLOG, done=done, late_ms=round(late[-1] * 1000))


def pile(site: Site, count: int) -> None:
    """Store a backlog that is due now."""

    async def stored() -> None:
        store = await site.app.client.store()
        words = NewSession(identity="pile", name="pile", kind="client", host="", pid=0, lease_seconds=0.0, protocol=1)
        ids = RunIds((await store.open_session(words)).number)
        now = await store.now()
        for _ in range(0, count, PILE_BATCH):
            runs = [
                Run(RECORD_VERSION, run_id, "nothing", args=b'{"n":1}', band=BAND_BACKLOG, due_at=now, created_at=now)
                for run_id in ids.take([0] * PILE_BATCH)
            ]
            await store.submit([Entry(run) for run in runs])

    site.app.client.sync(stored())


@pytest.mark.parametrize("kind", [kind for kind in STORES if kind != "sqlite"])
def test_a_run_that_kills_its_workers_becomes_poison(kind: str, tmp_path: Path) -> None:
    """And no innocent pays for it. (SQLite: tests/fault/test_kill.py.)"""
    with scene(ground_of(kind), tmp_path, ticks=False) as site:
        site.start("node")
        worker = site.start("worker", slots=10)
        site.up(*site.processes)
        others = site.submit(POISON_OTHERS, seconds=0.05)
        (handle,) = site.app.submit_many([site.app.find_task("leave").bind(n=0)])
        poison = int(handle.id)
        others += site.submit(POISON_OTHERS, seconds=0.05)
        deaths = 0

        def poisoned() -> bool:
            nonlocal worker, deaths
            if worker.poll() is not None:
                assert worker.returncode == 7, site.log()
                deaths += 1
                worker = site.start("worker", slots=10)  # as a supervisor would
            return isinstance(site.find(poison), Ended)

        site.until(poisoned, "it is not told from the others", 90.0)
        site.until_over(others, "the others were held up")
        ended = site.ended()
        assert ended[poison].state is State.DEAD and "poison" in ended[poison].reason
        assert all((ended[one].state, ended[one].attempts) == (State.SUCCESS, 1) for one in others)
    record("poison", kind, runs=1 + len(others), deaths=deaths)
