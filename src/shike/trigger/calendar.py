"""Calendars keep or exclude dates, weekdays and hours of the day, on the wall clock of a zone."""

from __future__ import annotations

import re
from bisect import bisect_right
from datetime import date
from functools import cached_property, lru_cache
from itertools import pairwise

import msgspec

from shike.bounds import CALENDAR_RULES_MAX, SEARCH_YEARS
from shike.clock import MICROS
from shike.errors import CronError, TriggerError
from shike.trigger.cron_field import WEEKDAY, Reader, mask_of
from shike.trigger.days import weekday_of
from shike.trigger.zone import Zone, zone

_DAY = 86_400
_EPOCH_ORDINAL = date(1970, 1, 1).toordinal()
_EVERY_DAY = 0b1111111
_DATES = re.compile(r"(\d{4}-\d\d-\d\d)(?:/(\d{4}-\d\d-\d\d))?", re.ASCII)
_YEARLY = re.compile(r"(\d\d)-(\d\d)", re.ASCII)
_HOURS = re.compile(r"(\d\d):(\d\d)-(\d\d):(\d\d)", re.ASCII)
_WEEKDAYS = re.compile(r"[A-Za-z]{3}(?:[-,][A-Za-z]{3})*", re.ASCII)


class Calendar(msgspec.Struct, frozen=True, dict=True, omit_defaults=True):
    """Which instants are open. Each rule is a text; its form says what it is:

    `mon-fri` or `sat,sun` · `09:00-17:30` (the end not included; `22:00-06:00` crosses midnight) · `2026-12-25` ·
    `2026-12-24/2027-01-06` (both included) · `12-25` (each year).

    An instant is open when it fits `keep` and no rule of `exclude`. It fits `keep` when, of each kind of rule that is
    there (weekdays, hours, dates), it fits at least one.
    """

    tz: str = "UTC"
    keep: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        self._week  # noqa: B018 - read now, so that a bad rule is refused where it was written

    def is_open(self, at: int) -> bool:
        """Whether the instant (UTC microseconds) is open."""
        second = at // MICROS
        return self._week.is_open(second + self._zone.offset(second))

    def next_open(self, at: int) -> int | None:
        """The first open instant at or after this one; None where there is none within a century."""
        second = first = at // MICROS
        while second <= first + SEARCH_YEARS * 366 * _DAY:
            _, end, offset, _, _ = self._zone.span(second)
            local = self._week.next(second + offset)
            if local is not None and local < end + offset:
                return max(at, (local - offset) * MICROS)
            if end - second < _DAY:  # the next span may show again what this one has shown
                second = end
            elif local is None:
                return None
            else:
                second = max(end, local - _DAY)
        return None

    def prev_open(self, at: int) -> int | None:
        """The last open instant at or before this one, not before 1970."""
        second = at // MICROS
        while second >= 0:
            start, _, offset, _, _ = self._zone.span(second)
            local = self._week.prev(second + offset)
            if local is not None and local >= start + offset:
                return min(at, (local - offset + 1) * MICROS - 1) if local >= offset else None
            if second - start < _DAY:
                second = start - 1
            elif local is None:
                return None
            else:
                second = min(start - 1, local + _DAY)
        return None

    @cached_property
    def _week(self) -> Rules:
        return _compile(self.keep, self.exclude)

    @cached_property
    def _zone(self) -> Zone:
        return zone(self.tz)


def calendar(
    *, keep: str | list[str] | tuple[str, ...] = (), exclude: str | list[str] | tuple[str, ...] = (), tz: str = "UTC"
) -> Calendar:
    """A calendar from rules: `calendar(keep=["mon-fri", "09:00-17:30"], exclude=["12-25"], tz="Europe/Berlin")`.

    Raises TriggerError for a rule that cannot be read or a calendar that is never open, ZoneError for the zone.
    """
    zone(tz)
    return Calendar(tz, _listed(keep), _listed(exclude))


def _listed(rules: str | list[str] | tuple[str, ...]) -> tuple[str, ...]:
    return (rules,) if isinstance(rules, str) else tuple(rules)


class _Kinds(msgspec.Struct):
    """The rules of one side, by kind. Days count from 1970-01-01, hours are [start, end) in seconds."""

    weekdays: int
    hours: list[tuple[int, int]]
    days: set[int]
    yearly: set[tuple[int, int]]


