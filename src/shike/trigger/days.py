"""Which days a cron expression means, and where they lie in any year.

Years come in fourteen shapes (seven weekdays for 1 January, leap or not). The days of a rule are worked out
once per shape, so a rule that has no day in any shape can be refused when it is read, and the search for
29 February looks up years instead of walking through days.
"""

from __future__ import annotations

from bisect import bisect_left
from datetime import date
from functools import lru_cache

import msgspec

from shike.bounds import SEARCH_YEARS

_EPOCH_ORDINAL = 719_163  # of 1970-01-01 in the proleptic Gregorian calendar
_YEAR_MIN = 1969  # west of Greenwich the epoch itself is a day of this year
_DAY_MIN, _DAY_MAX = -365, 2_932_896  # 1969-01-01, 9999-12-31
_MONTH_DAYS = (31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)


def year_of(day: int) -> int:
    """The year of a day counted from 1970-01-01."""
    return date.fromordinal(day + _EPOCH_ORDINAL).year


def first_day(year: int) -> int:
    """1 January of a year, as a day counted from 1970-01-01."""
    past = year - 1
    return 365 * past + past // 4 - past // 100 + past // 400 - (_EPOCH_ORDINAL - 1)


def weekday_of(day: int) -> int:
    """0 for Sunday … 6 for Saturday."""
    return (day + 4) % 7


class MonthDays(msgspec.Struct, frozen=True):
    """The day-of-month field. Bit n of `mask` is day n; `last` holds the n of `L-n`; the others add a W."""

    mask: int = 0
    last: tuple[int, ...] = ()
    near: tuple[int, ...] = ()
    near_last: tuple[int, ...] = ()

    def in_month(self, length: int, first_weekday: int) -> int:
        """The days of a month of that length that begins on that weekday; bit n is day n."""
        days = self.mask
        for back in self.last:
            days |= 1 << max(0, length - back)
        for day in self.near:
            days |= 1 << (_nearest_weekday(day, length, first_weekday) if day <= length else 0)
        for back in self.near_last:
            days |= 1 << (_nearest_weekday(length - back, length, first_weekday) if back < length else 0)
        return days & _days_up_to(length)


class WeekDays(msgspec.Struct, frozen=True):
    """The day-of-week field. Bit 0 of `mask` is Sunday; `nth` holds `mon#2` as (1, 2); `last` holds `5L` as 5."""

    mask: int = 0
    nth: tuple[tuple[int, int], ...] = ()
    last: tuple[int, ...] = ()

    def in_month(self, length: int, first_weekday: int) -> int:
        """As `MonthDays.in_month`."""
        # The week as the month begins it, five times over; day 1 stands at bit 1.
        week = (self.mask >> first_weekday | self.mask << (7 - first_weekday)) & 0b1111111
        days = (week | week << 7 | week << 14 | week << 21 | week << 28) << 1
        for weekday, number in self.nth:
            days |= 1 << (1 + (weekday - first_weekday) % 7 + 7 * (number - 1))
        for weekday in self.last:
            days |= 1 << (length - (first_weekday + length - 1 - weekday) % 7)
        return days & _days_up_to(length)


def _days_up_to(length: int) -> int:
    return (2 << length) - 2


def _nearest_weekday(day: int, length: int, first_weekday: int) -> int:
    """The Monday to Friday nearest to a day, in the same month."""
    weekday = (first_weekday + day - 1) % 7
    if weekday == 6:
        return day - 1 if day > 1 else day + 2
    if weekday == 0:
        return day + 1 if day < length else day - 2
    return day


@lru_cache(maxsize=1024)
def day_rule(
    months: int, month_days: MonthDays, week_days: WeekDays, both: bool, years: tuple[int, ...], always: bool
) -> DayRule:
    """The rule of these fields, with its tables: most schedules share their days with others."""
    return DayRule(months, month_days, week_days, both, years, always)


