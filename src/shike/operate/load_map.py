"""The fleet at one glance: how loaded each worker is, what stands in its lane, and how even that is (R2.8)."""

from __future__ import annotations

from datetime import datetime
from statistics import pstdev

from msgspec import Struct

from shike.clock import Clock, to_datetime
from shike.lanes import is_hall, queue_of
from shike.route.fitness import occupancy
from shike.route.load import INDEX, indices
from shike.route.tags import WORKER_TAG
from shike.scheduler.workers import Fleet
from shike.store.base import Store


class WorkerLoad(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One live worker. CPU, memory and I/O are shares of its machine, 0 … 1, averaged over half a minute."""

    name: str
    session: str  # the beginning of its identity
    host: str
    cpu: float
    memory: float
    io: float
    slots: int
    busy: int  # runs under way and granted
    lane: int  # runs that wait in lanes of its own
    occupancy: float  # (busy + lane) ÷ slots: above 1 there is more than it can begin
    index: float  # what levelling compares: 0.6 CPU + 0.4 memory, or the occupancy, whichever is higher
    runs_per_second: float = 0.0
    latency_ms: float = 0.0
    failures: float = 0.0  # of its last runs, the share that failed
    silent_seconds: float = 0.0
    tags: tuple[str, ...] = ()


class LoadMap(Struct, frozen=True, kw_only=True):
    """All workers as of one instant. `spread`: the standard deviation of their indices; above 0.2 runs are moved."""

    at: datetime
    workers: tuple[WorkerLoad, ...]
    spread: float
    halls: dict[str, int]  # routed runs that wait for a worker, by queue; 1,000 is that many or more


class LoadMapper:
    """Looks again and again: how long a worker has been silent is counted from look to look."""

    def __init__(self, store: Store, clock: Clock) -> None:
        self._store = store
        self._fleet = Fleet(clock, store.is_gone)

    async def look(self) -> LoadMap:
        """Reads sessions and lanes, and nothing else."""
        standing = await self._store.lanes()
        workers = self._fleet.look(await self._store.sessions(), standing)
        found = indices(workers, INDEX)
        return LoadMap(
            at=to_datetime(await self._store.now()),
            workers=tuple(
                WorkerLoad(
                    name=one.name, session=one.session[:8], host=one.host, cpu=one.cpu, memory=one.memory, io=one.io,
                    slots=one.slots, busy=one.busy, lane=one.lane, occupancy=occupancy(one), index=index,
                    runs_per_second=one.runs_per_second, latency_ms=one.latency_ms, failures=one.failures,
                    silent_seconds=one.silent_seconds,
                    tags=tuple([tag for tag in one.tags if not tag.startswith(WORKER_TAG)]),
                )
                for one, index in zip(workers, found, strict=True)
            ),
            spread=pstdev(found) if len(found) > 1 else 0.0,
            halls={queue_of(one.lane): one.runs for one in standing if is_hall(one.lane)},
        )  # fmt: skip
