"""Where the calendar queue keeps its items: columns of times and items, and the buckets that own them."""

from __future__ import annotations

from array import array
from bisect import bisect_left
from collections.abc import Sequence
from itertools import compress
from sys import maxsize
from typing import Any

from shike.timer.base import GONE, Token

INDEX_BITS = 10
COLUMN_MAX = 1 << INDEX_BITS  # so that no single step sorts, copies or re-allocates more than this
INDEX_MASK = COLUMN_MAX - 1
PLACE_BYTES = 12  # an offset and a reference
COLUMN_BYTES = 400  # one column and its share of bucket and dictionaries, without places
DEAD_MIN = 16  # cancelled places of a column that are not worth squeezing out
STAGGERS = 8
PEEK = 16  # times of a run that are looked at before all of them are


def _offset_code(shift: int) -> str:
    """The narrowest array that holds offsets into `2**shift` ticks."""
    return "H" if shift <= 16 else "I" if shift <= 32 else "Q"


def _chosen(offsets: array[int] | list[int], chosen: list[bool]) -> array[int] | list[int]:
    """Those of them, kept as they were."""
    kept = compress(offsets, chosen)
    return list(kept) if isinstance(offsets, list) else array(offsets.typecode, kept)


class Column:
    """Up to `COLUMN_MAX` insertions side by side: times as offsets in an array, items in a list.

    A token is the column's serial number with the position below it, so an insertion makes no object of
    its own and cancelling is one store. The column never moves an item that can still be named.
    """

    __slots__ = ("base", "bucket", "dead", "dead_max", "end", "items", "kept", "offsets", "start")

    def __init__(self, serial: int, bucket: Bucket | None, *, whole: bool = False) -> None:
        """Of a bucket, or of none: then it is for late insertions, whose times are kept elsewhere. `whole`: it keeps
        the ints that it is given, not offsets. That is quicker for many at once, and takes 8 bytes and the ints."""
        self.base: Token = serial << INDEX_BITS
        self.bucket = bucket
        self.start = bucket.start if bucket and not whole else 0
        self.end = bucket.end if bucket else 0
        self.items: list[Any] = []
        self.offsets: array[int] | list[int] = [] if whole else array(_offset_code(bucket.shift if bucket else 0))
        self.kept: array[int] | None = None
        self.dead = 0
        self.dead_max = DEAD_MIN if bucket else INDEX_MASK

    def dead_share(self) -> int:
        """So many dead are not worth squeezing yet: a quarter to a half. Columns that fill alike are emptied alike, and
        this keeps them from being squeezed all in the same moment."""
        size = len(self.items)
        return size // 2 - size * ((self.base >> INDEX_BITS) % STAGGERS) // (4 * STAGGERS)

    def slot_of(self, token: Token) -> int:
        """Where a squeezed column keeps the item of a token; past the end: nowhere."""
        kept, index = self.kept or (), token & INDEX_MASK
        slot = bisect_left(kept, index)
        return slot if slot < len(kept) and kept[slot] == index else COLUMN_MAX

    def squeeze(self) -> None:
        """Give back the places of the dead. Tokens of the living stay good: `kept` says where they lie now."""
        alive = [item is not GONE for item in self.items]
        self.kept = array("H", compress(self.kept or range(len(alive)), alive))
        self.offsets = _chosen(self.offsets, alive)
        self.items = list(compress(self.items, alive))
        self.dead = 0
        self.dead_max = len(self.items) // 2

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
        self.handed: list[Places] = []  # older than all in its columns
        self.ready: Run | None = None

    @property
    def end(self) -> int:
        return self.start + (1 << self.shift)

    @property
    def key(self) -> int:
        return self.start >> self.shift

    @property
    def size(self) -> int:
        """Places, with the dead among them."""
        return sum(len(places.whens) for places in self.handed) + sum(len(column.items) for column in self.columns)

    def is_dead(self) -> bool:
        return all(len(column.items) == column.dead for column in self.columns) and all(
            items[slot] is GONE
            for places in self.handed
            for items, slot in zip(places.lists, places.slots, strict=True)
        )


class Places:
    """Places side by side: their times, and where their items lie, `lists[i][slots[i]]`. Some may be dead."""

    __slots__ = ("lists", "slots", "whens")

    def __init__(self, bucket: Bucket | None = None, columns: Sequence[Column] = ()) -> None:
        """What was handed to `bucket`, then what it has in `columns`: oldest insertion first."""
        self.whens: list[int] = []
        self.lists: list[list[Any]] = []
        self.slots: list[int] = []
        if bucket is not None:
            for handed in bucket.handed:
                self.whens += handed.whens
                self.lists += handed.lists
                self.slots += handed.slots
            for column in columns:
                self._gather(column)

    def _gather(self, column: Column) -> None:
        column.pin()
        offsets, items, start = column.offsets, column.items, column.start
        if column.dead:
            alive = [item is not GONE for item in items]
            slots = list(compress(range(len(items)), alive))
            offsets = _chosen(offsets, alive)
        else:
            slots = list(range(len(items)))
        self.whens += [start + offset for offset in offsets] if start else offsets
        self.lists += [items] * len(slots)
        self.slots += slots

    def sort(self) -> None:
        """In order of time; among equal ones nothing changes."""
        whens = self.whens
        if whens[:PEEK] == sorted(whens[:PEEK]) and whens == sorted(whens):
            return  # what is read ahead comes in order
        # A stable sort of positions by small ints: CPython compares those without a call.
        order = sorted(range(len(whens)), key=whens.__getitem__)
        self.whens = [whens[i] for i in order]
        self.lists = [self.lists[i] for i in order]
        self.slots = [self.slots[i] for i in order]

    def part(self, start: int, end: int) -> Places:
        """Some of them; of all, the very same."""
        if end - start == len(self.whens):
            return self
        part = Places()
        part.whens, part.lists, part.slots = self.whens[start:end], self.lists[start:end], self.slots[start:end]
        return part


class Run(Places):
    """The places of one bucket in order of time, ready to be served from `position` on."""

    __slots__ = ("columns", "gathered", "position", "size")

    def __init__(self, bucket: Bucket | None = None, columns: list[Column] | None = None) -> None:
        """`gathered` counts the places that there were, the dead with them."""
        super().__init__(bucket, columns or ())
        self.columns = columns or []
        self.position = 0
        self.gathered = 0 if bucket is None else bucket.size
        self.sort()
        self.size = len(self.whens)

    def skip_dead(self) -> None:
        while self.position < self.size and self.lists[self.position][self.slots[self.position]] is GONE:
            self.position += 1
