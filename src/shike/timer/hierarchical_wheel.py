"""Wheels of wheels, as a clock has hands: a slot of one is a whole turn of the next finer one.

Tickless: each wheel keeps a bit for every slot in use, so the next one is found by a look at a few numbers.
"""

from __future__ import annotations

from collections.abc import Iterable

from shike.errors import BadInput
from shike.timer.base import T
from shike.timer.table import Entry
from shike.timer.wheel import TICK_MICROS, KeyHeap, Slot, Wheel, shape_of

SLOT_BITS = 6  # 64 slots a wheel
WHEELS = 7  # 2**42 ticks: 139 years of milliseconds


class HierarchicalWheel(Wheel[T]):
    """A `TimerQueue` of `wheels` wheels with 64 slots each. What lies beyond the widest waits in a heap.

    Insert costs O(1), O(log n) beyond. Every item is filed again, one wheel finer, when the hand reaches its slot: at
    most `wheels - 1` times, all of a slot in one call. `next_due` costs O(wheels), early by less than the slot
    that comes next.
    """

    def __init__(self, tick: int = TICK_MICROS, wheels: int = WHEELS) -> None:
        super().__init__(tick, 1 << SLOT_BITS)
        if wheels < 1:
            raise BadInput(f"{wheels} wheels; at least 1")
        self._bits = [0] * wheels
        self._slots: dict[tuple[int, int], Slot] = {}  # by wheel and mark of that wheel
        self._far = KeyHeap(self._entries)

    def _file(self, mark: int, entry: Entry) -> None:
        # Which wheel? The one of the highest digit (to the base 64) in which the mark and the hand differ.
        wheel = max((mark ^ self._hand).bit_length() - 1, 0) // SLOT_BITS
        if wheel >= len(self._bits):
            entry.home = self._far
            self._far.push(entry.key)
            return
        name = wheel, mark >> wheel * SLOT_BITS
        slot = self._slots.get(name)
        if slot is None:
            slot = self._slots[name] = {}
            self._bits[wheel] |= 1 << (name[1] & (self.slots - 1))
        slot[entry.key[1]] = entry
        entry.home = slot

    def _remove(self, entry: Entry) -> None:
        super()._remove(entry)
        if not entry.home:  # the slot is empty now; a heap is never false
            mark = entry.key[0] // self.tick
            wheel = max((mark ^ self._hand).bit_length() - 1, 0) // SLOT_BITS
            self._close(wheel, mark >> wheel * SLOT_BITS)

    def _close(self, wheel: int, number: int) -> Slot:
        self._bits[wheel] &= ~(1 << (number & (self.slots - 1)))
        return self._slots.pop((wheel, number))

    def _first(self) -> tuple[int, int] | None:
        """Wheel and number of the next slot in use: finer wheels turn within the present slot of wider ones."""
        for wheel, bits in enumerate(self._bits):
            if bits:
                turn = self._hand >> (wheel + 1) * SLOT_BITS
                return wheel, (turn << SLOT_BITS) | (bits & -bits).bit_length() - 1
        return None

    def _turn(self, mark: int) -> None:
        while (first := self._first()) is not None and first[1] << first[0] * SLOT_BITS <= mark:
            wheel, number = first
            entries = self._close(wheel, number).values()
            if wheel:
                self._hand = number << wheel * SLOT_BITS
                self._hand_down(entries)
            else:
                self._pass(entries)
        self._move_hand(mark + 1)

    def _move_hand(self, mark: int) -> None:
        """To a mark that nothing in use lies before; what begins there is handed down, what came near is taken in."""
        before, self._hand = self._hand, mark
        while (first := self._first()) is not None and first[0] and first[1] << first[0] * SLOT_BITS == mark:
            self._hand_down(self._close(*first).values())
        if (mark ^ before) >> len(self._bits) * SLOT_BITS:
            end = ((mark >> len(self._bits) * SLOT_BITS) + 1) << len(self._bits) * SLOT_BITS
            while (due := self._far.first()) is not None and due < end * self.tick:
                self._put(self._entries[self._far.pop()[1]])

    def _hand_down(self, entries: Iterable[Entry]) -> None:
        for entry in entries:
            self._put(entry)

    def _next_mark(self) -> int | None:
        first = self._first()
        return self._far.first() if first is None else (first[1] << first[0] * SLOT_BITS) * self.tick

    def _clear(self) -> None:
        super()._clear()
        self._far.clear()
        self._bits = [0] * len(self._bits)
        self._slots = {}

    def _shape(self) -> tuple[int, int, int]:
        return shape_of(self._slots.values(), self._passed, self._far)
