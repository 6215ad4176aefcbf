"""The wall-clock times an expression names, as if the clock were never set: plain arithmetic on local seconds.

A local second counts from 1970-01-01 00:00 of the wall clock. Each step is a look-up: the matching seconds of
an hour are one sorted tuple, the next matching hour is one table, the next matching day is one search in a year.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from itertools import accumulate

from shike.trigger.cron_parse import Parsed, bits
from shike.trigger.days import DayRule

_DAY = 86_400
_HOUR = 3600


class Lattice:
    """The matching local seconds of one expression, in both directions, without end."""

    __slots__ = ("_first", "_hour_after", "_hour_before", "_hours", "_in_hour", "_last", "_per_day", "_rule")

    def __init__(self, parsed: Parsed) -> None:
        minutes, seconds = tuple(bits(parsed.minutes)), tuple(bits(parsed.seconds))
        hours = tuple(bits(parsed.hours))
        self._rule: DayRule = parsed.rule
        self._hours = parsed.hours
        self._in_hour = tuple(minute * 60 + second for minute in minutes for second in seconds)
        # The first matching hour after h, and the last before it, in seconds of the day; -1 where there is none.
        nearest = [h * _HOUR if parsed.hours >> h & 1 else -1 for h in range(24)]
        self._hour_before = tuple(accumulate(nearest[:-1], max, initial=-1))
        later = accumulate(reversed(nearest[1:]), lambda after, at: at if at >= 0 else after, initial=-1)
        self._hour_after = tuple(later)[::-1]
        self._first = hours[0] * _HOUR + self._in_hour[0]
        self._last = hours[-1] * _HOUR + self._in_hour[-1]
        self._per_day = len(hours) * len(self._in_hour)

    def next(self, local: int) -> int | None:
        """The first matching second at or after this one."""
        day, second = divmod(local, _DAY)
        matching = self._rule.next(day)
        if matching is None:
            return None
        if matching == day:
            hour, rest = divmod(second, _HOUR)
            if self._hours >> hour & 1:
                at = bisect_left(self._in_hour, rest)
                if at < len(self._in_hour):
                    return local - rest + self._in_hour[at]
            later = self._hour_after[hour]
            if later >= 0:
                return day * _DAY + later + self._in_hour[0]
            matching = self._rule.next(day + 1)
            if matching is None:
                return None
        return matching * _DAY + self._first

    def prev(self, local: int) -> int | None:
        """The last matching second at or before this one."""
        day, second = divmod(local, _DAY)
        matching = self._rule.prev(day)
        if matching is None:
            return None
        if matching == day:
            hour, rest = divmod(second, _HOUR)
            if self._hours >> hour & 1:
                at = bisect_right(self._in_hour, rest)
                if at:
                    return local - rest + self._in_hour[at - 1]
            earlier = self._hour_before[hour]
            if earlier >= 0:
                return day * _DAY + earlier + self._in_hour[-1]
            matching = self._rule.prev(day - 1)
            if matching is None:
                return None
        return matching * _DAY + self._last

    def has(self, start: int, end: int) -> bool:
        """Whether any matching second lies in [start, end)."""
        found = self.next(start)
        return found is not None and found < end

    def count(self, start: int, end: int) -> int:
        """How many matching seconds lie in [start, end)."""
        if start >= end:
            return 0
        first, begin = divmod(start, _DAY)
        last, stop = divmod(end, _DAY)
        days = self._rule.count(first, last)
        total = days * self._per_day
        if self._rule.next(first) == first:
            total -= self._within_day(begin)
        if stop and self._rule.next(last) == last:
            total += self._within_day(stop)
        return total

    def _within_day(self, second: int) -> int:
        """How many matching seconds of a matching day come before this one."""
        hour, rest = divmod(second, _HOUR)
        whole = (self._hours & ((1 << hour) - 1)).bit_count()
        begun = bisect_left(self._in_hour, rest) if self._hours >> hour & 1 else 0
        return whole * len(self._in_hour) + begun
