"""A process that is killed is missed at once by whoever runs on the same machine, however long its lease is (P5)."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.fault.real.figures import record
from tests.fault.real.grounds import STORES, ground_of
from tests.fault.real.judge import judge
from tests.fault.real.scene import scene
from tests.fault.real.site import PATIENCE

LONG_LEASE = 10 * PATIENCE  # so that nothing heals in time that waits for it
SLOTS = 4


@pytest.mark.slow
@pytest.mark.parametrize("kind", STORES)
def test_what_a_killed_worker_held_does_not_wait_for_its_lease(kind: str, tmp_path: Path) -> None:
    with scene(ground_of(kind), tmp_path) as site:
        victim = site.start("worker", slots=SLOTS, lease=LONG_LEASE, queues=["default"])
        other = site.start("all", slots=SLOTS, lease=LONG_LEASE, queues=["elsewhere"])
        site.up(victim, other)
        held = site.submit(SLOTS, seconds=3.0)
        site.until(lambda: len(site.notes("begin")) == SLOTS, "the victim does not work")
        site.kill(victim)
        site.start("all", slots=20, lease=LONG_LEASE, queues=["default", "elsewhere"])
        seconds = site.until(lambda: len(site.notes("begin")) == 2 * SLOTS, "nobody missed it")
        assert {note.n for note in site.notes("begin")} == {site.accepted[run_id] for run_id in held}
        verdict = judge(site, repeats_max=2 * SLOTS)
    record("killed-and-missed", kind, seconds=seconds, **verdict.figures())
