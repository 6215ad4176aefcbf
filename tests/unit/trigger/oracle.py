"""A slow, plain second opinion on cron: looks at every minute of a window through `zoneinfo`, field by field.

It shares no line with the engine: sets instead of masks, datetimes instead of spans, `fold` instead of offsets.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from random import Random
from zoneinfo import ZoneInfo

MINUTE = timedelta(minutes=1)


@dataclass(frozen=True)
class Fields:
    """An expression as sets; `text` is the same as cron."""

    text: str
    minutes: frozenset[int]
    hours: frozenset[int]
    days: frozenset[int] | None
    months: frozenset[int] | None
    weekdays: frozenset[int] | None
    wild: bool

    def match(self, wall: datetime) -> bool:
        if wall.minute not in self.minutes or wall.hour not in self.hours:
            return False
        if self.months is not None and wall.month not in self.months:
            return False
        by_day = self.days is None or wall.day in self.days
        by_weekday = self.weekdays is None or wall.isoweekday() % 7 in self.weekdays
        if self.days is not None and self.weekdays is not None:
            return by_day or by_weekday
        return by_day and by_weekday


def random_fields(random: Random) -> Fields:
    """An expression that has something to do on most days, so that a window of days is never empty of chances."""
    minutes, minute_text = _pick(random, 60, star=0.25)
    hours, hour_text = _pick(random, 24, star=0.3)
    days, day_text = (None, "*") if random.random() < 0.6 else _some(random, range(1, 29), 12)
    weekdays, weekday_text = (None, "*") if random.random() < 0.6 else _some(random, range(7), 4)
    months, month_text = (None, "*") if random.random() < 0.8 else _some(random, range(1, 13), 9)
    return Fields(
        text=f"{minute_text} {hour_text} {day_text} {month_text} {weekday_text}",
        minutes=minutes,
        hours=hours,
        days=days,
        months=months,
        weekdays=weekdays,
        wild="*" in (minute_text[0], hour_text[0]),
    )


def _pick(random: Random, size: int, star: float) -> tuple[frozenset[int], str]:
    draw = random.random()
    if draw < star / 2:
        return frozenset(range(size)), "*"
    if draw < star:
        step = random.choice([2, 3, 5, 7, 15])
        return frozenset(value for value in range(size) if value % step == 0), f"*/{step}"
    # The hours from midnight to four are where clocks are set.
    pool = range(size) if size == 60 or random.random() < 0.3 else range(5)
    return _some(random, pool, 3)


def _some(random: Random, pool: range, most: int) -> tuple[frozenset[int], str]:
    values = random.sample(pool, random.randint(1, min(most, len(pool) - 1)))
    return frozenset(values), ",".join(map(str, values))


@dataclass(frozen=True)
class Minute:
    """One minute of a window: the wall clock then, whether it is shown again, and what was jumped over just before."""

    at: datetime
    wall: datetime
    again: bool
    swallowed: tuple[datetime, ...]


def read_window(zone: str, start: datetime, days: int) -> list[Minute]:
    """Every minute of some days, as the wall clock of the zone shows them."""
    tz = ZoneInfo(zone)
    minutes = []
    before = (start - MINUTE).astimezone(tz)
    for number in range(days * 1440):
        at = start + number * MINUTE
        wall = at.astimezone(tz)
        minutes.append(Minute(at, wall, wall.fold == 1 and _is_repeat(wall), tuple(_jumped(before, wall))))
        before = wall
    return minutes


def _is_repeat(wall: datetime) -> bool:
    return wall.replace(fold=0).utcoffset() != wall.utcoffset()


def _jumped(before: datetime, now: datetime) -> Iterator[datetime]:
    shown = before.replace(tzinfo=None) + MINUTE
    while shown < now.replace(tzinfo=None):
        yield shown
        shown += MINUTE


def moments(fields: Fields, minutes: list[Minute], policy: str) -> list[int]:
    """The UTC microseconds at which the expression is due in the window, by the sentence of each policy."""
    if policy == "vixie":
        policy = "twice" if fields.wild else "once"
    found = []
    for minute in minutes:
        due = fields.match(minute.at if policy == "utc" else minute.wall)
        if policy in ("once", "skip") and minute.again:
            due = False
        if policy == "once" and any(fields.match(time) for time in minute.swallowed):
            due = True
        if due:
            found.append(round(minute.at.timestamp()) * 1_000_000)
    return found


def changes(zone: str, start_year: int, end_year: int) -> list[datetime]:
    """The days (UTC midnights) on which the zone's offset changes, found by looking at every day."""
    tz = ZoneInfo(zone)
    day = datetime(start_year, 1, 1, tzinfo=UTC)
    before = day.astimezone(tz).utcoffset()
    found = []
    while day.year < end_year:
        following = day + timedelta(days=1)
        offset = following.astimezone(tz).utcoffset()
        if before != offset:
            found.append(day)
        day, before = following, offset
    return found
