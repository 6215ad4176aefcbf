"""A sorted array: a binary search finds the place, and everything behind it moves up."""

from __future__ import annotations

from bisect import bisect_left, bisect_right, insort

from shike.timer.base import T
from shike.timer.table import Entry, Key, Table

_PAST_ANY_TOKEN = float("inf")
_GAP_MIN = 64


class SortedArray(Table[T]):
    """A `TimerQueue` in one array. Insert and cancel search in O(log n) and move O(n) places, fast ones: 8 bytes each.

    What is due is a slice at the front. Its places are given back once they are half of the array.
    """

    def __init__(self) -> None:
        super().__init__()
        self._keys: list[Key] = []
        self._head = 0  # where the living begin

    def _put(self, entry: Entry) -> None:
        insort(self._keys, entry.key, self._head)

    def _remove(self, entry: Entry) -> None:
        del self._keys[bisect_left(self._keys, entry.key, self._head)]

    def _take(self, now: int, most: int) -> list[Key]:
        head = self._head
        end = bisect_right(self._keys, (now, _PAST_ANY_TOKEN), head, min(len(self._keys), head + most))
        taken = self._keys[head:end]
        self._head = end
        if self._head > _GAP_MIN and 2 * self._head >= len(self._keys):
            del self._keys[: self._head]
            self._head = 0
        return taken

    def _clear(self) -> None:
        self._keys, self._head = [], 0

    def _shape(self) -> tuple[int, int, int]:
        return self._head, 1, len(self._entries)

    def next_due(self) -> int | None:
        return self._keys[self._head][0] if self._entries else None
