"""What the structures with an object per timer share: a table from tokens to entries. The order is each one's own."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import count
from operator import index
from sys import maxsize
from typing import Any, ClassVar, Generic

from shike.counted import counted
from shike.errors import BadInput
from shike.timer.base import T, TimerStats, Token

Key = tuple[int, Token]
"""What orders timers: the time, then the token. Tokens only grow, so equal times are served first in, first out."""


class Entry:
    """One insertion. `home` is where its structure keeps it, in that structure's own terms."""

    __slots__ = ("home", "item", "key", "when")

    def __init__(self, when: int, key: Key, item: Any) -> None:
        self.when = when
        self.key = key
        self.item = item
        self.home: Any = None


class Table(Generic[T]):
    """A `TimerQueue`, once a subclass has said how it puts, removes and takes; `maintain` has nothing to do.

    Costs about 250 bytes per timer before the structure itself keeps anything: these are for comparison and for
    small numbers.
    """

    entry_bytes: ClassVar[int] = 250

    def __init__(self) -> None:
        self._entries: dict[Token, Entry] = {}
        self._tokens = count()

    # What a structure says.

    def _put(self, entry: Entry) -> None:
        raise NotImplementedError

    def _remove(self, entry: Entry) -> None:
        """Of an entry that is no longer in the table; its item is let go of afterwards."""
        raise NotImplementedError

    def _take(self, now: int, most: int) -> list[Key]:
        """Take out what is due by `now`, in order, at most `most` (≥ 1); those in the table, and no others."""
        raise NotImplementedError

    def _clear(self) -> None:
        """Forget everything; the table is empty already."""
        raise NotImplementedError

    def _shape(self) -> tuple[int, int, int]:
        """Dead places, parts, and places in the fullest part."""
        raise NotImplementedError

    def next_due(self) -> int | None:
        raise NotImplementedError

    # What follows from it.

    def _make(self, when: int, token: Token, item: T) -> Entry:
        return Entry(when, (when, token), item)

    def insert(self, when: int, item: T) -> Token:
        when = index(when)
        token = next(self._tokens)
        entry = self._entries[token] = self._make(when, token, item)
        self._put(entry)
        return token

    def insert_many(self, whens: Sequence[int], items: Sequence[T], *, ascending: bool = False) -> list[Token]:
        if len(whens) != len(items):
            raise BadInput(f"{counted(len(whens), 'time')} for {counted(len(items), 'item')}; give one time for each")
        return list(map(self.insert, list(map(index, whens)), items))  # all are whole numbers, or nothing is inserted

    def cancel(self, token: Token) -> bool:
        entry = self._entries.pop(token, None)
        if entry is None:
            return False
        self._remove(entry)
        return True  # only now is the item let go of: its finaliser may come back to a queue that is whole

    def cancel_many(self, tokens: Iterable[Token]) -> int:
        return sum(map(self.cancel, tokens))

    def move(self, token: Token, when: int) -> Token | None:
        when = index(when)  # or it would be gone
        entry = self._entries.pop(token, None)
        if entry is None:
            return None
        self._remove(entry)
        return self.insert(when, entry.item)

    def pop_due(self, now: int, limit: int | None = None) -> list[T]:
        most = maxsize if limit is None else limit
        if most <= 0:
            return []
        pop = self._entries.pop
        return [pop(token).item for _, token in self._take(now, most)]

    def maintain(self, budget: int) -> bool:
        return False

    def drain(self) -> list[tuple[int, T]]:
        entries = sorted(self._entries.values(), key=lambda entry: (entry.when, entry.key[1]))
        self._entries.clear()
        self._clear()
        return [(entry.when, entry.item) for entry in entries]

    def __len__(self) -> int:
        return len(self._entries)

    def stats(self) -> TimerStats:
        live = len(self._entries)
        dead, parts, worst = self._shape()
        return TimerStats(live, dead, parts, worst, live * self.entry_bytes + dead * 100 + parts * 100)
