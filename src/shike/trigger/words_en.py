"""Triggers in English."""

from __future__ import annotations

from shike.trigger.calendar import Calendar
from shike.trigger.cron_facts import Facts, Pulse, Run

_WEEKDAYS = ("Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
_MONTHS = (
    *("", "January", "February", "March", "April", "May", "June"),
    *("July", "August", "September", "October", "November", "December"),
)
_ORDINALS = ("", "first", "second", "third", "fourth", "fifth")
_UNITS = {"d": "day", "h": "hour", "m": "minute", "s": "second", "ms": "millisecond", "us": "microsecond"}


class English:
    """`every weekday at 09:00, Europe/Berlin`"""

    def once(self, instant: str) -> str:
        return f"once, on {instant}"

    def never(self) -> str:
        return "never (switched off)"

    def every(self, length: list[tuple[int, str]], delay: bool, initial: list[tuple[int, str]]) -> str:
        if delay:
            text = f"{_length(length)} after the previous run ends"
        elif len(length) == 1 and length[0][0] == 1:
            text = f"every {_UNITS[length[0][1]]}"
        else:
            text = f"every {_length(length)}"
        return f"{text}, the first after {_length(initial)}" if initial else text

    def cron(self, facts: Facts, tz: str) -> str:
        days = _days(facts)
        if facts.times:
            text = f"{days or 'every day'} at {_join(facts.times)}"
        else:
            text = ", ".join(part for part in (_pulse(facts.pulse), _hours(facts.hours), days) if part)
        return f"{text}, {tz}"

    def any_of(self, parts: list[str]) -> str:
        return "; or ".join(parts)

    def all_of(self, parts: list[str]) -> str:
        return "when all of these agree: " + "; ".join(parts)

    def minus(self, base: str, minus: str) -> str:
        return f"{base}; but not {minus}"

    def during(self, base: str, calendars: list[Calendar]) -> str:
        return "; ".join([base, *map(_calendar, calendars)])


def _calendar(calendar: Calendar) -> str:
    only = f"only {', '.join(calendar.keep)}" if calendar.keep else ""
    never = f"not {', '.join(calendar.exclude)}" if calendar.exclude else ""
    return f"{', '.join(filter(None, (only, never))) or 'at any time'} ({calendar.tz})"


def _length(length: list[tuple[int, str]]) -> str:
    return _join([f"{number} {_UNITS[unit]}{'s' if number != 1 else ''}" for number, unit in length])


def _join(parts: list[str] | tuple[str, ...]) -> str:
    return parts[0] if len(parts) == 1 else f"{', '.join(parts[:-1])} and {parts[-1]}"


def _numbers(values: tuple[int, ...]) -> str:
    return _join([str(value) for value in values])


def _pulse(pulse: Pulse) -> str:
    if pulse.unit == "hour":
        text = "every hour" if pulse.every == 1 else f"every {pulse.every} hours"
        return text if pulse.minutes == (0,) else f"{text} at :{pulse.minutes[0]:02}"
    if pulse.unit:
        return f"every {pulse.unit}" if pulse.every == 1 else f"every {pulse.every} {pulse.unit}s"
    minutes = "every minute" if len(pulse.minutes) == 60 else f"minute {_numbers(pulse.minutes)}"
    if pulse.seconds == (0,):
        return f"at {minutes} of the hour"
    seconds = "every second" if len(pulse.seconds) == 60 else f"second {_numbers(pulse.seconds)}"
    return f"at {seconds} of {minutes}"


def _hours(hours: tuple[Run, ...]) -> str:
    return _join([f"{first:02}:00–{last:02}:59" for first, last in hours]) if hours else ""


def _days(facts: Facts) -> str:
    months = _join([_run(run, _MONTHS) for run in facts.months]) if facts.months else ""
    by_date, by_weekday = _by_date(facts, months), _by_weekday(facts, months)
    if by_date and by_weekday:
        text = f"on the {by_date} or {by_weekday}" if facts.either else f"{by_weekday} if it is the {by_date}"
    elif by_date:
        text = f"on the {by_date}"
    else:
        text = by_weekday or (f"every day in {months}" if months else "")
    if not facts.years:
        return text
    years = _join([f"{first}–{last}" if last > first else str(first) for first, last in facts.years])
    return f"{text} {years}" if by_date and months else f"{text or 'every day'} in {years}"


def _by_date(facts: Facts, months: str) -> str:
    parts = [_ordinal(first) + (f"–{_ordinal(last)}" if last > first else "") for first, last in facts.month_days]
    parts += [f"{_from_end(back)} day" for back in sorted(facts.last_days)]
    parts += [f"weekday nearest the {_ordinal(day)}" for day in facts.near]
    parts += [f"weekday nearest the {_from_end(back)} day" if back else "last weekday" for back in facts.near_last]
    return f"{_join(parts)} of {months or 'the month'}" if parts else ""


def _by_weekday(facts: Facts, months: str) -> str:
    parts = []
    if facts.weekdays:
        days = "weekday" if facts.weekdays == ((1, 5),) else _join([_run(run, _WEEKDAYS) for run in facts.weekdays])
        parts.append(f"every {days}" + (f" in {months}" if months else ""))
    named = [f"{_ORDINALS[number]} {_WEEKDAYS[day]}" for day, number in facts.nth]
    named += [f"last {_WEEKDAYS[day]}" for day in facts.last_weekdays]
    if named:
        parts.append(f"on the {_join(named)} of {months or 'the month'}")
    return _join(parts) if parts else ""


def _from_end(back: int) -> str:
    return f"{_ordinal(back + 1)}-last" if back else "last"


def _run(run: Run, names: tuple[str, ...]) -> str:
    first, last = run
    if first == last:
        return names[first]
    return f"{names[first]}{' and ' if last == first + 1 else ' to '}{names[last]}"


def _ordinal(number: int) -> str:
    if 10 <= number % 100 <= 20:
        return f"{number}th"
    return f"{number}{ {1: 'st', 2: 'nd', 3: 'rd'}.get(number % 10, 'th') }"
