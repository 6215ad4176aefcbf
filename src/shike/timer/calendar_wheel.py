"""Wheels as people count time: months, the weeks of this month, the days of this week, then hours, minutes, seconds.

What is due in spring lies in the slot of its month and is not touched before that month begins. In UTC: a slot is
where something is kept until it is near, so time zones make no difference to when it is due.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from shike.timer.base import T
from shike.timer.table import Entry
from shike.timer.wheel import Slot, Wheel, shape_of

_DAY_SECONDS = 86_400
_DAYS_OF_400_YEARS = 146_097
_DAYS_BEFORE_1970 = 719_468  # since 0000-03-01: a year that begins in March ends with its leap day


def month_start(day: int) -> int:
    """The first day of the month that holds `day`; days are counted from 1970-01-01, for any number of years.

    After H. Hinnant, "chrono-compatible low-level date algorithms": exact in whole numbers, with no table and no limit.
    """
    of_era = (day + _DAYS_BEFORE_1970) % _DAYS_OF_400_YEARS
    year = (of_era - of_era // 1_460 + of_era // 36_524 - of_era // 146_096) // 365
    of_year = of_era - (365 * year + year // 4 - year // 100)
    month = (5 * of_year + 2) // 153
    return day - (of_year - (153 * month + 2) // 5)


def week_start(day: int) -> int:
    """The Monday of the week that holds `day`, or the first of the month if that is later: weeks lie within months."""
    return max(month_start(day), day - (day + 3) % 7)  # 1970-01-01 was a Thursday


class CalendarWheel(Wheel[T]):
    """A `TimerQueue` with a wheel for each unit of the calendar; `second` says how many units of time a second has.

    Insert costs a few divisions and a dict. Every item is filed again, at most five times, when the hand reaches its
    slot. `next_due` is early by less than the slot that comes next.
    """

    def __init__(self, second: int = 1_000_000) -> None:
        """Raises `BadInput` unless second ≥ 1."""
        super().__init__(second)
        self._starts: tuple[Callable[[int], int], ...] = (
            lambda second: month_start(second // _DAY_SECONDS) * _DAY_SECONDS,
            lambda second: week_start(second // _DAY_SECONDS) * _DAY_SECONDS,
            lambda second: second - second % _DAY_SECONDS,
            lambda second: second - second % 3_600,
            lambda second: second - second % 60,
            lambda second: second,
        )
        self._wheels: list[dict[int, Slot]] = [{} for _ in self._starts]  # slots by their first second, wide ones first
        self._present = [start(0) for start in self._starts]  # the slot of each wheel in which the hand stands

    def _file(self, mark: int, entry: Entry) -> None:
        for wheel, start, present in zip(self._wheels, self._starts, self._present, strict=True):
            begin = start(mark)
            if begin != present or wheel is self._wheels[-1]:
                slot = wheel.setdefault(begin, {})
                slot[entry.key[1]] = entry
                entry.home = slot
                return

    def _remove(self, entry: Entry) -> None:
        super()._remove(entry)
        if not entry.home:  # the slot is empty now; a heap is never false
            for wheel, start in zip(self._wheels, self._starts, strict=True):
                begin = start(entry.key[0] // self.tick)
                if wheel.get(begin) is entry.home:
                    del wheel[begin]

    def _first(self) -> tuple[int, int] | None:
        """Wheel and first second of the next slot in use: finer wheels turn within the present slot of wider ones."""
        for number in range(len(self._wheels) - 1, -1, -1):
            if self._wheels[number]:
                return number, min(self._wheels[number])
        return None

    def _turn(self, mark: int) -> None:
        while (first := self._first()) is not None and first[1] <= mark:
            self._open(*first)
        self._move_hand(mark + 1)
        while (first := self._first()) is not None and first[0] < len(self._wheels) - 1 and first[1] == self._hand:
            self._open(*first)

    def _open(self, number: int, begin: int) -> None:
        entries = self._wheels[number].pop(begin).values()
        if number == len(self._wheels) - 1:
            self._pass(entries)
        else:
            self._move_hand(begin)
            self._hand_down(entries)

    def _hand_down(self, entries: Iterable[Entry]) -> None:
        for entry in entries:
            self._file(entry.key[0] // self.tick, entry)

    def _move_hand(self, mark: int) -> None:
        self._hand = mark
        self._present = [start(mark) for start in self._starts]

    def _next_mark(self) -> int | None:
        first = self._first()
        return None if first is None else first[1] * self.tick

    def _clear(self) -> None:
        super()._clear()
        for wheel in self._wheels:
            wheel.clear()

    def _shape(self) -> tuple[int, int, int]:
        return shape_of([slot for wheel in self._wheels for slot in wheel.values()], self._passed)
