"""What an expression says, as facts that any language can put into words."""

from __future__ import annotations

from itertools import product

import msgspec

from shike.trigger.cron_parse import Parsed, bits

_TIMES_MAX = 8  # more times a day are told as a pulse and a stretch of hours
Run = tuple[int, int]


class Pulse(msgspec.Struct, frozen=True):
    """How often: every `every` units; or, where that is 0, at the listed minutes and seconds of each hour."""

    unit: str
    every: int
    minutes: tuple[int, ...] = ()
    seconds: tuple[int, ...] = ()


class Facts(msgspec.Struct, frozen=True):
    """`times` of the day, or a `pulse` within `hours` (runs, both ends included; none: all day); and the days.

    `weekdays` and `month_days` are runs; empty where the field is open. `either`: one of the two is enough.
    """

    times: tuple[str, ...]
    pulse: Pulse
    hours: tuple[Run, ...]
    weekdays: tuple[Run, ...]
    nth: tuple[tuple[int, int], ...]
    last_weekdays: tuple[int, ...]
    month_days: tuple[Run, ...]
    last_days: tuple[int, ...]
    near: tuple[int, ...]
    near_last: tuple[int, ...]
    months: tuple[Run, ...]
    years: tuple[Run, ...]
    either: bool


def facts_of(parsed: Parsed) -> Facts:
    """The facts of a parsed expression."""
    hours, minutes, seconds = (tuple(bits(mask)) for mask in (parsed.hours, parsed.minutes, parsed.seconds))
    few = len(hours) < 24 and len(hours) * len(minutes) * len(seconds) <= _TIMES_MAX
    pulse = _pulse(hours, minutes, seconds)
    days, week = parsed.month_days, parsed.week_days
    every_day = _full(tuple(bits(days.mask)), 1, 31)
    every_weekday = _full(tuple(bits(week.mask)), 0, 6)
    return Facts(
        times=_times(hours, minutes, seconds) if few else (),
        pulse=pulse,
        hours=() if len(hours) == 24 or pulse.unit == "hour" else runs(hours),
        weekdays=() if every_weekday else _week_runs(week.mask),
        nth=() if every_weekday else week.nth,
        last_weekdays=() if every_weekday else week.last,
        month_days=() if every_day else runs(tuple(bits(days.mask))),
        last_days=() if every_day else days.last,
        near=() if every_day else days.near,
        near_last=() if every_day else days.near_last,
        months=() if _full(tuple(bits(parsed.months)), 1, 12) else runs(tuple(bits(parsed.months))),
        years=runs(parsed.years),
        either=not parsed.both,
    )


def runs(values: tuple[int, ...]) -> tuple[Run, ...]:
    """Ascending values as runs of neighbours: 1, 2, 3, 7 is (1, 3), (7, 7)."""
    found: list[Run] = []
    for value in values:
        if found and found[-1][1] == value - 1:
            found[-1] = (found[-1][0], value)
        else:
            found.append((value, value))
    return tuple(found)


def _week_runs(mask: int) -> tuple[Run, ...]:
    """Runs over a week that begins on Monday: Sunday is 7."""
    return runs(tuple(sorted(day or 7 for day in bits(mask))))


def _pulse(hours: tuple[int, ...], minutes: tuple[int, ...], seconds: tuple[int, ...]) -> Pulse:
    if step := _step(seconds, 60):
        if len(minutes) == 60:
            return Pulse("second", step)
    elif seconds == (0,):
        hourly = _step(hours, 24)
        if len(minutes) == 1 and hourly:
            return Pulse("hour", hourly, minutes)
        if step := _step(minutes, 60):
            return Pulse("minute", step)
    return Pulse("", 0, minutes, seconds)


def _step(values: tuple[int, ...], size: int) -> int:
    """n where the values are 0, n, 2n … round the whole dial; else 0. A single value is no step."""
    if len(values) < 2 or values[0] != 0:
        return 0
    step = values[1]
    return step if size % step == 0 and values == tuple(range(0, size, step)) else 0


def _full(values: tuple[int, ...], low: int, high: int) -> bool:
    return len(values) == high - low + 1


def _times(hours: tuple[int, ...], minutes: tuple[int, ...], seconds: tuple[int, ...]) -> tuple[str, ...]:
    tails = [""] if seconds == (0,) else [f":{second:02}" for second in seconds]
    return tuple(f"{hour:02}:{minute:02}{tail}" for hour, minute, tail in product(hours, minutes, tails))
