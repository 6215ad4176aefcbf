"""A skip list: a sorted linked list with express lanes (Pugh, "Skip lists", CACM 33(6), 1990)."""

from __future__ import annotations

from random import Random

from shike.timer.base import T
from shike.timer.table import Entry, Key, Table

LANES_MAX = 16  # enough for 4**16 timers
_SEED = 1990  # tosses need not be secret, and a run that can be repeated is worth more


class _Node:
    __slots__ = ("key", "lanes")

    def __init__(self, key: Key, lanes: int) -> None:
        self.key = key
        self.lanes: list[_Node | None] = [None] * lanes  # the next node on each lane that this one is on


class SkipList(Table[T]):
    """A `TimerQueue` where one timer of four is also on the lane above. Insert and cancel cost O(log n), as expected
    of fair tosses; pop costs O(1). `next_due` is exact.
    """

    entry_bytes = 400

    def __init__(self) -> None:
        super().__init__()
        self._head = _Node((0, -1), LANES_MAX)
        self._lanes = 1  # in use
        self._toss = Random(_SEED).random

    def _put(self, entry: Entry) -> None:
        lanes = 1
        while lanes < LANES_MAX and self._toss() < 0.25:
            lanes += 1
        self._lanes = max(self._lanes, lanes)
        node = _Node(entry.key, lanes)
        for lane, before in enumerate(self._before(entry.key)[:lanes]):
            node.lanes[lane] = before.lanes[lane]
            before.lanes[lane] = node

    def _before(self, key: Key) -> list[_Node]:
        """The last node before `key` on each lane in use, the lowest lane first."""
        found, node = [self._head] * self._lanes, self._head
        for lane in range(self._lanes - 1, -1, -1):
            while (after := node.lanes[lane]) is not None and after.key < key:
                node = after
            found[lane] = node
        return found

    def _remove(self, entry: Entry) -> None:
        for lane, before in enumerate(self._before(entry.key)):
            node = before.lanes[lane]
            if node is None or node.key != entry.key:
                break
            before.lanes[lane] = node.lanes[lane]

    def _take(self, now: int, most: int) -> list[Key]:
        taken: list[Key] = []
        lanes, node = self._head.lanes, self._head.lanes[0]
        while node is not None and node.key[0] <= now and len(taken) < most:
            taken.append(node.key)
            lanes[: len(node.lanes)] = node.lanes  # the head steps over it on every lane that it is on
            after = node.lanes[0]
            node.lanes = []
            node = after
        return taken

    def _clear(self) -> None:
        node = self._head.lanes[0]
        while node is not None:  # by hand: a chain of a million would be let go of by recursion
            node.lanes, node = [], node.lanes[0]
        self._head = _Node((0, -1), LANES_MAX)
        self._lanes = 1

    def _shape(self) -> tuple[int, int, int]:
        return 0, self._lanes, len(self._entries)

    def next_due(self) -> int | None:
        first = self._head.lanes[0]
        return None if first is None else first.key[0]
