"""The buckets of the calendar queue: which column an item goes to, and which bucket comes first.

Levels of buckets, each 64 times narrower than the one above, and made only when something is put there. A
bucket that fills up is *split*: it takes no more, its parts one level down do. When time comes near, a
bucket that is too wide or too full to be sorted *hands down* its places to its parts, and stays behind,
named by tokens, until its end has come and it is buried.
"""

from __future__ import annotations

from bisect import bisect_left
from heapq import heapify, heappop, heappush
from itertools import count

from shike.timer.column import INDEX_BITS, Bucket, Column, Places

FAN_BITS = 6  # a bucket has 64 parts
LEVELS_ABOVE = 2  # the widest bucket is 4,096 base buckets: 71 minutes of microseconds
GRAVE_RANK = -1_000  # before every bucket that starts where this one ends
BASE_COLUMNS = 3  # of a base bucket that is filled in order, before it is split: to sort such ones takes no time
RUN_COLUMNS = BASE_COLUMNS + LEVELS_ABOVE  # with what was handed down, a base bucket that is not split has no more
SWEEP_MIN = 1_024  # buckets; below that, emptied ones are not worth looking for


def are_together(whens: list[int], shift: int) -> bool:
    """Whether all fall into one bucket of that width. Mostly the first and the last tell that they do not."""
    return bool(whens) and whens[0] >> shift == whens[-1] >> shift and min(whens) >> shift == max(whens) >> shift


