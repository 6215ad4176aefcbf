"""A wheel with rounds: every timer lies in a slot at once, and counts how often the hand has still to pass it by."""

from __future__ import annotations

from typing import Any

from shike.timer.base import T, Token
from shike.timer.table import Entry, Key
from shike.timer.wheel import TICK_MICROS, WHEEL_SLOTS, Slot, Wheel, shape_of


class Rider(Entry):
    """An entry with the rounds it still has to ride."""

    __slots__ = ("rounds",)

    def __init__(self, when: int, key: Key, item: Any) -> None:
        super().__init__(when, key, item)
        self.rounds = 0


class RoundsWheel(Wheel[T]):
    """A `TimerQueue` that ticks: whoever keeps it must look at each tick, and each look walks a whole slot.

    Insert costs O(1) however far the time. A look costs O(n / slots) per tick passed, with nothing due as well:
    `next_due` is the next tick, however far the first timer.
    """

    def __init__(self, tick: int = TICK_MICROS, slots: int = WHEEL_SLOTS) -> None:
        super().__init__(tick, slots)
        self._slots: list[Slot | None] = [None] * slots

    def _make(self, when: int, token: Token, item: T) -> Rider:
        return Rider(when, (when, token), item)

    def _file(self, mark: int, entry: Entry) -> None:
        assert isinstance(entry, Rider)
        slot = self._slots[mark % self.slots]
        if slot is None:
            slot = self._slots[mark % self.slots] = {}
        slot[entry.key[1]] = entry
        entry.home = slot
        entry.rounds = (mark - self._hand) // self.slots

    def _turn(self, mark: int) -> None:
        steps = mark + 1 - self._hand
        turns, rest = divmod(steps, self.slots)
        for step in range(min(steps, self.slots)):  # of several turns at once, each slot is still walked only once
            self._walk((self._hand + step) % self.slots, turns + (step < rest))
        self._hand = mark + 1

    def _walk(self, place: int, passes: int) -> None:
        slot = self._slots[place]
        if not slot:
            self._slots[place] = None
            return
        due = []
        for entry in slot.values():
            assert isinstance(entry, Rider)
            if entry.rounds < passes:
                due.append(entry)
            else:
                entry.rounds -= passes
        for entry in due:
            del slot[entry.key[1]]
        self._pass(due)

    def _next_mark(self) -> int | None:
        return self._hand * self.tick

    def _clear(self) -> None:
        super()._clear()
        self._slots = [None] * self.slots

    def _shape(self) -> tuple[int, int, int]:
        return shape_of(self._slots, self._passed)
