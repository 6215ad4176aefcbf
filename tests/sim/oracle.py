"""Which moments there should be, worked out the slow and obvious way, with nothing of `shike.trigger`.

Intervals are added up one by one; cron is looked up minute by minute on a wall calendar.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from msgspec import Struct

MICROS = 1_000_000
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
RANGES = ((0, 59), (0, 23), (1, 31), (1, 12), (0, 6))  # minute, hour, day, month, weekday (0: Sunday)


class Rate(Struct, frozen=True):
    """Every so often, from an anchor."""

    every_seconds: float
    anchor: int


class Calendar(Struct, frozen=True):
    """Five cron fields of `*`, `*/n`, numbers, ranges and lists, read in a zone. No day is restricted here."""

    line: str
    zone: str = "UTC"


def moments(what: Rate | Calendar, start: int, end: int) -> list[int]:
    """All moments with start ≤ moment < end, UTC µs."""
    return _rate(what, start, end) if isinstance(what, Rate) else _calendar(what, start, end)


def _rate(what: Rate, start: int, end: int) -> list[int]:
    found, moment, step = [], what.anchor, round(what.every_seconds * MICROS)
    while moment < end:
        if moment >= start:
            found.append(moment)
        moment += step
    return found


def _calendar(what: Calendar, start: int, end: int) -> list[int]:
    allowed = [_field(field, *bounds) for field, bounds in zip(what.line.split(), RANGES, strict=True)]
    minute = EPOCH + timedelta(microseconds=start)
    minute = minute.replace(second=0, microsecond=0)
    zone, found = ZoneInfo(what.zone), []
    while (at := (minute - EPOCH) // timedelta(microseconds=1)) < end:
        local = minute.astimezone(zone)
        shown = (local.minute, local.hour, local.day, local.month, local.isoweekday() % 7)
        if at >= start and all(value in good for value, good in zip(shown, allowed, strict=True)):
            found.append(at)
        minute += timedelta(minutes=1)
    return found


def _field(field: str, low: int, high: int) -> set[int]:
    good: set[int] = set()
    for part in field.split(","):
        span, _, step = part.partition("/")
        first, _, last = span.partition("-")
        if span == "*":
            first, last = str(low), str(high)
        good.update(range(int(first), int(last or first) + 1, int(step or 1)))
    return good