class Ladder:
    """All buckets not yet opened, in order of time; knows nothing of what is being served.

    `base` and `columns` are public for speed: the open columns of the base level by key, and every column
    by serial number. Both are only read from outside.
    """

    def __init__(self, bucket_ticks: int, crowd: int) -> None:
        self.shift = (bucket_ticks - 1).bit_length()
        self.crowd = crowd
        self._run_max = RUN_COLUMNS * crowd  # a bucket with more is handed down rather than sorted
        self.base: dict[int, Column] = {}
        self.columns: dict[int, Column] = {}
        self._shifts = [*range(self.shift + FAN_BITS * LEVELS_ABOVE, 0, -FAN_BITS), 0]
        # What wide buckets hold is handed down again and again, all in the call that comes first to a crowd.
        self._rooms = [crowd if level >= LEVELS_ABOVE else max(crowd // 2, 1) for level in range(len(self._shifts))]
        self._levels: list[dict[int, Bucket]] = [{} for _ in self._shifts]
        self._serials = count()
        # A heap of start, then wider first, then a number that settles ties; a grave lies at its bucket's end.
        self._order: list[tuple[int, int, int, Bucket]] = []
        self._sweep_at = SWEEP_MIN

    # Putting in.

    def column_for(self, when: int, *, whole: bool = False) -> Column:
        """A column with room for `when`, in the widest bucket that is not crowded; `whole` if it has to be made."""
        level = LEVELS_ABOVE if (when >> self.shift) in self._levels[LEVELS_ABOVE] else 0
        while True:
            key = when >> self._shifts[level]
            bucket = self._levels[level].get(key) or self._add_bucket(level, key)
            column = bucket.column
            if not bucket.split:
                if column is not None and len(column.items) < self._rooms[level]:
                    return column
                if column is None or bucket.shift == 0 or (whole and self._has_room(bucket)):
                    return self._add_column(bucket, whole)
                bucket.split = True
                self.close(bucket)
            level += 1

    def _add_bucket(self, level: int, key: int) -> Bucket:
        if len(self._order) >= self._sweep_at:
            self._sweep()
        bucket = self._levels[level][key] = Bucket(level, self._shifts[level], key)
        heappush(self._order, (bucket.start, -bucket.shift, next(self._serials), bucket))
        return bucket

    def _has_room(self, bucket: Bucket) -> bool:
        return bucket.level == LEVELS_ABOVE and len(bucket.columns) < BASE_COLUMNS

    def _add_column(self, bucket: Bucket, whole: bool) -> Column:
        column = bucket.column = self.new_column(bucket, whole=whole)
        bucket.columns.append(column)
        if bucket.level == LEVELS_ABOVE:
            self.base[bucket.key] = column
        return column

    def new_column(self, bucket: Bucket | None, *, whole: bool = False) -> Column:
        """An empty column under a serial number of its own."""
        serial = next(self._serials)
        column = self.columns[serial] = Column(serial, bucket, whole=whole)
        return column

    def close(self, bucket: Bucket) -> None:
        """The next insertion into this bucket, if there is one, opens another column."""
        bucket.column = None
        if bucket.level == LEVELS_ABOVE:
            self.base.pop(bucket.key, None)

    # Giving back.

    def drop(self, column: Column) -> None:
        """Forget a column in which all are dead."""
        del self.columns[column.base >> INDEX_BITS]
        bucket = column.bucket
        if bucket is not None:
            bucket.columns.remove(column)
            if bucket.column is column:
                self.close(bucket)

    def forget(self, columns: list[Column]) -> None:
        """Forget columns that were served to the end, and with them their tokens."""
        for column in columns:
            column.bucket = None  # they name each other: the garbage collector need not find that out
            del self.columns[column.base >> INDEX_BITS]

    def _discard(self, bucket: Bucket) -> None:
        self.close(bucket)
        del self._levels[bucket.level][bucket.key]
        self.forget(bucket.columns)

    def _sweep(self) -> None:
        """Give back buckets in which everything was cancelled, so that far ones do not pile up."""
        kept = []
        for entry in self._order:
            bucket = entry[3]
            if bucket.split or not bucket.is_dead():
                kept.append(entry)
            else:
                self._discard(bucket)
        heapify(kept)
        self._order = kept
        self._sweep_at = max(SWEEP_MIN, 2 * len(kept))

    # Taking out.

    def first_by(self, now: int) -> Bucket | None:
        """The first bucket that starts by `now` and can be served as it is."""
        while self._order and self._order[0][0] <= now:
            if not self._settle_first():
                return self._order[0][3]
        return None

    def first(self) -> Bucket | None:
        """The first bucket, no wider than the base, that holds an item."""
        while self._order:
            bucket = self._order[0][3]
            if bucket.level < LEVELS_ABOVE or self._order[0][1] == GRAVE_RANK:
                self._settle_first()
            elif not bucket.is_dead():
                return bucket
            elif bucket.split:
                self._hand_down()
            else:
                heappop(self._order)
                self._discard(bucket)
        return None

    def head(self) -> Bucket | None:
        """The first bucket as it is: perhaps wide, crowded, empty or a grave."""
        return self._order[0][3] if self._order else None

    def refine_head(self) -> bool:
        """One step of making the head fit to be served. False: it is."""
        return bool(self._order) and self._settle_first()

    def _settle_first(self) -> bool:
        bucket = self._order[0][3]
        if self._order[0][1] == GRAVE_RANK:
            self._bury()
        elif bucket.split or bucket.level < LEVELS_ABOVE or (bucket.shift > 0 and bucket.size > self._run_max):
            self._hand_down()
        else:
            return False
        return True

    def _hand_down(self) -> None:
        bucket = heappop(self._order)[3]
        bucket.split = True
        self.close(bucket)
        level, places = bucket.level + 1, Places(bucket, bucket.columns)
        shift, known = self._shifts[level], self._levels[level]
        if not are_together(places.whens, shift):
            places.sort()
        at, size = 0, len(places.whens)
        while at < size:
            key = places.whens[at] >> shift
            end = (
                size
                if at == 0 and key == places.whens[-1] >> shift
                else bisect_left(places.whens, (key + 1) << shift, at)
            )
            child = known.get(key) or self._add_bucket(level, key)
            child.handed.append(places.part(at, end))
            at = end
        bucket.handed = []
        heappush(self._order, (bucket.end, GRAVE_RANK, next(self._serials), bucket))

    def _bury(self) -> None:
        bucket = heappop(self._order)[3]
        del self._levels[bucket.level][bucket.key]
        self.forget(bucket.columns)

    def take_first(self) -> Bucket:
        """Remove the bucket that `first_by` returned; its columns stay named until `forget`."""
        bucket = heappop(self._order)[3]
        self.close(bucket)
        del self._levels[bucket.level][bucket.key]
        return bucket

    # Looking.

    def waiting(self) -> list[Bucket]:
        """Every bucket that may hold an item; wider ones first: what they hold is older than their parts' items."""
        return sorted((entry[3] for entry in self._order if entry[1] != GRAVE_RANK), key=lambda bucket: bucket.level)

    def clear(self) -> None:
        """Forget everything. Serial numbers go on, so old tokens stay dead."""
        for level in self._levels:
            level.clear()
        self.base.clear()
        self.forget(list(self.columns.values()))
        self._order.clear()
