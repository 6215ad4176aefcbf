"""The worst lateness of the last few seconds, for each bucket."""

from __future__ import annotations

from shike.clock import ManualClock
from shike.scheduler.lateness import MEMORY_SECONDS, Lateness


def test_the_worst_of_the_last_seconds_is_told_and_then_forgotten() -> None:
    clock = ManualClock()
    lateness = Lateness(clock)
    lateness.note(0, 900_000)
    clock.advance(1.0)
    lateness.note(0, 300_000)
    lateness.note(8, 50_000)
    assert lateness.told() == {0: 900, 8: 50}
    clock.advance(MEMORY_SECONDS - 1.0)
    assert lateness.told() == {0: 300, 8: 50}
    clock.advance(1.0)
    assert lateness.told() == {}


def test_what_is_on_time_is_not_told_and_what_is_anothers_now_is_dropped() -> None:
    lateness = Lateness(ManualClock())
    lateness.note(0, 0)
    lateness.note(1, -5_000)
    lateness.note(2, 70_000)
    lateness.note(3, 80_000)
    lateness.keep({2})
    assert lateness.told() == {2: 70}


def test_no_more_is_kept_than_what_may_still_be_the_worst() -> None:
    clock = ManualClock()
    lateness = Lateness(clock)
    for late in range(1, 1_000):
        clock.advance(0.001)
        lateness.note(0, late * 1_000)
    assert lateness.told() == {0: 999} and len(lateness._worst[0]) == 1
