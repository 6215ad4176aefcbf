"""A sorted, doubly linked list: what small kernels keep."""

from __future__ import annotations

from shike.timer.base import T, Token
from shike.timer.table import Entry, Key, Table


class Link(Entry):
    """An entry that knows its neighbours, while it has any: no chain of the dead keeps another one alive."""

    __slots__ = ("after", "before")

    after: Link
    before: Link


class LinkedList(Table[T]):
    """A `TimerQueue` whose insert walks from the end: O(n), but O(1) for what is later than all others.

    Cancel and pop cost O(1); `next_due` is exact.
    """

    entry_bytes = 270

    def __init__(self) -> None:
        super().__init__()
        self._ends = Link(0, (0, -1), None)  # before the first and after the last: the list is a ring
        self._ends.before = self._ends.after = self._ends

    def _make(self, when: int, token: Token, item: T) -> Link:
        return Link(when, (when, token), item)

    def _put(self, entry: Entry) -> None:
        assert isinstance(entry, Link)
        ends, before = self._ends, self._ends.before
        while before is not ends and before.key > entry.key:
            before = before.before
        entry.before, entry.after = before, before.after
        before.after.before = entry
        before.after = entry

    def _remove(self, entry: Entry) -> None:
        assert isinstance(entry, Link)
        entry.before.after, entry.after.before = entry.after, entry.before
        del entry.before, entry.after

    def _take(self, now: int, most: int) -> list[Key]:
        taken: list[Key] = []
        ends, link = self._ends, self._ends.after
        while link is not ends and link.when <= now and len(taken) < most:
            taken.append(link.key)
            after = link.after
            del link.before, link.after
            link = after
        ends.after, link.before = link, ends
        return taken

    def _clear(self) -> None:
        link = self._ends.after
        while link is not self._ends:  # undo the ring by hand: a long chain is not left to the garbage collector
            after = link.after
            del link.before, link.after
            link = after
        self._ends.before = self._ends.after = self._ends

    def _shape(self) -> tuple[int, int, int]:
        return 0, 1, len(self._entries)

    def next_due(self) -> int | None:
        return self._ends.after.when if self._entries else None
