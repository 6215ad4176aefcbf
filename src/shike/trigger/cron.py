"""Cron on a zone's clock, with a stated rule for the two days a year when the clock is set."""

from __future__ import annotations

from enum import StrEnum
from functools import cached_property
from typing import Self

import msgspec

from shike.bounds import COUNT_MOMENTS, SEARCH_YEARS
from shike.clock import MICROS, WALL_MAX
from shike.errors import CronError, TriggerError
from shike.trigger.base import Tally, Trigger
from shike.trigger.cron_parse import Parsed, Seconds, parse
from shike.trigger.lattice import Lattice
from shike.trigger.once import Disabled
from shike.trigger.zone import Zone, zone

_DAY = 86_400
_SECOND_MAX = WALL_MAX // MICROS
_SEARCH = SEARCH_YEARS * 366 * _DAY


class DST(StrEnum):
    """What happens to times that the wall clock jumps over (the gap) or shows twice (the repeat)."""

    VIXIE = "vixie"
    """As cron on Debian. Fixed times: `once`. With an open minute or hour (`*`, `*/15`): `twice`, real time."""
    ONCE = "once"
    """Each named time once: in the gap at the first instant after it, in the repeat the first time."""
    SKIP = "skip"
    """At most once: times in the gap are dropped, in the repeat only the first counts."""
    TWICE = "twice"
    """Whenever the wall clock shows it: times in the gap are dropped, in the repeat both count."""
    UTC = "utc"
    """The fields are read in UTC, so nothing is ever jumped over or shown twice; the zone is for display."""


class Cron(Trigger, frozen=True):
    """The moments of a cron expression in a zone. `seed` is what `H` spreads by; empty until bound."""

    expression: str
    tz: str = "UTC"
    seconds: Seconds = "none"
    dst: DST = DST.VIXIE
    seed: str = ""

    def __post_init__(self) -> None:
        self._engine  # noqa: B018 - read now, so that a bad expression or zone is refused where it was written

    @property
    def parsed(self) -> Parsed:
        """What the expression means, field by field."""
        return parse(self.expression, self.seconds, self.seed)

    def next(self, after: int | None, ended: int | None = None) -> int | None:
        second = self._engine.next(0 if after is None or after < 0 else after // MICROS + 1)
        return None if second is None else second * MICROS

    def prev(self, before: int) -> int | None:
        second = self._engine.prev(min((before - 1) // MICROS, _SECOND_MAX))
        return None if second is None else second * MICROS

    def count(self, start: int, end: int, cap: int = COUNT_MOMENTS) -> Tally:
        first, stop = max(0, -(-start // MICROS)), min(-(-end // MICROS), _SECOND_MAX + 1)
        return Tally(self._engine.count(first, stop))

    def bound(self, anchor: int, seed: str) -> Self:
        return msgspec.structs.replace(self, seed=seed) if self.parsed.spread and not self.seed else self

    @cached_property
    def _engine(self) -> Engine:
        parsed = self.parsed
        name = self.tz
        found = zone(name)
        policy = self.dst
        if policy is DST.UTC:
            found = zone("UTC")
        if policy is DST.VIXIE:
            policy = DST.TWICE if parsed.wild else DST.ONCE
        return Engine(Lattice(parsed), found, moves=policy is DST.ONCE, repeats=policy is DST.TWICE)


class Engine:
    """Lays the lattice of wall-clock times over the spans of a zone. All in whole UTC seconds.

    `moves`: times in a gap happen at its end. `repeats`: times shown again happen again.
    """

    __slots__ = ("_lattice", "_moves", "_repeats", "_span", "_zone")

    def __init__(self, lattice: Lattice, found: Zone, *, moves: bool, repeats: bool) -> None:
        self._lattice = lattice
        self._zone = found
        self._moves = moves
        self._repeats = repeats
        self._span = found.span(0)

    def next(self, second: int) -> int | None:
        """The first moment at or after this second; None where there is none within a century."""
        lattice = self._lattice
        limit = min(second + _SEARCH, _SECOND_MAX)
        while second <= limit:
            span = self._span
            if not span.start <= second < span.end:
                span = self._span = self._zone.span(second)
            start, end, offset, gap, repeat = span
            if second == start and gap and self._moves and lattice.has(start + offset - gap, start + offset):
                return start
            fresh = second if self._repeats or second >= start + repeat else start + repeat
            local = lattice.next(fresh + offset)
            if local is not None and local < end + offset:
                found = local - offset
                return found if found <= _SECOND_MAX else None
            if end - second < _DAY:  # the next span may show again what this one has shown
                second = end
            elif local is None:
                return None
            else:  # no offset reaches a day: nothing happens earlier than a day before that time
                second = max(end, local - _DAY)
        return None

    def prev(self, second: int) -> int | None:
        """The last moment at or before this second, not before 1970."""
        lattice = self._lattice
        while second >= 0:
            start, _, offset, gap, repeat = self._zone.span(second)
            fresh = start if self._repeats else start + repeat
            local = lattice.prev(second + offset)
            if local is not None and fresh + offset <= local:
                return local - offset if local >= offset else None
            if gap and self._moves and lattice.has(start + offset - gap, start + offset):
                return start if start >= 0 else None
            if second - start < _DAY:  # the span before may have shown what lies ahead of this one
                second = start - 1
            elif local is None:
                return None
            else:
                second = min(start - 1, local + _DAY)
        return None

    def count(self, second: int, end: int) -> int:
        """How many moments lie in [second, end)."""
        total = 0
        while second < end:
            span = self._zone.span(second)
            stop = min(span.end, end)
            fresh = second if self._repeats else max(second, span.start + span.repeat)
            total += self._lattice.count(fresh + span.offset, stop + span.offset)
            if second == span.start and span.gap and self._moves:
                opened = span.start + span.offset
                # A time that falls on the end of the gap itself is already counted.
                total += self._lattice.has(opened - span.gap, opened) and not self._lattice.has(opened, opened + 1)
            second = stop
        return total


def cron(
    expression: str,
    *,
    tz: str = "UTC",
    seconds: Seconds = "none",
    dst: DST | str = DST.VIXIE,
    seed: str = "",
) -> Cron | Disabled:
    """A trigger from a cron expression of five fields, or of six or seven where `seconds` says how to read them.

    `seconds="first"`: second minute hour day month weekday [year]; `"last"`: the seconds stand after the weekday.
    `tz` is an IANA zone name, `dst` a member of `DST`. `-` gives a trigger without moments. Raises CronError where
    the expression cannot be read or never comes (31 February) and ZoneError for an unknown zone.
    """
    if not isinstance(expression, str):
        raise CronError(f"a cron expression is text, not {expression!r}")
    if expression.strip() == "-":
        return Disabled()
    try:
        policy = DST(dst)
    except ValueError as error:
        known = ", ".join(repr(str(member)) for member in DST)
        raise TriggerError(f"no DST policy {dst!r}; there are {known}") from error
    return Cron(expression=expression.strip(), tz=tz, seconds=seconds, dst=policy, seed=seed)
