"""Reading one field of a cron expression: lists, ranges that wrap, steps, names, `H`, and the day atoms."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import NoReturn

import msgspec

from shike.bounds import CRON_YEAR_MAX
from shike.errors import CronError
from shike.trigger.days import MonthDays, WeekDays

MONTH_NAMES = ("JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC")
WEEKDAY_NAMES = ("SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT")


class Field(msgspec.Struct, frozen=True):
    """One field: its name in messages, its values, their names, and the values `H` chooses from."""

    name: str
    low: int
    high: int
    names: tuple[str, ...] = ()
    spread_high: int = 0

    @property
    def span(self) -> int:
        """How many different values there are: ranges wrap after so many."""
        return 7 if self is WEEKDAY else self.high - self.low + 1


SECOND = Field("second", 0, 59, spread_high=59)
MINUTE = Field("minute", 0, 59, spread_high=59)
HOUR = Field("hour", 0, 23, spread_high=23)
DAY = Field("day of month", 1, 31, spread_high=28)  # every month has a 28th
MONTH = Field("month", 1, 12, MONTH_NAMES, spread_high=12)
WEEKDAY = Field("day of week", 0, 7, WEEKDAY_NAMES, spread_high=6)
YEAR = Field("year", 1970, CRON_YEAR_MAX, spread_high=0)

_TERM = re.compile(
    r"(?:(?P<all>\*)|(?P<hash>H)(?:\((?P<from>\w+)-(?P<to>\w+)\))?|(?P<low>\w+)(?:-(?P<high>\w+))?)(?:/(?P<step>\d+))?",
    re.ASCII,
)
_LAST = re.compile(r"L(?:-(\d{1,2}))?(W?)", re.ASCII)
_NEAR = re.compile(r"(\d{1,2})W", re.ASCII)
_NTH = re.compile(r"(\w+)#(\w+)", re.ASCII)
_LAST_WEEKDAY = re.compile(r"(\w+)L", re.ASCII)


def mask_of(values: Iterable[int]) -> int:
    """An integer with bit n set for each value n."""
    mask = 0
    for value in values:
        mask |= 1 << value
    return mask


class Reader:
    """Reads the fields of one expression; `spread` is true once an `H` was seen."""

    def __init__(self, expression: str, seed: str) -> None:
        self._expression = expression
        self._seed = seed
        self.spread = False

    def values(self, field: Field, text: str) -> set[int]:
        """The values of a field that has numbers, names, ranges and steps only."""
        found: set[int] = set()
        for term in text.split(","):
            found.update(self._term(field, term))
        return found

    def month_days(self, text: str) -> MonthDays:
        """The day-of-month field: numbers, and `L`, `L-3`, `15W`, `LW`, `L-3W`."""
        plain: set[int] = set()
        last: list[int] = []
        near: list[int] = []
        near_last: list[int] = []
        for term in text.split(","):
            if match := _LAST.fullmatch(term):
                back = int(match[1] or 0)
                if back > 30:
                    self._refuse(DAY, term, "no month has so many days before its last")
                (near_last if match[2] else last).append(back)
            elif match := _NEAR.fullmatch(term):
                near.append(self._value(DAY, match[1], term))
            else:
                plain |= self._term(DAY, term)
        return MonthDays(mask_of(plain), tuple(last), tuple(near), tuple(near_last))

    def week_days(self, text: str) -> WeekDays:
        """The day-of-week field: numbers and names, and `mon#2` (the second), `5L` (the last Friday)."""
        plain: set[int] = set()
        nth, last = [], []
        for term in text.split(","):
            if match := _NTH.fullmatch(term):
                if match[2] not in ("1", "2", "3", "4", "5"):
                    self._refuse(WEEKDAY, term, "a month has a first to a fifth of a weekday: #1 to #5")
                nth.append((self._value(WEEKDAY, match[1], term) % 7, int(match[2])))
            elif term == "L":
                self._refuse(WEEKDAY, term, "say of which weekday the last, as in 5L or FRIL")
            elif (match := _LAST_WEEKDAY.fullmatch(term)) and term not in WEEKDAY_NAMES:
                last.append(self._value(WEEKDAY, match[1], term) % 7)
            else:
                plain |= {day % 7 for day in self._term(WEEKDAY, term)}
        return WeekDays(mask_of(plain), tuple(nth), tuple(last))

    def _term(self, field: Field, term: str) -> set[int]:
        match = _TERM.fullmatch(term)
        if match is None:
            self._refuse(field, term, "it is not a number, a name, a range or a step")
        step = self._step(field, match["step"], term)
        if match["hash"]:
            return self._hashed(field, match, step, term)
        if match["all"]:
            return set(range(field.low, min(field.high, field.low + field.span - 1) + 1, step))
        low = self._value(field, match["low"], term)
        if match["high"] is not None:
            high = self._value(field, match["high"], term)
            if field is YEAR and high < low:
                self._refuse(field, term, "years do not wrap")
            return self._range(field, low, high, step)
        if match["step"] is None:
            return {low}
        # Quartz reads 5/15 as 5-59/15. Sunday may be written 7, but begins the week.
        return set(range(low % 7 if field is WEEKDAY else low, field.low + field.span, step))

    def _range(self, field: Field, low: int, high: int, step: int) -> set[int]:
        length = high - low if high >= low else (high - low) % field.span
        return {field.low + (low - field.low + offset) % field.span for offset in range(0, length + 1, step)}

    def _hashed(self, field: Field, match: re.Match[str], step: int, term: str) -> set[int]:
        self.spread = True
        low, high = field.low, field.spread_high
        if field is YEAR:
            self._refuse(field, term, "H does not spread years")
        if match["from"]:
            low, high = self._value(field, match["from"], term), self._value(field, match["to"], term)
            if low > high:
                self._refuse(field, term, "the range of H does not wrap")
        size = high - low + 1
        first = low + _hash(self._seed, field.name) % min(size, step if match["step"] else size)
        return set(range(first, high + 1, step)) if match["step"] else {first}

    def _step(self, field: Field, text: str | None, term: str) -> int:
        if text is None:
            return 1
        if len(text) > 4 or int(text) == 0:
            self._refuse(field, term, "a step is a number from 1")
        return int(text)

    def _value(self, field: Field, text: str, term: str) -> int:
        if text in field.names:
            return field.names.index(text) + (field.low if field is MONTH else 0)
        if not text.isdigit() or len(text) > 4:
            named = f" or a name ({field.names[0]} to {field.names[-1]})" if field.names else ""
            self._refuse(field, term, f"{text[:20]!r} is not a number{named}")
        value = int(text)
        if not field.low <= value <= field.high:
            self._refuse(field, term, f"values go from {field.low} to {field.high}")
        return value

    def _refuse(self, field: Field, term: str, why: str) -> NoReturn:
        message = f"{field.name} {term[:40]!r} in {self._expression[:100]!r}: {why}"
        raise CronError(message, expression=self._expression, field=field.name)


def _hash(seed: str, name: str) -> int:
    from hashlib import blake2b

    return int.from_bytes(blake2b(f"{seed}\0{name}".encode("utf-8", "replace"), digest_size=8).digest())
