"""The sleep loop: look at everything, sleep, look at everything again. The baseline that all others are measured by."""

from __future__ import annotations

from shike.timer.base import T
from shike.timer.table import Entry, Key, Table


class SleepLoop(Table[T]):
    """A `TimerQueue` in no order. Insert and cancel cost O(1); each look, due or not, costs O(n)."""

    def _put(self, entry: Entry) -> None:
        """The table is all there is."""

    def _remove(self, entry: Entry) -> None:
        """Gone from the table is gone."""

    def _take(self, now: int, most: int) -> list[Key]:
        return sorted(entry.key for entry in self._entries.values() if entry.when <= now)[:most]

    def _clear(self) -> None:
        """Nothing else is kept."""

    def _shape(self) -> tuple[int, int, int]:
        return 0, 1, len(self._entries)

    def next_due(self) -> int | None:
        return min((entry.when for entry in self._entries.values()), default=None)
