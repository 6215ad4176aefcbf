"""The clock of one node, and of the store, an hour wrong, or set while all goes on (P1, P2, P3, P7).

libfaketime gives a process a clock of its own; the machine's is left alone.
"""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from shike.clock import MICROS
from tests.fault.real.faketime import FakeTime
from tests.fault.real.figures import record
from tests.fault.real.grounds import SERVED, ground_of, new_ground
from tests.fault.real.judge import judge
from tests.fault.real.scene import scene
from tests.fault.real.site import Site

pytestmark = [pytest.mark.slow, pytest.mark.long]

HOUR = 3600
SLOTS = 10
SETTLE_SECONDS = 3.0


@pytest.mark.parametrize("hours", [-1, 1])
@pytest.mark.parametrize("kind", SERVED)
def test_a_node_and_a_worker_whose_clocks_are_an_hour_wrong(kind: str, hours: int, tmp_path: Path) -> None:
    """They alone do the work: what is due is the store's to say. Their clocks jump twice on the way."""
    clock = FakeTime(tmp_path)
    with scene(ground_of(kind), tmp_path) as site:
        clock.set(hours * HOUR)
        assert abs(clock.shown() - hours * HOUR) < SETTLE_SECONDS, "their clocks are not wrong"
        site.up(*(site.start(role, slots=SLOTS, env=clock.env) for role in ("node", "worker")))
        with site.stream():
            late = promised(site)
            for jump in (0, hours * HOUR):
                clock.set(jump)
                time.sleep(SETTLE_SECONDS)
        verdict = judge(site, repeats_max=2 * SLOTS)  # a jump may cost a lease on a busy machine; in quiet none is lost
        assert not early(site, late), "a run began ahead of its time"
    record(f"node's clock {hours:+} h", kind, jumps=2, **verdict.figures())


@pytest.mark.parametrize("hours", [-1, 1])
@pytest.mark.parametrize("kind", SERVED)
def test_a_store_whose_clock_is_set_by_an_hour(kind: str, hours: int, tmp_path: Path) -> None:
    """Forward: every lease is over at once, and nothing is done twice but what was in flight. Back: what was planned
    waits for its time, new work does not."""
    ground = new_ground(kind)
    assert ground.server is not None
    clock = FakeTime(ground.folder)  # its user may look in there
    ground.server.env = clock.env
    try:
        ground.start()
        with scene(ground, tmp_path) as site:
            site.up(site.start("node"), site.start("worker", slots=SLOTS), site.start("worker", slots=SLOTS))
            with site.stream():
                time.sleep(1.0)
                clock.set(hours * HOUR)
                time.sleep(SETTLE_SECONDS)
                assert abs(ahead(site) - hours * HOUR) < SETTLE_SECONDS, "the store's clock was not set"
            accepted = {run_id for run_id in site.accepted if hours > 0 or was_due(site, run_id)}
            site.accepted = {run_id: n for run_id, n in site.accepted.items() if run_id in accepted}
            verdict = judge(site, repeats_max=2 * 2 * SLOTS)
    finally:
        ground.close()
    record(f"store's clock {hours:+} h", kind, jumps=1, **verdict.figures())


def promised(site: Site) -> dict[int, float]:
    """Runs that are to begin in 2 s, and when that is by the clock that nobody turns."""
    at = time.monotonic() + 2.0
    return dict.fromkeys(site.submit(20, delay=2.0), at)


def early(site: Site, promised_at: dict[int, float]) -> list[int]:
    return [note.run_id for note in site.notes("begin") if note.at < promised_at.get(note.run_id, 0.0)]


def ahead(site: Site) -> float:
    """By how many seconds the store's clock differs from the machine's."""
    now: int = site.ask(lambda store: store.now())
    return now / MICROS - time.time()


def was_due(site: Site, run_id: int) -> bool:
    """Whether a run's time has come by the store's clock: what came before it was set back waits."""
    known = site.find(run_id)
    return known is None or known.run.due_at <= site.ask(lambda store: store.now())
