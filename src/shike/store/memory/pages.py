"""A page of a lane: the entries of about one second, in leaves of a few hundred.

A page is sorted once, when it is first read, and cut into leaves; from then on an entry is found by two bisections and
moves no more than its leaf. So a run leaves a million others of its own instant in microseconds, wherever it stands.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right, insort
from collections.abc import Iterator
from typing import Final, TypeAlias

from shike.model import Live

AFTER_ALL: Final = 1 << 63  # above every run id
LEAF: Final = 512  # entries of a leaf when it is cut; one of twice as many is cut again

Entry: TypeAlias = tuple[int, int, Live]  # (run_at, run id, the run): no two share the first two
NO_KEYS: Final[frozenset[str]] = frozenset()


class Page:
    """Entries in order. Those of the first leaf before `_head` have been taken."""

    __slots__ = ("_count", "_fresh", "_head", "_leaves")

    def __init__(self, entry: Entry) -> None:
        self._fresh: list[Entry] | None = [entry]  # as they came, until somebody reads them
        self._leaves: list[list[Entry]] = []  # none is empty
        self._head = 0
        self._count = 1

    def __len__(self) -> int:
        return self._count

    def open(self) -> Page:
        """Sorted from here on."""
        if (fresh := self._fresh) is not None:
            fresh.sort()
            self._leaves = [fresh] if self._count <= LEAF else _cut(fresh)
            self._fresh = None
        return self

    def add(self, entry: Entry) -> None:
        self._count += 1
        if self._fresh is not None:
            self._fresh.append(entry)
        elif not self._leaves:
            self._leaves.append([entry])
        else:
            leaves = self._leaves
            place = len(leaves) - 1 if entry > leaves[-1][-1] else bisect_left(leaves, entry, key=_last)
            leaf = leaves[place]
            insort(leaf, entry, lo=0 if place else self._head)
            if len(leaf) >= 2 * LEAF:
                self._split(place)

    def _split(self, place: int) -> None:
        leaf = self._leaves[place]
        if not place:
            del leaf[: self._head]
            self._head = 0
        self._leaves[place : place + 1] = _cut(leaf)

    def remove(self, run_at: int, run_id: int) -> None:
        self.open()
        leaves, wanted = self._leaves, (run_at, run_id)
        place = bisect_left(leaves, wanted, key=_last_key)
        leaf = leaves[place]
        at = bisect_left(leaf, wanted, lo=0 if place else self._head)
        assert leaf[at][1] == run_id, "a run in a lane has its place there"
        del leaf[at]
        self._count -= 1
        self._let_go(place)

    def _let_go(self, place: int) -> bool:
        """Of a leaf in which nothing is left; whether it was one."""
        if len(self._leaves[place]) > (0 if place else self._head):
            return False
        del self._leaves[place]
        if not place:
            self._head = 0
        return True

    def first(self) -> Live:
        return self._leaves[0][self._head][2]

    def firsts(self, count: int) -> Iterator[Live]:
        """At most so many, in order."""
        for place, leaf in enumerate(self._leaves):
            start = 0 if place else self._head
            for _, _, live in leaf[start : start + count]:
                yield live
            count -= len(leaf) - start
            if count <= 0:
                return

    def take(self, now: int, room: int, tasks: frozenset[str], keys: frozenset[str] = NO_KEYS) -> list[Entry]:
        """Remove and return the first `room` entries of these tasks that are eligible, none of them of these keys."""
        taken: list[Entry] = []
        leaves, place = self._leaves, 0
        while len(taken) < room and place < len(leaves):
            leaf, head = leaves[place], 0 if place else self._head
            due = len(leaf) if leaf[-1][0] <= now else bisect_right(leaf, (now, AFTER_ALL), lo=head)
            taken += self._take(place, head, due, room - len(taken), tasks, keys)
            is_last = due < len(leaf)
            if not self._let_go(place):
                if is_last:
                    break
                place += 1
        self._count -= len(taken)
        return taken

    def _take(
        self, place: int, head: int, due: int, room: int, tasks: frozenset[str], keys: frozenset[str]
    ) -> list[Entry]:
        """From one leaf, of which `due` entries are eligible."""
        leaf = self._leaves[place]
        first = leaf[head : min(head + room, due)]
        fit = [entry for entry in first if entry[2].run.task in tasks and (not keys or entry[2].run.key not in keys)]
        if len(fit) < len(first):
            return _pick(leaf, head, due, room, tasks, keys)
        if place:
            del leaf[: len(fit)]
        else:
            self._head += len(fit)
        return fit

    def between(self, after: int, until: int) -> Iterator[Entry]:
        """Those with after < run_at ≤ until, in order. The page must not change meanwhile."""
        leaves = self._leaves
        for place in range(bisect_right(leaves, after, key=_last_at), len(leaves)):
            leaf, start = leaves[place], 0 if place else self._head
            if leaf[start][0] <= after:
                start = bisect_right(leaf, (after, AFTER_ALL), lo=start)
            if leaf[-1][0] > until:
                yield from leaf[start : bisect_right(leaf, (until, AFTER_ALL), lo=start)]
                return
            yield from leaf[start:] if start else leaf

    def instants(self, after: int, until: int) -> Iterator[int]:
        """The distinct run_at of `between`, in order; many runs of one instant cost no more than one."""
        leaves = self._leaves
        while (place := bisect_right(leaves, after, key=_last_at)) < len(leaves):
            at = bisect_right(leaves[place], (after, AFTER_ALL), lo=0 if place else self._head)
            after = leaves[place][at][0]
            if after > until:
                return
            yield after


def _pick(
    leaf: list[Entry], head: int, due: int, room: int, tasks: frozenset[str], keys: frozenset[str]
) -> list[Entry]:
    """As `Page._take`, where others' runs stand in between and stay."""
    fit: list[Entry] = []
    stay: list[Entry] = []
    end = head
    while end < due and len(fit) < room:
        entry = leaf[end]
        run = entry[2].run
        (fit if run.task in tasks and run.key not in keys else stay).append(entry)
        end += 1
    leaf[head:end] = stay
    return fit


def _cut(entries: list[Entry]) -> list[list[Entry]]:
    return [entries[start : start + LEAF] for start in range(0, len(entries), LEAF)]


def _last(leaf: list[Entry]) -> Entry:
    return leaf[-1]


def _last_key(leaf: list[Entry]) -> tuple[int, int]:
    return leaf[-1][:2]


def _last_at(leaf: list[Entry]) -> int:
    return leaf[-1][0]