class Rules(msgspec.Struct, frozen=True):
    """A calendar without its zone: which local seconds are open. `hours` are the open parts of an open day."""

    keep: _Kinds
    exclude: _Kinds
    hours: tuple[tuple[int, int], ...]

    def is_open(self, local: int) -> bool:
        day, second = divmod(local, _DAY)
        return self._day_is_open(day) and any(start <= second < end for start, end in self.hours)

    def next(self, local: int) -> int | None:
        """The first open local second at or after this one."""
        day, second = divmod(local, _DAY)
        if self._day_is_open(day):
            at = bisect_right(self.hours, second, key=lambda hours: hours[1])
            if at < len(self.hours):
                return day * _DAY + max(second, self.hours[at][0])
        last = day + SEARCH_YEARS * 366
        if self.keep.days and not self.keep.yearly:
            last = min(last, max(self.keep.days))
        for later in range(day + 1, last + 1):
            if self._day_is_open(later):
                return later * _DAY + self.hours[0][0]
        return None

    def prev(self, local: int) -> int | None:
        """The last open local second at or before this one."""
        day, second = divmod(local, _DAY)
        if self._day_is_open(day):
            earlier = [min(end - 1, second) for start, end in self.hours if start <= second]
            if earlier:
                return day * _DAY + earlier[-1]
        for before in range(day - 1, max(day - SEARCH_YEARS * 366, -2) - 1, -1):
            if self._day_is_open(before):
                return before * _DAY + self.hours[-1][1] - 1
        return None

    def _day_is_open(self, day: int) -> bool:
        weekday = 1 << weekday_of(day)
        keep, exclude = self.keep, self.exclude
        if not keep.weekdays & weekday or exclude.weekdays & weekday or day in exclude.days:
            return False
        if exclude.yearly and _month_day(day) in exclude.yearly:
            return False
        if keep.days or keep.yearly:
            return day in keep.days or _month_day(day) in keep.yearly
        return True


def _month_day(day: int) -> tuple[int, int]:
    found = date.fromordinal(min(day, 2_932_896) + _EPOCH_ORDINAL)
    return found.month, found.day


@lru_cache(maxsize=512)
def _compile(keep: tuple[str, ...], exclude: tuple[str, ...]) -> Rules:
    kept, excluded = _read(keep), _read(exclude)
    kept.weekdays = kept.weekdays or _EVERY_DAY
    rules = Rules(kept, excluded, _open_hours(kept.hours or [(0, _DAY)], excluded.hours))
    if not rules.hours:
        raise TriggerError("the calendar keeps no hour of the day: its exclusions cover all that it keeps")
    if rules.next(0) is None:
        raise TriggerError("the calendar is never open: its exclusions cover every day that it keeps")
    return rules


def _open_hours(keep: list[tuple[int, int]], exclude: list[tuple[int, int]]) -> tuple[tuple[int, int], ...]:
    """The parts of a day that some kept stretch covers and no excluded one, merged."""
    edges = sorted({edge for stretch in keep + exclude for edge in stretch})
    found: list[tuple[int, int]] = []
    for start, end in pairwise(edges):
        kept = any(low <= start < high for low, high in keep)
        if not kept or any(low <= start < high for low, high in exclude):
            continue
        if found and found[-1][1] == start:
            found[-1] = (found[-1][0], end)
        else:
            found.append((start, end))
    return tuple(found)


def _read(rules: tuple[str, ...]) -> _Kinds:
    kinds = _Kinds(0, [], set(), set())
    for rule in rules:
        try:
            known = isinstance(rule, str) and _read_rule(rule.strip(), kinds)
        except (ValueError, CronError) as error:
            raise TriggerError(f"calendar rule {rule!r}: {error}") from error
        if not known:
            raise TriggerError(
                f"cannot read the calendar rule {rule!r}; write weekdays (mon-fri), hours (09:00-17:30), "
                "a date (2026-12-25), dates (2026-12-24/2027-01-06) or a day of each year (12-25)"
            )
        if len(kinds.days) > CALENDAR_RULES_MAX or len(kinds.hours) > CALENDAR_RULES_MAX:
            raise TriggerError(f"a calendar names at most {CALENDAR_RULES_MAX} days or hours")
    return kinds


def _read_rule(rule: str, kinds: _Kinds) -> bool:
    if match := _HOURS.fullmatch(rule):
        start, end = _clock(match[1], match[2]), _clock(match[3], match[4])
        # Across midnight: the evening part and the morning part.
        kinds.hours += [(start, end)] if start < end else [(start, _DAY), (0, end)]
    elif match := _DATES.fullmatch(rule):
        first = date.fromisoformat(match[1]).toordinal() - _EPOCH_ORDINAL
        last = date.fromisoformat(match[2] or match[1]).toordinal() - _EPOCH_ORDINAL
        if not 0 <= last - first < CALENDAR_RULES_MAX:
            raise ValueError(f"the dates run from the earlier to the later, at most {CALENDAR_RULES_MAX} days")
        kinds.days.update(range(first, last + 1))
    elif match := _YEARLY.fullmatch(rule):
        leap_day = date(2000, int(match[1]), int(match[2]))
        kinds.yearly.add((leap_day.month, leap_day.day))
    elif _WEEKDAYS.fullmatch(rule):
        kinds.weekdays |= mask_of(day % 7 for day in Reader(rule, "").values(WEEKDAY, rule.upper()))
    else:
        return False
    return True


def _clock(hours: str, minutes: str) -> int:
    second = int(hours) * 3600 + int(minutes) * 60
    if int(minutes) > 59 or second > _DAY:
        raise ValueError(f"{hours}:{minutes} is not a time of day (00:00 to 24:00)")
    return second
