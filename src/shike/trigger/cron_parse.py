"""Reading a cron expression: five, six or seven fields of text become bit masks and a day rule.

The grammar is that of Vixie cron with the extensions of Quartz (`L W # ?`, years) and Jenkins (`H`), numbers
of weekdays as in Unix (0 and 7 are Sunday). docs/cron.md is the reference for users.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Literal, NamedTuple

import msgspec

from shike.bounds import CRON_CHARS_MAX
from shike.counted import counted
from shike.errors import CronError
from shike.trigger.cron_field import (
    HOUR,
    MINUTE,
    MONTH,
    SECOND,
    YEAR,
    Reader,
    mask_of,
)
from shike.trigger.days import DayRule, MonthDays, WeekDays, day_rule

Seconds = Literal["none", "first", "last"]

NICKNAMES = {
    "@hourly": "0 * * * *",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@weekly": "0 0 * * 0",
    "@monthly": "0 0 1 * *",
    "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
}
_STAR = "*"


class Fields(NamedTuple):
    """The fields of an expression as text, each in its place."""

    second: str
    minute: str
    hour: str
    day: str
    month: str
    weekday: str
    year: str


class Parsed(msgspec.Struct, frozen=True):
    """What an expression means. Masks have bit n set for value n.

    `wild`: minute or hour is open (`*`), so the expression follows real time on DST days (Debian's rule).
    `spread`: it has an `H`, so its meaning depends on the seed.
    """

    fields: Fields
    seconds: int
    minutes: int
    hours: int
    months: int
    month_days: MonthDays
    week_days: WeekDays
    years: tuple[int, ...]
    both: bool
    wild: bool
    spread: bool
    rule: DayRule


@lru_cache(maxsize=4096)
def parse(expression: str, seconds: Seconds = "none", seed: str = "") -> Parsed:
    """What the expression means. Raises CronError, naming the field, for whatever cannot be read or never comes."""
    if seconds not in ("none", "first", "last"):
        raise CronError(f"seconds must be 'none', 'first' or 'last', not {seconds!r}", expression=expression)
    fields = split(expression, seconds)
    reader = Reader(expression, seed)
    day_text, weekday_text = _open(fields.day), _open(fields.weekday)
    month_days, week_days = reader.month_days(day_text), reader.week_days(weekday_text)
    months = mask_of(reader.values(MONTH, fields.month))
    years = () if fields.year == _STAR else tuple(sorted(reader.values(YEAR, fields.year)))
    # Vixie: a field that begins with a star restricts nothing by itself, so both must agree; else either will do.
    both = day_text.startswith(_STAR) or weekday_text.startswith(_STAR)
    always = day_text == weekday_text == _STAR and months == mask_of(range(1, 13)) and not years
    rule = day_rule(months, month_days, week_days, both, years, always)
    if not rule.possible():
        raise CronError(_never(fields), expression=expression, field="day of month")
    minutes = mask_of(reader.values(MINUTE, fields.minute))
    hours = mask_of(reader.values(HOUR, fields.hour))
    return Parsed(
        fields=fields,
        seconds=mask_of(reader.values(SECOND, fields.second)),
        minutes=minutes,
        hours=hours,
        months=months,
        month_days=month_days,
        week_days=week_days,
        years=years,
        both=both,
        wild=_is_open(fields.minute, minutes, 60) or _is_open(fields.hour, hours, 24),
        spread=reader.spread,
        rule=rule,
    )


def split(expression: str, seconds: Seconds) -> Fields:
    """The seven fields, those that are not written filled in; nicknames spelled out."""
    if len(expression) > CRON_CHARS_MAX:
        raise CronError(f"a cron expression has at most {CRON_CHARS_MAX} characters", expression=expression[:100])
    text = expression.strip()
    if text.startswith("@"):
        text = _nickname(text.lower(), expression)
    parts = text.upper().split()
    match len(parts), seconds:
        case 5, _:
            return Fields._make(("0", *parts, _STAR))
        case 6, "first":
            return Fields._make((*parts, _STAR))
        case 6, "last":
            return Fields._make((parts[5], *parts[:5], _STAR))
        case 7, "first":
            return Fields._make(parts)
    raise CronError(_miscounted(len(parts), seconds, expression), expression=expression)


def _nickname(text: str, expression: str) -> str:
    if text in NICKNAMES:
        return NICKNAMES[text]
    if text == "@reboot":
        raise CronError("@reboot is not a moment in time; run the task when your program starts", expression=expression)
    if text.startswith("@every"):
        raise CronError("write every('10m') for an interval; cron has no @every", expression=expression)
    raise CronError(f"no nickname {text[:20]!r}; there are {', '.join(NICKNAMES)}", expression=expression)


def _miscounted(count: int, seconds: Seconds, expression: str) -> str:
    if count == 6 and seconds == "none":
        return (
            f"{expression!r} has six fields, and programs disagree where the seconds stand: "
            "say seconds='first' or seconds='last'"
        )
    if count == 7:
        return f"{expression!r} has seven fields: seconds first and the year last; say seconds='first'"
    found = "is empty" if count == 0 else f"has {counted(count, 'field')}"
    return (
        f"a cron expression has five fields (minute hour day month weekday), six with seconds or seven with "
        f"seconds and year; {expression[:100]!r} {found}"
    )


def _open(text: str) -> str:
    return _STAR if text == "?" else text


def _is_open(text: str, mask: int, size: int) -> bool:
    return text.startswith(_STAR) or mask == mask_of(range(size))


def _never(fields: Fields) -> str:
    year = "" if fields.year == _STAR else f" in {fields.year}"
    weekday = "" if fields.weekday in ("*", "?") else f" on weekday {fields.weekday}"
    return f"there is no day {fields.day} in month {fields.month}{weekday}{year}: this would never run"


def bits(mask: int) -> list[int]:
    """The values of a mask, ascending."""
    return [value for value in range(mask.bit_length()) if mask >> value & 1]
