"""What all wheels share. A wheel is a clock face: the hand moves on, and what lies in the slot it reaches is due.

The idea and its variants: Varghese and Lauck, "Hashed and hierarchical timing wheels", SOSP 1987.
"""

from __future__ import annotations

from collections.abc import Container, Iterable
from heapq import heappop, heappush

from shike.bounds import TIMER_DEAD_MIN
from shike.errors import BadInput
from shike.timer.base import T, Token
from shike.timer.table import Entry, Key, Table

WHEEL_SLOTS = 512
TICK_MICROS = 1_000  # a slot of a wheel is a millisecond, when a tick of its owner is a microsecond

Slot = dict[Token, Entry]
"""What lies between two marks of a wheel: cancelled ones leave at once, the others keep their order of insertion."""


class KeyHeap:
    """Keys, the earliest first. One that is no longer in `alive` is skipped, or shed when the dead are the most."""

    def __init__(self, alive: Container[Token]) -> None:
        self.keys: list[Key] = []
        self.dead = 0
        self._alive = alive
        self._is_heap = True

    def push(self, key: Key) -> None:
        if self._is_heap:
            heappush(self.keys, key)
        else:
            self.keys.append(key)

    def push_many(self, keys: Iterable[Key]) -> None:
        """Put in order only when somebody looks: many slots may be passed before that."""
        self.keys += keys
        self._is_heap = False

    def bury(self) -> None:
        """One of the keys has died."""
        self.dead += 1
        if self.dead > max(TIMER_DEAD_MIN, len(self.keys) - self.dead):
            self.keys = [key for key in self.keys if key[1] in self._alive]
            self._is_heap = False
            self.dead = 0

    def first(self) -> int | None:
        """The time of the first that is alive."""
        if not self._is_heap:
            self.keys.sort()  # what is sorted is a heap, and what lies sorted in memory is served faster
            self._is_heap = True
        while self.keys and self.keys[0][1] not in self._alive:
            heappop(self.keys)
            self.dead -= 1
        return self.keys[0][0] if self.keys else None

    def pop(self) -> Key:
        """The key that `first` spoke of."""
        return heappop(self.keys)

    def clear(self) -> None:
        self.keys, self.dead, self._is_heap = [], 0, True


class Wheel(Table[T]):
    """A wheel with slots of `tick` units of time. Its hand starts at 0 and follows `pop_due`, never back.

    What the hand has passed lies sorted in a heap, and so does what is inserted behind the hand: while the clock is
    set back, a wheel is a heap. So that the hand knows the time, call `pop_due` once before you insert much.
    Cancel costs O(1).
    """

    entry_bytes = 360

    def __init__(self, tick: int = TICK_MICROS, slots: int = WHEEL_SLOTS) -> None:
        """Raises `BadInput` unless tick ≥ 1 and slots ≥ 1."""
        super().__init__()
        if tick < 1 or slots < 1:
            raise BadInput(f"a wheel of {slots} slots of {tick}; both must be at least 1")
        self.tick = tick
        self.slots = slots
        self._hand = 0  # the first mark not yet passed; marks are numbered for ever, slots again and again
        self._passed = KeyHeap(self._entries)

    # What a wheel says.

    def _file(self, mark: int, entry: Entry) -> None:
        """Put it into a slot (or elsewhere, with `home` saying where); `mark` is not before the hand."""
        raise NotImplementedError

    def _turn(self, mark: int) -> None:
        """Move the hand behind `mark`, which is not before it, and put what lay there into `_passed`."""
        raise NotImplementedError

    def _next_mark(self) -> int | None:
        """When to turn: the time of the next mark with something behind it. Asked only when nothing has been passed."""
        raise NotImplementedError

    # What follows from it.

    def _put(self, entry: Entry) -> None:
        mark = entry.key[0] // self.tick
        if mark < self._hand:
            entry.home = self._passed
            self._passed.push(entry.key)
        else:
            self._file(mark, entry)

    def _pass(self, entries: Iterable[Entry]) -> None:
        keys = []
        for entry in entries:
            entry.home = self._passed
            keys.append(entry.key)
        self._passed.push_many(keys)

    def _remove(self, entry: Entry) -> None:
        home: Slot | KeyHeap = entry.home
        if isinstance(home, KeyHeap):
            home.bury()
        else:
            del home[entry.key[1]]

    def _take(self, now: int, most: int) -> list[Key]:
        mark = now // self.tick
        if mark >= self._hand:
            self._turn(mark)
        taken: list[Key] = []
        while len(taken) < most and (first := self._passed.first()) is not None and first <= now:
            taken.append(self._passed.pop())
        return taken

    def next_due(self) -> int | None:
        if not self._entries:
            return None
        first = self._passed.first()
        return self._next_mark() if first is None else first

    def _clear(self) -> None:
        self._passed.clear()


def shape_of(slots: Iterable[Slot | None], *heaps: KeyHeap) -> tuple[int, int, int]:
    """Dead places, slots in use, and places in the fullest part."""
    sizes = [len(slot) for slot in slots if slot]
    held = [len(heap.keys) for heap in heaps]
    return sum(heap.dead for heap in heaps), len(sizes), max([*sizes, *held], default=0)
