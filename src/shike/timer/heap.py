"""A binary heap that takes cancelled timers out at once (Williams, "Heapsort", CACM 7(6), 1964)."""

from __future__ import annotations

from shike.timer.base import T
from shike.timer.table import Entry, Key, Table


class BinaryHeap(Table[T]):
    """A `TimerQueue` where each entry knows its place, so that nothing dead is ever kept.

    Insert, cancel and pop cost O(log n); `next_due` is exact. `LazyHeap` is faster, and stops now and then.
    """

    entry_bytes = 260

    def __init__(self) -> None:
        super().__init__()
        self._heap: list[Entry] = []

    def _put(self, entry: Entry) -> None:
        self._heap.append(entry)
        self._rise(len(self._heap) - 1, entry)

    def _remove(self, entry: Entry) -> None:
        place: int = entry.home
        last = self._heap.pop()
        if last is not entry:
            self._rise(self._sink(place, last), last)

    def _take(self, now: int, most: int) -> list[Key]:
        taken: list[Key] = []
        heap = self._heap
        while heap and heap[0].when <= now and len(taken) < most:
            taken.append(heap[0].key)
            last = heap.pop()
            if heap:
                self._sink(0, last)
        return taken

    def _rise(self, place: int, entry: Entry) -> None:
        """Put `entry` at `place`, or above it in place of those that are later."""
        heap, key = self._heap, entry.key
        while place > 0:
            parent = heap[(place - 1) >> 1]
            if parent.key <= key:
                break
            heap[place] = parent
            parent.home = place
            place = (place - 1) >> 1
        heap[place] = entry
        entry.home = place

    def _sink(self, place: int, entry: Entry) -> int:
        """Put `entry` at `place`, or below it in place of those that are earlier; where it came to lie."""
        heap, key, size = self._heap, entry.key, len(self._heap)
        while (child := 2 * place + 1) < size:
            if child + 1 < size and heap[child + 1].key < heap[child].key:
                child += 1
            if heap[child].key >= key:
                break
            heap[place] = heap[child]
            heap[place].home = place
            place = child
        heap[place] = entry
        entry.home = place
        return place

    def _clear(self) -> None:
        self._heap = []

    def _shape(self) -> tuple[int, int, int]:
        return 0, 1, len(self._heap)

    def next_due(self) -> int | None:
        return self._heap[0].when if self._heap else None