class DayRule(msgspec.Struct):
    """The days of an expression. `both`: month day and weekday must agree; else either is enough (Vixie's rule)."""

    months: int
    month_days: MonthDays
    week_days: WeekDays
    both: bool
    years: tuple[int, ...] = ()
    always: bool = False
    _shapes: dict[tuple[int, bool], tuple[int, ...]] = msgspec.field(default_factory=dict)
    _years: dict[int, tuple[int, ...]] = msgspec.field(default_factory=dict)

    def possible(self) -> bool:
        """Whether there is such a day at all, in the years named or in any year."""
        if self.years:
            return any(self.in_year(year) for year in self.years)
        return self.always or any(self._shape(weekday, leap) for weekday in range(7) for leap in (True, False))

    def in_year(self, year: int) -> tuple[int, ...]:
        """The days of a year, ascending, counted from 1970-01-01."""
        days = self._years.get(year)
        if days is None:
            first = first_day(year)
            named = not self.years or year in self.years
            leap = year % 4 == 0 and (year % 100 != 0 or year % 400 == 0)
            shape = self._shape(weekday_of(first), leap) if named else ()
            days = tuple(first + day for day in shape)
            if len(self._years) >= 2 * SEARCH_YEARS:
                self._years.clear()
            self._years[year] = days
        return days

    def next(self, day: int) -> int | None:
        """The first such day at or after this one; None where there is none within a century."""
        if self.always:
            return day
        if not _DAY_MIN <= day <= _DAY_MAX:
            return None if day > 0 else self.next(_DAY_MIN)
        year = year_of(day)
        days = self.in_year(year)
        at = bisect_left(days, day)
        if at < len(days):
            return days[at]
        for later in self._later(year):
            if days := self.in_year(later):
                return days[0]
        return None

    def prev(self, day: int) -> int | None:
        """The last such day at or before this one; None where there is none since 1970 within a century."""
        if self.always:
            return day
        if day < _DAY_MIN:
            return None
        year = year_of(min(day, _DAY_MAX))
        days = self.in_year(year)
        at = bisect_left(days, day + 1)
        if at:
            return days[at - 1]
        for earlier in self._earlier(year):
            if days := self.in_year(earlier):
                return days[-1]
        return None

    def count(self, start: int, end: int) -> int:
        """How many such days lie in [start, end)."""
        if self.always or start >= end:
            return max(0, end - start)
        total = 0
        for year in range(year_of(max(start, _DAY_MIN)), year_of(min(max(end - 1, _DAY_MIN), _DAY_MAX)) + 1):
            days = self.in_year(year)
            total += bisect_left(days, end) - bisect_left(days, start)
        return total

    def _later(self, year: int) -> range | list[int]:
        if self.years:
            return [named for named in self.years if named > year]
        return range(year + 1, min(year + SEARCH_YEARS, 9999) + 1)

    def _earlier(self, year: int) -> range | list[int]:
        if self.years:
            return [named for named in reversed(self.years) if named < year]
        return range(year - 1, max(year - SEARCH_YEARS, _YEAR_MIN) - 1, -1)

    def _shape(self, weekday: int, leap: bool) -> tuple[int, ...]:
        key = (weekday, leap)
        days = self._shapes.get(key)
        if days is None:
            days = self._shapes[key] = tuple(self._work_out(weekday, leap))
        return days

    def _work_out(self, weekday: int, leap: bool) -> list[int]:
        found, first = [], 0
        for month, usual in enumerate(_MONTH_DAYS, start=1):
            length = 29 if leap and month == 2 else usual
            if self.months >> month & 1:
                opening = (weekday + first) % 7
                by_date = self.month_days.in_month(length, opening)
                by_weekday = self.week_days.in_month(length, opening)
                days = by_date & by_weekday if self.both else by_date | by_weekday
                found += [first + day - 1 for day in range(1, length + 1) if days >> day & 1]
            first += length
        return found
