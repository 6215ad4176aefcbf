"""When a bucket is read next, and how far."""

from __future__ import annotations

from shike.bounds import READ_AHEAD_SECONDS, SWEEP_SECONDS
from shike.clock import MICROS, WALL_MIN
from shike.scheduler.preset import CLASSIC, PRESETS
from shike.scheduler.reach import REST_SECONDS_MIN, Reach

NOW = 1_767_225_600_000_000 + 20 * MICROS
HUGE = 1 << 60


def read(reach: Reach, now: int, monotonic: float, seconds: float) -> int:
    """A read that finds something; when it ends."""
    reach.begin(monotonic)
    reach.end(reach.until(now), seconds)
    return now + round(seconds * MICROS)


def test_far_from_anything_due_the_sweep_comes_first() -> None:
    reach = Reach(CLASSIC)
    reach.begin(100.0)
    reach.end(NOW + HUGE, 0.01)
    assert reach.rest_seconds(NOW, 100.0) == SWEEP_SECONDS


def test_near_something_due_it_looks_again_before_the_floor() -> None:
    reach = Reach(CLASSIC)
    end = read(reach, NOW, 0.0, 0.0)
    assert reach.rest_seconds(end, 0.0) == READ_AHEAD_SECONDS / 2


def test_a_read_that_was_cut_off_is_followed_at_once() -> None:
    reach = Reach(CLASSIC)
    reach.begin(0.0)
    reach.end(NOW - MICROS, 0.01)
    assert reach.rest_seconds(NOW, 0.0) == REST_SECONDS_MIN


def test_a_slow_store_is_read_earlier_and_further_so_that_every_read_ends_before_the_floor() -> None:
    reach = Reach(CLASSIC)
    now, margins = NOW, []
    for turn in range(20):
        slow = 0.005 if turn < 5 else 2.0
        floor = reach.floor
        now = read(reach, now, turn * 3.0, slow)
        if floor != WALL_MIN:
            margins.append((floor - now) / MICROS)
        now += round(reach.rest_seconds(now, turn * 3.0) * MICROS)
    assert min(margins) > 0.45, "the first slow read has what the usual lead leaves"
    assert min(margins[6:]) > 2.0, "the others have more than a whole read to spare"


def test_a_store_that_is_quick_again_is_read_as_before() -> None:
    reach = Reach(CLASSIC)
    read(reach, NOW, 0.0, 2.0)
    assert reach.until(NOW) - NOW == 13 * MICROS
    read(reach, NOW, 0.0, 0.0)
    assert reach.until(NOW) - NOW == 5 * MICROS


def test_in_slices_a_read_ends_with_a_minute() -> None:
    reach = Reach(PRESETS["precise"])
    assert reach.until(NOW) == NOW + 40 * MICROS
    assert reach.until(NOW + 37 * MICROS) == NOW + 100 * MICROS


def test_the_sweep_begins_at_the_beginning_and_what_found_no_place_is_read_again() -> None:
    reach = Reach(CLASSIC)
    assert reach.begin(0.0) == WALL_MIN - 1
    reach.end(NOW, 0.0)
    assert reach.begin(SWEEP_SECONDS - 1) == NOW
    reach.refused = NOW + 10
    reach.end(NOW + 1_000, 0.0)
    assert reach.floor == NOW + 9
    assert reach.begin(SWEEP_SECONDS) == WALL_MIN - 1
