"""Intervals: fixed rate, which never drifts, and fixed delay, which waits for the end of the previous run."""

from __future__ import annotations

from datetime import datetime
from typing import Self

import msgspec

from shike.bounds import COUNT_MOMENTS, EVERY_SECONDS_MIN
from shike.clock import MICROS, WALL_MAX
from shike.errors import BadTime
from shike.trigger.base import Tally, Trigger
from shike.trigger.duration import Duration, format_duration, parse_duration
from shike.trigger.once import check_instant, to_instant

_INTERVAL_MIN = round(EVERY_SECONDS_MIN * MICROS)


class Every(Trigger, frozen=True):
    """Moments `interval_micros` apart, the first `initial_delay_micros` after the anchor.

    Fixed rate: first + k · interval, whatever runs do: no drift. Fixed delay (`delay`): the end of the previous
    run + interval; nothing is known ahead but the first moment. Without an anchor it counts from 1970; a schedule
    anchors it when it is made. Whether missed moments are caught up with is the schedule's misfire policy.
    """

    interval_micros: int
    initial_delay_micros: int = 0
    delay: bool = False
    anchor: int | None = None

    def __post_init__(self) -> None:
        if self.interval_micros < _INTERVAL_MIN:
            raise BadTime(f"an interval is at least {format_duration(_INTERVAL_MIN)}, not {self.interval_micros} µs")
        if self.initial_delay_micros < 0:
            raise BadTime("an initial delay cannot be negative")
        if self.anchor is not None:
            check_instant(self.anchor)
        check_instant(self.first)

    @property
    def after_end(self) -> bool:
        return self.delay

    @property
    def first(self) -> int:
        """The very first moment."""
        return (self.anchor or 0) + self.initial_delay_micros

    def next(self, after: int | None, ended: int | None = None) -> int | None:
        """As the protocol; for fixed delay None until `ended` is known."""
        first = self.first
        if after is None or after < first:
            return first
        if self.delay:
            if ended is None:
                return None
            moment = max(ended + self.interval_micros, after + 1)
        else:
            moment = after + self.interval_micros - (after - first) % self.interval_micros
        return moment if moment <= WALL_MAX else None

    def prev(self, before: int) -> int | None:
        first = self.first
        if before <= first:
            return None
        if self.delay:
            return first
        return before - 1 - (before - 1 - first) % self.interval_micros

    def count(self, start: int, end: int, cap: int = COUNT_MOMENTS) -> Tally:
        if self.delay:
            return Tally(int(start <= self.first < end))
        return Tally(max(0, self._rank(end) - self._rank(start)))

    def _rank(self, at: int) -> int:
        """How many moments come before `at`."""
        return max(0, -((self.first - at) // self.interval_micros))

    def bound(self, anchor: int, seed: str) -> Self:
        return self if self.anchor is not None else msgspec.structs.replace(self, anchor=anchor)


def every(
    interval: Duration,
    *,
    initial_delay: Duration = 0,
    delay: bool = False,
    anchor: datetime | int | None = None,
) -> Every:
    """A trigger that comes back: `every("10s")`, `every(timedelta(hours=1))`, `every(0.5)` (seconds).

    By default at a fixed rate from the instant the schedule is made (or from `anchor`), the first moment at
    once or after `initial_delay`. With `delay=True` the interval runs from the end of one run to the start of the
    next. Raises BadInput or BadTime for a length that cannot be read, is negative, or is under a millisecond.
    """
    return Every(
        interval_micros=parse_duration(interval),
        initial_delay_micros=parse_duration(initial_delay),
        delay=delay,
        anchor=None if anchor is None else to_instant(anchor),
    )
