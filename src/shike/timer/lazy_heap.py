"""A heap with lazy deletion, as `heapq` invites to write it; other structures are tested against it.

It is the fastest below about two thousand timers. Its weakness is the pause when it sheds its dead.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from heapq import heapify, heappop, heappush
from itertools import count
from operator import index
from sys import maxsize
from typing import Generic

from shike.bounds import TIMER_DEAD_MIN
from shike.counted import counted
from shike.errors import BadInput
from shike.timer.base import T, TimerStats, Token

_ENTRY_BYTES = 8 + 56 + 32 + 32 + 100  # place in the heap, tuple, two ints, share of the dict


class LazyHeap(Generic[T]):
    """A `TimerQueue` whose `next_due` is exact. Insert and pop cost O(log n), cancel O(1) amortised.

    Dead entries never outnumber max(`TIMER_DEAD_MIN`, the live ones); shedding them is one pause of O(n).
    """

    def __init__(self) -> None:
        self._heap: list[tuple[int, Token]] = []
        self._items: dict[Token, T] = {}
        self._tokens = count()

    def insert(self, when: int, item: T) -> Token:
        when = index(when)
        token = next(self._tokens)
        self._items[token] = item
        heappush(self._heap, (when, token))
        return token

    def insert_many(self, whens: Sequence[int], items: Sequence[T], *, ascending: bool = False) -> list[Token]:
        if len(whens) != len(items):
            raise BadInput(f"{counted(len(whens), 'time')} for {counted(len(items), 'item')}; give one time for each")
        whens = list(map(index, whens))  # all are whole numbers, or nothing is inserted
        if len(whens) * 4 < len(self._heap):
            return [self.insert(when, item) for when, item in zip(whens, items, strict=True)]
        tokens = [next(self._tokens) for _ in whens]
        self._items.update(zip(tokens, items, strict=True))
        self._heap += zip(whens, tokens, strict=True)
        heapify(self._heap)
        return tokens

    def cancel(self, token: Token) -> bool:
        if token not in self._items:
            return False
        item = self._items.pop(token)
        self._shed()
        del item  # last: its finaliser may come back to a queue that is whole
        return True

    def cancel_many(self, tokens: Iterable[Token]) -> int:
        return sum(map(self.cancel, tokens))

    def move(self, token: Token, when: int) -> Token | None:
        if token not in self._items:
            return None
        when = index(when)  # or it would be gone
        item = self._items.pop(token)
        self._shed()
        return self.insert(when, item)

    def pop_due(self, now: int, limit: int | None = None) -> list[T]:
        due: list[T] = []
        most = maxsize if limit is None else limit
        while len(due) < most and self._heap and self._heap[0][0] <= now:
            token = heappop(self._heap)[1]
            if token in self._items:
                due.append(self._items.pop(token))
        return due

    def next_due(self) -> int | None:
        while self._heap and self._heap[0][1] not in self._items:
            heappop(self._heap)
        return self._heap[0][0] if self._heap else None

    def maintain(self, budget: int) -> bool:
        return False

    def drain(self) -> list[tuple[int, T]]:
        items, self._items = self._items, {}
        heap, self._heap = self._heap, []
        return [(when, items[token]) for when, token in sorted(heap) if token in items]

    def __len__(self) -> int:
        return len(self._items)

    def stats(self) -> TimerStats:
        live, places = len(self._items), len(self._heap)
        return TimerStats(live, places - live, 1, places, places * _ENTRY_BYTES)

    def _shed(self) -> None:
        live = len(self._items)
        if len(self._heap) - live > max(TIMER_DEAD_MIN, live):
            self._heap = [entry for entry in self._heap if entry[1] in self._items]
            heapify(self._heap)
