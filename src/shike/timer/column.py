"""Where the calendar queue keeps its items: columns of times and items, and the buckets that own them."""

from __future__ import annotations

from array import array
from bisect import bisect_left
from collections.abc import Iterator
from sys import maxsize
from typing import Any

from shike.bounds import TIMER_DEAD_MIN
from shike.timer.base import GONE, Token

INDEX_BITS = 10
COLUMN_MAX = 1 << INDEX_BITS  # so that no single step sorts, copies or re-allocates more than this
INDEX_MASK = COLUMN_MAX - 1
PLACE_BYTES = 12  # an offset and a reference
COLUMN_BYTES = 400  # one column and its share of bucket and dictionaries, without places


def _offset_code(shift: int) -> str:
    """The narrowest array that holds offsets into `2**shift` ticks."""
    return "H" if shift <= 16 else "I" if shift <= 32 else "Q"


Place = tuple[int, list[Any], int]
"""A time, and where its item lies: `items[slot]`."""


class Column:
    """Up to `COLUMN_MAX` insertions side by side: times as offsets in an array, items in a list.

    A token is the column's serial number with the position below it, so an insertion makes no object of
    its own and cancelling is one store. The column never moves an item that can still be named.
    """

    __slots__ = ("base", "bucket", "dead", "dead_max", "end", "items", "kept", "offsets", "start")

    def __init__(self, serial: int, bucket: Bucket | None) -> None:
        """Of a bucket, or of none: then it is for late insertions, whose times are kept elsewhere."""
        self.base: Token = serial << INDEX_BITS
        self.bucket = bucket
        self.start = bucket.start if bucket else 0
        self.end = bucket.end if bucket else 0
        self.items: list[Any] = []
        self.offsets: array[int] = array(_offset_code(bucket.shift if bucket else 0))
        self.kept: array[int] | None = None
        self.dead = 0
        self.dead_max = TIMER_DEAD_MIN if bucket else INDEX_MASK

    def slot_of(self, token: Token) -> int:
        """Where a squeezed column keeps the item of a token; past the end: nowhere."""
        kept, index = self.kept or (), token & INDEX_MASK
        slot = bisect_left(kept, index)
        return slot if slot < len(kept) and kept[slot] == index else COLUMN_MAX

    def squeeze(self) -> None:
        """Give back the places of the dead. Tokens of the living stay good: `kept` says where they lie now."""
        alive = [slot for slot, item in enumerate(self.items) if item is not GONE]
        names = self.kept or range(len(self.items))
        self.kept = array("H", [names[slot] for slot in alive])
        self.offsets = array(self.offsets.typecode, [self.offsets[slot] for slot in alive])
        self.items = [self.items[slot] for slot in alive]
        self.dead = 0
        self.dead_max = len(alive) // 2

    def pin(self) -> None:
        """Places are about to be pointed at: from now on they must not be squeezed."""
        self.dead_max = maxsize


class Bucket:
    """A span of time: `[start, start + 2**shift)`. Crowded ones are split: later insertions go a level down."""

    __slots__ = ("column", "columns", "handed", "level", "ready", "shift", "split", "start")

    def __init__(self, level: int, shift: int, key: int) -> None:
        self.level = level
        self.shift = shift
        self.start = key << shift
        self.split = False
        self.column: Column | None = None
        self.columns: list[Column] = []
        self.handed: list[Place] = []
        self.ready: Run | None = None

    @property
    def end(self) -> int:
        return self.start + (1 << self.shift)

    @property
    def key(self) -> int:
        return self.start >> self.shift

    def places(self) -> Iterator[Place]:
        """Every place that holds an item, oldest insertion first: what a wider bucket handed down is older."""
        yield from (place for place in self.handed if place[1][place[2]] is not GONE)
        for column in self.columns:
            for slot, (offset, item) in enumerate(zip(column.offsets, column.items, strict=True)):
                if item is not GONE:
                    yield self.start + offset, column.items, slot

    @property
    def size(self) -> int:
        """Places, with the dead among them."""
        return len(self.handed) + sum(len(column.items) for column in self.columns)

    def is_dead(self) -> bool:
        return all(len(column.items) == column.dead for column in self.columns) and all(
            items[slot] is GONE for _, items, slot in self.handed
        )


class Run:
    """The places of one bucket in order of time, ready to be served from `position` on."""

    __slots__ = ("columns", "gathered", "lists", "position", "size", "slots", "whens")

    def __init__(self, bucket: Bucket | None = None, columns: list[Column] | None = None) -> None:
        """Sort what was handed to `bucket` and what it has in `columns`. `gathered` counts their places."""
        self.columns = columns or []
        self.position = 0
        self.gathered = 0
        self.whens: list[int] = []
        self.lists: list[list[Any]] = []
        self.slots: list[int] = []
        if bucket is not None:
            self.gathered = bucket.size
            for when, items, slot in bucket.handed:
                self.whens.append(when - bucket.start)
                self.lists.append(items)
                self.slots.append(slot)
            for column in self.columns:
                self._gather(column)
            self._sort(bucket.start)
        self.size = len(self.whens)

    def _gather(self, column: Column) -> None:
        column.pin()
        offsets, items = column.offsets, column.items
        if column.dead:
            alive = [slot for slot, item in enumerate(items) if item is not GONE]
            self.whens += [offsets[slot] for slot in alive]
        else:
            alive = list(range(len(items)))
            self.whens.extend(offsets)
        self.lists += [items] * len(alive)
        self.slots += alive

    def _sort(self, start: int) -> None:
        # A stable sort of positions by small ints: CPython compares those without a call.
        order = sorted(range(len(self.whens)), key=self.whens.__getitem__)
        self.whens = [start + self.whens[i] for i in order]
        self.lists = [self.lists[i] for i in order]
        self.slots = [self.slots[i] for i in order]

    def skip_dead(self) -> None:
        while self.position < self.size and self.lists[self.position][self.slots[self.position]] is GONE:
            self.position += 1
