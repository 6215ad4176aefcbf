"""A wheel of slots, each a list of what is due at its mark; what is more than one turn away waits outside."""

from __future__ import annotations

from shike.timer.base import T
from shike.timer.table import Entry
from shike.timer.wheel import TICK_MICROS, WHEEL_SLOTS, KeyHeap, Slot, Wheel, shape_of


class SlotWheel(Wheel[T]):
    """A `TimerQueue` as a clock face. Insert costs O(1) within one turn, O(log n) beyond.

    The hand visits every slot that it passes. `next_due` looks along the slots: O(slots); early by less than a tick.
    """

    def __init__(self, tick: int = TICK_MICROS, slots: int = WHEEL_SLOTS) -> None:
        super().__init__(tick, slots)
        self._slots: list[Slot | None] = [None] * slots
        self._far = KeyHeap(self._entries)

    def _file(self, mark: int, entry: Entry) -> None:
        if mark - self._hand >= self.slots:
            entry.home = self._far
            self._far.push(entry.key)
            return
        slot = self._slots[mark % self.slots]
        if slot is None:
            slot = self._slots[mark % self.slots] = {}
        slot[entry.key[1]] = entry
        entry.home = slot

    def _turn(self, mark: int) -> None:
        for passed in range(self._hand, min(mark + 1, self._hand + self.slots)):
            slot = self._slots[passed % self.slots]
            if slot is not None:
                self._slots[passed % self.slots] = None
                self._pass(slot.values())
        self._hand = mark + 1
        end = (self._hand + self.slots) * self.tick
        while (first := self._far.first()) is not None and first < end:
            self._put(self._entries[self._far.pop()[1]])

    def _next_mark(self) -> int | None:
        for mark in range(self._hand, self._hand + self.slots):
            if self._slots[mark % self.slots]:
                return mark * self.tick
        return self._far.first()

    def _clear(self) -> None:
        super()._clear()
        self._far.clear()
        self._slots = [None] * self.slots

    def _shape(self) -> tuple[int, int, int]:
        return shape_of(self._slots, self._passed, self._far)
