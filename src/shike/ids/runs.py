"""Run ids: made by each session on its own, unique for the life of a store."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from operator import or_
from typing import Final

from shike.bounds import VIRTUAL_BUCKETS_MAX
from shike.errors import BadInput, IdsUsedUp
from shike.ids.forks import FORKS
from shike.ids.keys import check_bucket_count

SESSION_BITS: Final = 27
SEQUENCE_BITS: Final = 28
BUCKET_BITS: Final = 8
_STEP = 1 << BUCKET_BITS


class RunIds:
    """Run ids of one session: 63 bits, unique for the life of a store, without asking anyone.

    From high to low: the session's number (27 bits, given by the store, never given twice), a sequence
    (28 bits), the run's virtual bucket (8 bits). So ids of a session grow, and an id alone tells where its
    run lives. Any thread may ask. Every method raises `IdsUsedUp` once 2**28 ids are given out, and in a
    process that was forked from the session's own; nothing is given out then.
    """

    def __init__(self, session_number: int) -> None:
        if not 1 <= session_number < 1 << SESSION_BITS:  # from 1: a run id of 0 stands for no run
            raise BadInput(f"session number {session_number} is not within 1 and 2**{SESSION_BITS} - 1")
        self._next = session_number << (SEQUENCE_BITS + BUCKET_BITS)
        self._end = self._next + (1 << (SEQUENCE_BITS + BUCKET_BITS))
        self._born = FORKS.count
        self._lock = threading.Lock()

    def next(self, virtual_bucket: int) -> int:
        """The id of a run that lives in `virtual_bucket`."""
        if not 0 <= virtual_bucket < VIRTUAL_BUCKETS_MAX:
            raise _bad_bucket(virtual_bucket)
        return self._reserve(1) | virtual_bucket

    def take(self, virtual_buckets: Sequence[int]) -> list[int]:
        """An id for each of many runs, in the order given."""
        if virtual_buckets and not 0 <= min(virtual_buckets) <= max(virtual_buckets) < VIRTUAL_BUCKETS_MAX:
            raise _bad_bucket(next(bucket for bucket in virtual_buckets if not 0 <= bucket < VIRTUAL_BUCKETS_MAX))
        first = self._reserve(len(virtual_buckets))
        return list(map(or_, range(first, first + len(virtual_buckets) * _STEP, _STEP), virtual_buckets))

    def spread(self, count: int, virtual_buckets: int) -> list[int]:
        """Ids for `count` runs that nothing ties to a bucket, dealt evenly over a store's virtual buckets."""
        check_bucket_count(virtual_buckets)
        if count < 0:
            raise BadInput(f"cannot make {count} run ids")
        first = self._reserve(count)
        return [high | (high >> BUCKET_BITS) % virtual_buckets for high in range(first, first + count * _STEP, _STEP)]

    def block(self, count: int, virtual_bucket: int) -> int:
        """The first of `count` ids that follow each other in one bucket: for the runs of a graph."""
        if not 0 <= virtual_bucket < VIRTUAL_BUCKETS_MAX or count < 1:
            raise _bad_bucket(virtual_bucket) if count >= 1 else BadInput(f"cannot make {count} run ids")
        return self._reserve(count) | virtual_bucket

    def _reserve(self, count: int) -> int:
        if self._born != FORKS.count:
            raise IdsUsedUp("these run ids belong to the parent process; open a session of your own after a fork")
        with self._lock:
            first, after = self._next, self._next + count * _STEP
            if after > self._end:
                raise IdsUsedUp(f"this session has given out nearly 2**{SEQUENCE_BITS} run ids; open a new session")
            self._next = after
        return first


def _bad_bucket(bucket: int) -> BadInput:
    return BadInput(f"there is no virtual bucket {bucket}; they are 0 to {VIRTUAL_BUCKETS_MAX - 1}")


def bucket_of(run_id: int) -> int:
    """The virtual bucket a run lives in."""
    return run_id & (_STEP - 1)


def session_number_of(run_id: int) -> int:
    """The number of the session that made a run id."""
    return run_id >> (SEQUENCE_BITS + BUCKET_BITS)
