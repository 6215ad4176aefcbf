"""Who takes part: every structure of the family, and what else a Python program could keep its timers in.

A contestant is a `TimerQueue` or looks like one: `insert`, `insert_many`, `cancel`, `cancel_many`, `pop_due`,
`next_due`. Times are milliseconds. A peer is driven as its own users drive it.
"""

from __future__ import annotations

import asyncio
import sched
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from heapq import heappop, heappush
from importlib.util import find_spec
from itertools import count
from sys import maxsize
from typing import Any, NamedTuple, Protocol

from shike.errors import BadSetting
from shike.timer.build import compiled
from shike.timer.calendar import CalendarQueue
from shike.timer.family import FAMILY, timer_queue

TICKS_PER_SECOND = 1_000


class Timers(Protocol):
    """The part of a `TimerQueue` that is measured."""

    def insert(self, when: int, item: Any) -> Any: ...
    def insert_many(self, whens: Sequence[int], items: Sequence[Any], *, ascending: bool = False) -> list[Any]: ...
    def cancel(self, token: Any) -> object: ...
    def cancel_many(self, tokens: Iterable[Any]) -> object: ...
    def pop_due(self, now: int, limit: int | None = None) -> Sequence[Any]: ...
    def next_due(self) -> int | None: ...


class Contestant(NamedTuple):
    """One row of the tables."""

    title: str
    make: Callable[[], Timers]
    package: str = ""
    """What has to be installed; without it the row is left out."""

    is_built: Callable[[], bool] = lambda: True
    """Whether it was compiled, if it has to be."""

    @property
    def is_here(self) -> bool:
        return self.is_built() and (not self.package or find_spec(self.package) is not None)


class Peer:
    """What peers lack is done in a loop, as their users would."""

    def insert(self, when: int, item: Any) -> Any:
        raise NotImplementedError

    def cancel(self, token: Any) -> object:
        raise NotImplementedError

    def insert_many(self, whens: Sequence[int], items: Sequence[Any], *, ascending: bool = False) -> list[Any]:
        return list(map(self.insert, whens, items))

    def cancel_many(self, tokens: Iterable[Any]) -> object:
        for token in tokens:
            self.cancel(token)
        return None


class _Loop(asyncio.BaseEventLoop):
    """asyncio's own timers (`call_at`, `_run_once`) on a clock that is set by hand; it polls no sockets."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 0.0
        self._selector = self
        self._clock_resolution = 0.5  # of a millisecond: what is due at `now` runs now

    def time(self) -> float:
        return self.now

    def select(self, timeout: float | None) -> list[Any]:
        return []

    def _process_events(self, events: object) -> None:
        """There are none."""

    def __del__(self) -> None:
        """Nothing is open that would have to be closed."""


class AsyncioTimers(Peer):
    """`loop.call_at`. Its loop has no limit per round: it runs all that is due."""

    def __init__(self) -> None:
        self._loop: Any = _Loop()
        self._due: list[Any] = []

    def insert(self, when: int, item: Any) -> Any:
        return self._loop.call_at(when, self._due.append, item)

    def cancel(self, token: Any) -> object:
        return token.cancel()

    def pop_due(self, now: int, limit: int | None = None) -> Sequence[Any]:
        self._loop.now = now
        self._due.clear()
        self._loop._run_once()
        return self._due

    def next_due(self) -> int | None:
        scheduled = self._loop._scheduled
        return scheduled[0].when() if scheduled else None


class SchedTimers(Peer):
    """The standard library's `sched`: cancelling searches the whole queue."""

    def __init__(self) -> None:
        self._now = 0
        self._scheduler = sched.scheduler(lambda: self._now, lambda _: None)
        self._due: list[Any] = []

    def insert(self, when: int, item: Any) -> Any:
        return self._scheduler.enterabs(when, 0, self._due.append, (item,))

    def cancel(self, token: Any) -> object:
        with suppress(ValueError):  # it fired
            self._scheduler.cancel(token)
        return None

    def pop_due(self, now: int, limit: int | None = None) -> Sequence[Any]:
        self._now = now
        self._due.clear()
        self._scheduler.run(blocking=False)
        return self._due

    def next_due(self) -> int | None:
        heap = self._scheduler._queue  # type: ignore[attr-defined]  # `queue` would sort a copy each time
        return heap[0].time if heap else None


