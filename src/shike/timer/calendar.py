"""The default structure: a calendar queue whose days are columns and whose crowded days are split.

After the calendar queue (R. Brown, "Calendar queues", CACM 31(10), 1988), with sorting put off until a
bucket is due, and the ladder queue's answer to crowding (Tang, Goh, Thng, ACM TOMACS 15(3), 2005). An
insertion is an append, a cancellation is a store, no step handles more than a few thousand items, and far
times cost nothing until they come near. A bucket that was served is dropped whole: memory returns without
compaction.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Sequence
from heapq import heapify, heappop, heappush
from itertools import repeat
from operator import index, is_not
from sys import maxsize
from typing import Any, Generic, NoReturn

from shike.bounds import TIMER_DEAD_MIN
from shike.counted import counted
from shike.errors import BadInput
from shike.timer.base import GONE, Gone, T, TimerStats, Token
from shike.timer.column import (
    COLUMN_BYTES,
    COLUMN_MAX,
    INDEX_BITS,
    INDEX_MASK,
    PLACE_BYTES,
    Bucket,
    Column,
    Places,
    Run,
)
from shike.timer.ladder import Ladder

BUCKET_TICKS_MICROS = 1 << 20  # about a second, when a tick is a microsecond
BUCKET_TICKS_MAX = 1 << 40  # so that an offset in the widest bucket fits 64 bits
_LATE_BYTES = 8 + 56 + 32 + 32  # a place in a heap, a tuple, two ints


def refuse_sizes(bucket_ticks: int, crowd: int) -> None:
    """Raise `BadInput` unless both are possible."""
    if not 1 <= bucket_ticks <= BUCKET_TICKS_MAX:
        raise BadInput(f"bucket_ticks is {bucket_ticks}; it must be within 1 and {BUCKET_TICKS_MAX}")
    if not 1 <= crowd <= COLUMN_MAX:
        raise BadInput(f"crowd is {crowd}; it must be within 1 and {COLUMN_MAX}")


def refuse_lengths(whens: int, items: int) -> NoReturn:
    """Raise `BadInput`."""
    raise BadInput(f"{counted(whens, 'time')} for {counted(items, 'item')}; give one time for each")


class CalendarQueue(Generic[T]):
    """A `TimerQueue` for millions. `next_due` is early by less than `bucket_ticks`, rounded up to a power of two.

    One call handles at most a few thousand places, whatever is pending, unless it returns more than that.
    Beyond its item a place costs 12 bytes and a share of its bucket; of what was inserted in order 16, and the int that
    was given as its time. Cancelled places are given back when they are more than 16 and a quarter to a half of
    their column (1,024 places), at the latest when they are due.
    """

    def __init__(self, bucket_ticks: int = BUCKET_TICKS_MICROS, *, crowd: int = COLUMN_MAX) -> None:
        """`crowd` is how many insertions fill a bucket, so that later ones go to narrower ones inside it.

        Raises `BadInput` unless 1 ≤ bucket_ticks ≤ 2**40 and 1 ≤ crowd ≤ 1,024.
        """
        refuse_sizes(bucket_ticks, crowd)
        self._ladder = Ladder(bucket_ticks, crowd)
        self._crowd = crowd
        self._shift = self._ladder.shift
        self._base = self._ladder.base
        self._columns = self._ladder.columns
        self._run = Run()  # what is being served, and
        self._late: list[tuple[int, Token]] = []  # a heap of what was inserted before …
        self._frontier: int | None = None  # … this time: all that is earlier is in one of the two
        self._late_max = TIMER_DEAD_MIN
        self._late_column: Column | None = None
        self._live = 0

    def __len__(self) -> int:
        return self._live

    # Insert.

    def insert(self, when: int, item: T) -> Token:
        if self._frontier is not None and when < self._frontier:
            return self._insert_late(when, item)
        column = self._base.get(when >> self._shift)
        if column is None or len(column.items) == self._crowd:
            column = self._ladder.column_for(when)
        items = column.items
        token = column.base + len(items)
        column.offsets.append(when - column.start)
        items.append(item)
        self._live += 1
        return token

    def insert_many(self, whens: Sequence[int], items: Sequence[T], *, ascending: bool = False) -> list[Token]:
        if len(whens) != len(items):
            refuse_lengths(len(whens), len(items))
        if type(sum(whens)) is not int:  # the quickest way to see that one is a float
            whens = list(map(index, whens))  # all are whole numbers, or nothing is inserted
        if ascending:
            ordered = sorted(whens)  # of what is in order already this is the quickest proof
            if ordered == (whens if isinstance(whens, list) else list(whens)):
                return self._insert_ascending(ordered, items)
        return list(map(self.insert, whens, items))

    def _insert_ascending(self, whens: list[int], items: Sequence[T]) -> list[Token]:
        at = 0 if self._frontier is None else bisect_left(whens, self._frontier)
        tokens = list(map(self._insert_late, whens[:at], items[:at]))
        while at < len(whens):
            column = self._base.get(whens[at] >> self._shift)
            if column is None or len(column.items) == self._crowd:
                column = self._ladder.column_for(whens[at], whole=True)
            start, size = column.start, len(column.items)
            end = bisect_left(whens, column.end, at, min(len(whens), at + self._crowd - size))
            column.offsets.extend([when - start for when in whens[at:end]] if start else whens[at:end])
            column.items += items[at:end]
            tokens += range(column.base + size, column.base + size + end - at)
            self._live += end - at
            at = end
        return tokens

    def _insert_late(self, when: int, item: T) -> Token:
        when = index(when)
        column = self._late_column
        if column is None or len(column.items) == COLUMN_MAX:
            column = self._late_column = self._ladder.new_column(None)
        if len(self._late) >= self._late_max:
            self._late = [entry for entry in self._late if self._is_live(entry[1])]
            heapify(self._late)
            self._late_max = max(TIMER_DEAD_MIN, 2 * len(self._late))
        token = column.base + len(column.items)
        column.items.append(item)
        heappush(self._late, (when, token))
        self._live += 1
        return token

    # Cancel and move.

    def cancel(self, token: Token) -> bool:
        return self.take(token) is not GONE

    def cancel_many(self, tokens: Iterable[Token]) -> int:
        taken = list(map(self.take, tokens))  # let go of at the end: a finaliser may come back to the queue
        return sum(map(is_not, taken, repeat(GONE)))  # `count` would ask the items whether they are equal to it

    def move(self, token: Token, when: int) -> Token | None:
        when = index(when)  # or it would be gone
        item = self.take(token)
        return None if isinstance(item, Gone) else self.insert(when, item)

    def take(self, token: Token) -> T | Gone:
        """As `cancel`, and hand the item over; GONE: there is none."""
        column = self._columns.get(token >> INDEX_BITS)
        if column is None:
            return GONE
        items, slot = column.items, token & INDEX_MASK
        if column.kept is not None:
            slot = column.slot_of(token)
        if slot >= len(items):
            return GONE
        item: T | Gone = items[slot]
        if item is not GONE:
            items[slot] = GONE
            self._live -= 1
            column.dead += 1
            if column.dead > column.dead_max:
                self._give_back(column)
        return item

    def _give_back(self, column: Column) -> None:
        size, bucket = len(column.items), column.bucket
        if column.dead == size:
            self._ladder.drop(column)
            if self._late_column is column:
                self._late_column = None
        elif column.dead <= (share := column.dead_share()):
            column.dead_max = share
        elif bucket is not None:
            column.squeeze()
            self._ladder.close(bucket)

    def _is_live(self, token: Token) -> bool:
        """Of a token in `_late`."""
        column = self._columns.get(token >> INDEX_BITS)
        return column is not None and column.items[token & INDEX_MASK] is not GONE

    # Pop.

    def pop_due(self, now: int, limit: int | None = None) -> list[T]:
        due: list[T] = []
        now, most = index(now), maxsize if limit is None else limit
        while len(due) < most:
            run, late = self._run, self._late
            if run.position < run.size and (not late or run.whens[run.position] <= late[0][0]):
                if run.whens[run.position] > now:
                    break
                self._serve(run, min(now, late[0][0]) if late else now, most, due)
            elif late:
                if late[0][0] > now:
                    break
                self._pop_late(due)
            elif not self._open_next(now):
                break
        self._live -= len(due)
        return due

    def _serve(self, run: Run, until: int, most: int, due: list[T]) -> None:
        """Pop from the run what is due by `until`; its first place is."""
        start = run.position
        end = bisect_right(run.whens, until, start, min(run.size, start + most - len(due)))
        if end == start + 1:  # the common case of a timer of its own is worth being spared the slices
            items, slot = run.lists[start], run.slots[start]
            if items[slot] is not GONE:
                due.append(items[slot])
                items[slot] = GONE
        else:
            self._detach(run, start, end, due)
        run.position = end
        if end == run.size:
            self._close_run()

    @staticmethod
    def _detach(run: Run, start: int, end: int, due: list[T]) -> None:
        for items, slot in zip(run.lists[start:end], run.slots[start:end], strict=True):
            item = items[slot]
            if item is not GONE:
                items[slot] = GONE
                due.append(item)

    def _pop_late(self, due: list[T]) -> None:
        token = heappop(self._late)[1]
        if self._is_live(token):
            column = self._columns[token >> INDEX_BITS]
            due.append(column.items[token & INDEX_MASK])
            column.items[token & INDEX_MASK] = GONE
            column.dead += 1
            if column.dead > column.dead_max:
                self._give_back(column)

    def _open_next(self, now: int) -> bool:
        self._close_run()
        bucket = self._ladder.first_by(now)
        if bucket is not None:
            self._open(bucket)
        return bucket is not None

    def _open(self, bucket: Bucket) -> None:
        if bucket.shift == 0 and len(bucket.columns) > 1:
            # One tick may hold any number, in order already: serve a column, and let later ones be appended.
            self._run = Run(bucket, [bucket.columns.pop(0)])
            bucket.handed = []
            self._frontier = bucket.start
        else:
            self._ladder.take_first()
            ready = bucket.ready
            self._run = ready if ready and ready.gathered == bucket.size else Run(bucket, bucket.columns)
            self._frontier = bucket.end

    def _close_run(self) -> None:
        if self._run.columns or self._run.size:
            self._ladder.forget(self._run.columns)
            self._run = Run()

    # Looking ahead.

    def next_due(self) -> int | None:
        if not self._live:
            return None
        run, late = self._run, self._late
        if run.position < run.size and run.lists[run.position][run.slots[run.position]] is GONE:
            run.skip_dead()
        while late and not self._is_live(late[0][1]):
            heappop(late)
        if run.position < run.size:
            first = run.whens[run.position]
            return min(first, late[0][0]) if late else first
        if late:
            return late[0][0]
        self._close_run()
        bucket = self._ladder.first()
        return None if bucket is None else bucket.start

    def maintain(self, budget: int) -> bool:
        """Hands down and sorts the first bucket before it is due."""
        while budget > 0:
            if self._late or self._run.position < self._run.size or not self._live:
                return False  # there is something to serve first
            self._close_run()
            bucket = self._ladder.head()
            if bucket is None:
                return False
            budget -= bucket.size
            if not self._ladder.refine_head():
                if bucket.shift > 0 and not (bucket.ready and bucket.ready.gathered == bucket.size):
                    bucket.ready = Run(bucket, bucket.columns)
                return False
        return True

    # Ending.

    def drain(self) -> list[tuple[int, T]]:
        run = self._run
        places = list(zip(run.whens, run.lists, run.slots, strict=True))[run.position :]
        for when, token in sorted(self._late):
            if self._is_live(token):
                places.append((when, self._columns[token >> INDEX_BITS].items, token & INDEX_MASK))
        for bucket in self._ladder.waiting():
            held = Places(bucket, bucket.columns)
            places += zip(held.whens, held.lists, held.slots, strict=True)
        drained: list[tuple[int, Any]] = [
            (when, items[slot]) for when, items, slot in places if items[slot] is not GONE
        ]
        drained.sort(key=lambda pair: pair[0])
        self._ladder.clear()
        self._run, self._late, self._late_column, self._live = Run(), [], None, 0
        return drained

    def stats(self) -> TimerStats:
        held = [column.items for column in self._columns.values()]
        places = sum(map(len, held))
        buckets = [bucket.size for bucket in self._ladder.waiting()]
        return TimerStats(
            live=self._live,
            dead=places - self._live,
            buckets=len(buckets),
            worst_bucket=max(self._run.size, len(self._late), *buckets, 0),
            bytes_estimate=places * PLACE_BYTES + len(held) * COLUMN_BYTES + len(self._late) * _LATE_BYTES,
        )
