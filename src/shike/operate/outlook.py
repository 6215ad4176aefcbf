"""What a trigger is about to do: its next moments, the days of the next weeks, and the days on which clocks are set."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from typing import Final
from zoneinfo import ZoneInfo

from msgspec import Struct

from shike.clock import MICROS, to_datetime, to_micros
from shike.operate.clock_changes import Change, changes
from shike.trigger import DST, Cron
from shike.trigger.line import Line
from shike.trigger.zone import zone

NEXT: Final = 8
WEEKS: Final = 6
UTC_NAME: Final = "UTC"


class Next(Struct, frozen=True, kw_only=True):
    """One moment: on the clock of the trigger's zone, and as an instant."""

    there: str
    weekday: int  # 0: Monday
    at: datetime


class Day(Struct, frozen=True, kw_only=True):
    """One day of the calendar, in the trigger's zone."""

    day: date
    runs: int
    is_past: bool
    change: Change | None = None  # the clock is set on this day


class Outlook(Struct, frozen=True, kw_only=True):
    """All of it. `follows_runs`: a fixed delay; its moments follow from its runs."""

    tz: str
    next: tuple[Next, ...] = ()
    weeks: tuple[tuple[Day, ...], ...] = ()
    changes: tuple[Change, ...] = ()
    follows_runs: bool = False


def zone_of(line: Line) -> str:
    """The zone that a trigger's times are read in; UTC where it has none."""
    trigger = line.trigger
    return UTC_NAME if not isinstance(trigger, Cron) or trigger.dst is DST.UTC else zone(trigger.tz).name


def outlook(line: Line, now: int, *, cursor: int = 0, ordinal: int = 0, limit: int = NEXT) -> Outlook:
    """What this line does after now. `cursor`, `ordinal`: how far it has come, where it counts its moments."""
    tz = zone_of(line)
    if line.after_end:
        return Outlook(tz=tz, follows_runs=True)
    place = max(now, cursor)
    there = ZoneInfo(tz)
    found = [to_datetime(moment.at) for moment in line.after(place, ordinal, limit=limit)]
    set_on = tuple(changes(line.trigger, now // MICROS * MICROS)) if isinstance(line.trigger, Cron) else ()
    return Outlook(
        tz=tz,
        next=tuple([_next(at, there) for at in found]),
        weeks=_weeks(line, now, there, {change.at.astimezone(there).date(): change for change in set_on}),
        changes=set_on,
    )


def _next(at: datetime, there: ZoneInfo) -> Next:
    local = at.astimezone(there)
    return Next(there=local.strftime("%Y-%m-%d %H:%M:%S"), weekday=local.weekday(), at=at)


def _weeks(line: Line, now: int, there: ZoneInfo, set_on: dict[date, Change]) -> tuple[tuple[Day, ...], ...]:
    today = to_datetime(now).astimezone(there).date()
    monday = today - timedelta(days=today.weekday())
    trigger = line.trigger.bound(line.start_at, line.spread)
    weeks = []
    for week in range(WEEKS):
        days = []
        for number in range(7):
            day = monday + timedelta(days=7 * week + number)
            begin, end = (to_micros(datetime(one.year, one.month, one.day, tzinfo=there)) for one in _pair(day))
            low, high = max(begin, now + 1, line.start_at), min(end, line.end_at or end)
            runs = trigger.count(low, high).moments if low < high else 0
            days.append(Day(day=day, runs=runs, is_past=day < today, change=set_on.get(day)))
        weeks.append(tuple(days))
    return tuple(weeks)


def _pair(day: date) -> tuple[date, date]:
    return day, day + timedelta(days=1)
