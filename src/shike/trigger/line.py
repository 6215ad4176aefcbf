"""The line of moments of one schedule: its trigger between start and end, numbered, with jitter.

This is what the planner walks. Its place is a cursor, the last moment that has a row, and that moment's ordinal:

    line = Line.of(schedule)
    for moment in line.after(cursor, ordinal, limit=100, until=now + horizon):
        ...                                  # one row each: moment.at, moment.ordinal, moment.due_at
    missed = line.stretch(cursor, ordinal, until=now)         # a long absence, as one range row
    latest = line.latest(now)                                 # the one that `misfire=once` runs

A step goes over the half-open stretch (cursor, until]: `until`, or the last moment given, is the next cursor.
"""

from __future__ import annotations

from functools import cached_property
from typing import NamedTuple

import msgspec

from shike.bounds import COUNT_MOMENTS, PLAN_AHEAD_MOMENTS
from shike.clock import MICROS
from shike.errors import BadTime
from shike.model import Schedule
from shike.trigger.base import Trigger
from shike.trigger.combine import AnyTrigger, decode
from shike.trigger.once import Once


class Moment(NamedTuple):
    """One moment: the nominal instant, its number from 1, and the instant it is due (moment + jitter)."""

    at: int
    ordinal: int
    due_at: int


class Stretch(NamedTuple):
    """A run of moments told as one: the first, the last, how many. Where not `exact`, more follow after `last`."""

    first: int
    last: int
    moments: int
    exact: bool


class Line(msgspec.Struct, frozen=True, dict=True, kw_only=True):
    """A pure function of its fields: the same line gives the same moments and the same jitter everywhere.

    `start_at` ≤ moment < `end_at`, at most `count` moments in all; 0 sets none of these. `spread` seeds the
    jitter and cron's `H`; `every` without an anchor of its own is anchored at `start_at`.
    """

    trigger: AnyTrigger
    spread: str
    start_at: int = 0
    end_at: int = 0
    count: int = 0
    jitter_seconds: float = 0.0

    def __post_init__(self) -> None:
        if self.jitter_seconds < 0:
            raise BadTime(f"jitter cannot be negative: {self.jitter_seconds} s")
        if self.end_at and self.end_at <= self.start_at:
            raise BadTime("a schedule has to end after it starts")

    @classmethod
    def of(cls, schedule: Schedule) -> Line:
        """The line of a stored schedule. Where it names no start it starts when it was made.

        A single moment stands, even if it had passed by then: it is a misfire, and not to be lost.
        """
        trigger = decode(schedule.trigger)
        made_at = 0 if isinstance(trigger, Once) else schedule.created_at
        return cls(
            trigger=trigger,
            spread=schedule.spread or schedule.name,
            start_at=schedule.start_at or made_at,
            end_at=schedule.end_at,
            count=schedule.count,
            jitter_seconds=schedule.jitter_seconds,
        )

    @property
    def after_end(self) -> bool:
        """Whether each moment waits for the end of the run before (fixed delay)."""
        return self.trigger.after_end

    def after(
        self,
        cursor: int | None,
        ordinal: int = 0,
        *,
        ended: int | None = None,
        limit: int = PLAN_AHEAD_MOMENTS,
        until: int | None = None,
    ) -> list[Moment]:
        """The moments in (cursor, until], the first `limit` of them; from the very first where the cursor is None or 0.

        `ordinal` is the number of the moment at the cursor. Fixed delay gives its next moment only with `ended`.
        """
        found: list[Moment] = []
        place = cursor or None
        while len(found) < limit and not (self.count and ordinal >= self.count):
            at = self._next(place, ended)
            if at is None or (until is not None and at > until):
                break
            ordinal += 1
            found.append(Moment(at, ordinal, self.due_at(at)))
            if self.after_end:
                break
            place = at
        return found

    def stretch(self, cursor: int | None, ordinal: int = 0, *, until: int, cap: int = COUNT_MOMENTS) -> Stretch | None:
        """The moments in (cursor, until] as one record; None where there are none.

        By arithmetic for a plain cron or fixed rate, in any length; else counted, up to `cap`. The ordinal after it
        is `ordinal + moments`.
        """
        first = self._next(cursor or None, None)
        if first is None or first > until or (self.count and ordinal >= self.count):
            return None
        end = min(until + 1, self.end_at or until + 1)
        moments, exact = self._bound.count(first, end, cap)
        left = self.count - ordinal
        if self.count and moments > left:  # the last is not the last of the trigger: walk to it
            moments, exact = min(left, cap), left <= cap
            return Stretch(first, self._nth(first, moments), moments, exact)
        last = self._bound.prev(end) if exact else self._nth(first, moments)
        return Stretch(first, last or first, moments, exact)

    def latest(self, until: int) -> int | None:
        """The last moment at or before `until`; None before the first. Does not look at `count`."""
        end = min(until + 1, self.end_at or until + 1)
        at = self._bound.prev(end)
        return at if at is not None and at >= self.start_at else None

    def back(self, at: int, moments: int) -> int:
        """The moment so many places before the moment `at`, or the first one there is."""
        for _ in range(moments):
            before = self._bound.prev(at)
            if before is None or before < self.start_at:
                break
            at = before
        return at

    def due_at(self, at: int) -> int:
        """The instant the moment is due: `at` + [0, jitter), by a hash of `spread` and the moment.

        It never changes. Moments keep their order only while the jitter is shorter than their distance.
        """
        if not self.jitter_seconds:
            return at
        from hashlib import blake2b

        draw = blake2b(f"{self.spread}\0{at}".encode("utf-8", "replace"), digest_size=8).digest()
        return at + (int.from_bytes(draw) * round(self.jitter_seconds * MICROS) >> 64)

    def _next(self, cursor: int | None, ended: int | None) -> int | None:
        if cursor is None or cursor < self.start_at:
            # Before the first moment a fixed delay has no end to wait for: as if it had ended long ago.
            cursor, ended = self.start_at - 1 if self.start_at else None, 0
        at = self._bound.next(cursor, ended)
        return None if at is None or (self.end_at and at >= self.end_at) else at

    def _nth(self, first: int, number: int) -> int:
        """The moment `number - 1` places after the first, or the last one there is."""
        at = first
        for _ in range(number - 1):
            at = self._bound.next(at) or at
        return at

    @cached_property
    def _bound(self) -> Trigger:
        return self.trigger.bound(self.start_at, self.spread)