class HeapqTimers(Peer):
    """The recipe of heapq's documentation: what is cancelled is marked, and dropped when it comes to the front."""

    def __init__(self) -> None:
        self._heap: list[list[Any]] = []
        self._count = count()

    def insert(self, when: int, item: Any) -> Any:
        entry = [when, next(self._count), item]
        heappush(self._heap, entry)
        return entry

    def cancel(self, token: Any) -> object:
        token[2] = None
        return None

    def pop_due(self, now: int, limit: int | None = None) -> Sequence[Any]:
        due: list[Any] = []
        heap, most = self._heap, maxsize if limit is None else limit
        while heap and heap[0][0] <= now and len(due) < most:
            item = heappop(heap)[2]
            if item is not None:
                due.append(item)
        return due

    def next_due(self) -> int | None:
        heap = self._heap
        while heap and heap[0][2] is None:
            heappop(heap)
        return heap[0][0] if heap else None


class SortedContainersTimers(Peer):
    """A `SortedList` of tuples."""

    def __init__(self) -> None:
        from sortedcontainers import SortedList

        self._list = SortedList()
        self._count = count()

    def insert(self, when: int, item: Any) -> Any:
        entry = when, next(self._count), item
        self._list.add(entry)
        return entry

    def cancel(self, token: Any) -> object:
        return self._list.discard(token)

    def pop_due(self, now: int, limit: int | None = None) -> Sequence[Any]:
        end = self._list.bisect_right((now, maxsize))
        due = self._list[: end if limit is None else min(end, limit)]
        del self._list[: len(due)]
        return [entry[2] for entry in due]

    def next_due(self) -> int | None:
        return self._list[0][0] if self._list else None


class _Job:
    """What APScheduler's memory store asks of a job: a real one would cost as much again."""

    __slots__ = ("id", "next_run_time")

    def __init__(self, number: int, next_run_time: datetime) -> None:
        self.id = str(number)
        self.next_run_time = next_run_time


class APSchedulerTimers(Peer):
    """APScheduler 3's `MemoryJobStore`, without the scheduler around it."""

    def __init__(self) -> None:
        from apscheduler.jobstores.memory import MemoryJobStore

        self._store = MemoryJobStore()
        self._count = count()

    def insert(self, when: int, item: Any) -> Any:
        job = _Job(next(self._count), datetime.fromtimestamp(when / TICKS_PER_SECOND, UTC))
        self._store.add_job(job)
        return job.id

    def cancel(self, token: Any) -> object:
        with suppress(LookupError):  # it fired
            self._store.remove_job(token)
        return None

    def pop_due(self, now: int, limit: int | None = None) -> Sequence[Any]:
        due = self._store.get_due_jobs(datetime.fromtimestamp(now / TICKS_PER_SECOND, UTC))[:limit]
        for job in due:
            self._store.remove_job(job.id)
        return list(due)

    def next_due(self) -> int | None:
        at = self._store.get_next_run_time()
        return None if at is None else round(at.timestamp() * TICKS_PER_SECOND)


def _compiled() -> Timers:
    make, why = compiled()
    if make is None:
        raise BadSetting(why)
    queue: Timers = make(TICKS_PER_SECOND)
    return queue


def _is_compiled() -> bool:
    return compiled()[0] is not None


def _ours(name: str) -> Callable[[], Timers]:
    return lambda: timer_queue(name, ticks_per_second=TICKS_PER_SECOND)


PEERS = {
    "asyncio": Contestant("asyncio, call_at", AsyncioTimers),
    "sched": Contestant("sched, standard library", SchedTimers),
    "heapq": Contestant("heapq, its documentation's recipe", HeapqTimers),
    "sortedcontainers": Contestant("sortedcontainers, SortedList", SortedContainersTimers, "sortedcontainers"),
    "apscheduler": Contestant("APScheduler 3, memory store", APSchedulerTimers, "apscheduler"),
}
BUILDS = {  # of the default, whichever runs here
    "calendar": Contestant("packed calendar queue, pure Python", lambda: CalendarQueue(TICKS_PER_SECOND)),
    "calendar-compiled": Contestant("packed calendar queue, compiled", _compiled, is_built=_is_compiled),
}
OURS = {name: Contestant(member.about, _ours(name)) for name, member in FAMILY.items() if name not in BUILDS}
CONTESTANTS = BUILDS | OURS | PEERS
