"""A wheel with rounds that need not tick: it knows, round by round, which slots hold something."""

from __future__ import annotations

from heapq import heappop, heappush

from shike.timer.base import T
from shike.timer.table import Entry
from shike.timer.wheel import TICK_MICROS, WHEEL_SLOTS, Slot, Wheel, shape_of


class _Round:
    """One turn of the hand: the slots that are used in it, and a bit for each of them."""

    __slots__ = ("bits", "slots")

    def __init__(self) -> None:
        self.bits = 0
        self.slots: dict[int, Slot] = {}


class TicklessWheel(Wheel[T]):
    """A `TimerQueue` whose hand jumps to the next slot in use. Insert costs O(1), O(log rounds) for a new round.

    `next_due` finds the lowest bit of the earliest round: O(1) where nothing was cancelled; early by less than a tick.
    """

    def __init__(self, tick: int = TICK_MICROS, slots: int = WHEEL_SLOTS) -> None:
        super().__init__(tick, slots)
        self._rounds: dict[int, _Round] = {}
        self._order: list[int] = []  # a heap of the rounds' numbers

    def _file(self, mark: int, entry: Entry) -> None:
        number, place = divmod(mark, self.slots)
        around = self._rounds.get(number)
        if around is None:
            around = self._rounds[number] = _Round()
            heappush(self._order, number)
        slot = around.slots.get(place)
        if slot is None:
            slot = around.slots[place] = {}
            around.bits |= 1 << place
        slot[entry.key[1]] = entry
        entry.home = slot

    def _remove(self, entry: Entry) -> None:
        super()._remove(entry)
        if not entry.home:  # the slot is empty now; a heap is never false
            number, place = divmod(entry.key[0] // self.tick, self.slots)
            self._close(number, place)

    def _close(self, number: int, place: int) -> Slot:
        around = self._rounds[number]
        around.bits &= ~(1 << place)
        slot = around.slots.pop(place)
        if not around.bits:
            del self._rounds[number]
            if len(self._order) > 2 * len(self._rounds) + self.slots:
                self._order = sorted(self._rounds)
        return slot

    def _first(self) -> tuple[int, int] | None:
        """Number and place of the first slot in use."""
        while self._order and self._order[0] not in self._rounds:
            heappop(self._order)
        if not self._order:
            return None
        bits = self._rounds[self._order[0]].bits
        return self._order[0], (bits & -bits).bit_length() - 1

    def _turn(self, mark: int) -> None:
        while (first := self._first()) is not None and first[0] * self.slots + first[1] <= mark:
            self._pass(self._close(*first).values())
        self._hand = mark + 1

    def _next_mark(self) -> int | None:
        first = self._first()
        return None if first is None else (first[0] * self.slots + first[1]) * self.tick

    def _clear(self) -> None:
        super()._clear()
        self._rounds, self._order = {}, []

    def _shape(self) -> tuple[int, int, int]:
        slots = [slot for around in self._rounds.values() for slot in around.slots.values()]
        return shape_of(slots, self._passed)
