"""Who works: every live worker, what it serves, and how long it was silent."""

from __future__ import annotations

from collections import Counter
from datetime import datetime

from msgspec import Struct

from shike.clock import MICROS, to_datetime
from shike.lanes import worker_of
from shike.model import Load, Session
from shike.operate.unserved import WORKERS
from shike.scheduler.peers import load_of
from shike.store.base import Store
from shike.worker.serving import unpack


class WorkerFacts(Struct, frozen=True, kw_only=True):
    """One live worker. `queues` and `tasks` None: it did not say. `lease_left_seconds` < 0: it will soon be missed."""

    name: str
    session: str  # the beginning of its identity
    kind: str
    host: str
    pid: int
    since: datetime
    lease_seconds: float
    lease_left_seconds: float
    queues: tuple[str, ...] | None = None
    tasks: tuple[str, ...] | None = None
    load: Load | None = None  # what it told with its last beat; None: it does not tell
    lane_runs: int = 0  # that wait in its own lanes


async def listing(store: Store) -> list[WorkerFacts]:
    """All, in the order in which they came."""
    now = await store.now()
    sessions = [one for one in await store.sessions() if one.kind in WORKERS]
    lanes = Counter[str]()
    for standing in await store.lanes():
        lanes[worker_of(standing.lane)] += standing.runs
    return [worker_facts(one, now, lanes[one.id]) for one in sorted(sessions, key=lambda one: one.number)]


def worker_facts(session: Session, now: int, lane_runs: int = 0) -> WorkerFacts:
    served, load = unpack(session.load), load_of(session)
    return WorkerFacts(
        name=session.name,
        session=session.id[:8],
        kind=session.kind,
        host=session.host,
        pid=session.pid,
        since=to_datetime(session.started_at),
        lease_seconds=session.lease_seconds,
        lease_left_seconds=(session.expires_at - now) / MICROS,
        queues=served.queues,
        tasks=served.tasks,
        load=load if load.slots else None,
        lane_runs=lane_runs,
    )
