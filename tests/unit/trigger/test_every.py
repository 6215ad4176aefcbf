"""Single moments and intervals: fixed rate and fixed delay (R0.1, R0.2, R3.7, R3.11)."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shike.clock import WALL_MAX, to_micros
from shike.errors import BadInput, BadTime
from shike.trigger import Every, every, once

NOON = to_micros(datetime(2026, 1, 1, 12, tzinfo=UTC))
SECOND = 1_000_000
intervals = st.integers(1_000, 10**12)
instants = st.integers(0, 4 * 10**15)


def test_once_has_one_moment() -> None:
    trigger = once(datetime(2026, 1, 1, 12, tzinfo=UTC))
    assert trigger.next(None) == trigger.next(NOON - 1) == NOON
    assert trigger.next(NOON) is None
    assert trigger.prev(NOON + 1) == NOON and trigger.prev(NOON) is None
    assert trigger.between(NOON, NOON + 1) == [NOON] and trigger.between(0, NOON) == []
    assert trigger.count(0, NOON) == (0, True) and trigger.count(NOON, NOON + 1) == (1, True)


@pytest.mark.parametrize("at", [datetime(2026, 1, 1), -1, WALL_MAX + 1, True, 1.5, "now"])
def test_an_instant_is_aware_and_within_the_calendar(at: object) -> None:
    with pytest.raises(BadTime):
        once(at)  # type: ignore[arg-type]


def test_fixed_rate_counts_from_its_anchor_and_never_drifts() -> None:
    trigger = every("7s", anchor=NOON)
    assert trigger.next(None) == NOON
    assert trigger.next(NOON) == NOON + 7 * SECOND
    assert trigger.next(NOON + 10_000 * 7 * SECOND + 1) == NOON + 10_001 * 7 * SECOND
    assert trigger.next(NOON, ended=NOON + 100 * SECOND) == NOON + 7 * SECOND


def test_an_initial_delay_moves_the_first_moment() -> None:
    trigger = every("10s", initial_delay="3s", anchor=NOON)
    assert trigger.next(None) == NOON + 3 * SECOND
    assert trigger.next(NOON + 3 * SECOND) == NOON + 13 * SECOND
    assert trigger.prev(NOON + 3 * SECOND) is None


def test_fixed_delay_waits_for_the_end_of_the_run_before() -> None:
    trigger = every("10s", delay=True, anchor=NOON)
    assert trigger.after_end
    assert trigger.next(None) == NOON
    assert trigger.next(NOON) is None
    assert trigger.next(NOON, ended=NOON + 4 * SECOND) == NOON + 14 * SECOND
    assert trigger.prev(NOON + 1) == NOON and trigger.prev(NOON) is None
    assert trigger.between(0, NOON + 100 * SECOND) == [NOON]


def test_a_fixed_delay_never_goes_back_when_the_clock_did() -> None:
    assert every("1s", delay=True, anchor=NOON).next(NOON, ended=NOON - 60 * SECOND) == NOON + 1


def test_an_open_interval_is_anchored_once() -> None:
    bound = every("10s", initial_delay=1).bound(NOON, "x")
    assert bound.next(None) == NOON + SECOND
    assert bound.bound(0, "y") == bound


@given(intervals, instants, instants, st.integers(0, 10**9))
def test_next_and_prev_are_neighbours_on_the_same_grid(interval: int, anchor: int, at: int, initial: int) -> None:
    trigger = Every(interval, initial, anchor=anchor)
    following = trigger.next(at)
    assert following is not None and following > at
    assert (following - trigger.first) % interval == 0 and following >= trigger.first
    before = trigger.prev(following)
    assert before == (following - interval if following > trigger.first else None)
    assert before is None or before <= at


@given(intervals, instants, instants, st.integers(0, 10**7))
def test_counting_is_listing(interval: int, anchor: int, start: int, length: int) -> None:
    trigger = Every(interval, anchor=anchor)
    assert trigger.count(start, start + length) == (len(trigger.between(start, start + length, 10**6)), True)


@pytest.mark.parametrize("interval", ["0s", 0, "999us", "-1s"])
def test_an_interval_is_at_least_a_millisecond(interval: str) -> None:
    with pytest.raises(BadTime):
        every(interval)


def test_bad_delays_and_anchors_are_refused() -> None:
    with pytest.raises(BadTime):
        every("1s", initial_delay=-1)
    with pytest.raises(BadTime):
        every("1s", anchor=datetime(2026, 1, 1))
    with pytest.raises(BadInput):
        every("soon")
