"""Is it alive, is it ready, how much waits, how late is it: for load balancers, Prometheus, autoscalers and pagers."""

from __future__ import annotations

import asyncio
from collections import Counter
from typing import Final

from msgspec import Struct

from shike import __version__
from shike.clock import MICROS, WALL_MIN
from shike.errors import StoreError
from shike.lanes import queue_of
from shike.metrics import MEDIA_TYPE as PROMETHEUS
from shike.metrics import labelled, metric, text
from shike.operate import alarms
from shike.server.ask import Ask, Nothing, Reply
from shike.server.desk import Desk
from shike.server.problems import MEDIA_TYPE, encode, plain
from shike.server.roles import Role
from shike.server.routes import Route, Rule
from shike.store.base import Counts
from shike.store.orders import is_ranked

READY_SECONDS: Final = 2.0  # a store that does not answer by then is not ready; probes wait little longer
QUEUES_LOOKED_AT: Final = 1_000
OLDEST: Final = "For how long the oldest eligible run of a queue has waited: scale workers by it."


class Alive(Struct, frozen=True, kw_only=True):
    """A sign of life."""

    status: str


async def livez(ask: Ask[None, Nothing]) -> Alive:
    """The process answers. Says nothing of the store: a pod is not to be killed because its database rests."""
    return Alive(status="alive")


async def readyz(ask: Ask[None, Nothing]) -> Alive | Reply:
    """The store answers."""
    try:
        async with asyncio.timeout(READY_SECONDS):
            await ask.desk.store.now()
    except (StoreError, TimeoutError):
        return Reply(
            status=503, raw=encode(plain(503, "the store does not answer", "store-unavailable")), media_type=MEDIA_TYPE
        )
    return Alive(status="ready")


async def metrics(ask: Ask[None, Nothing]) -> Reply:
    """All figures, in the words of Prometheus."""
    return Reply(raw=(await _figures(ask.desk)).encode(), media_type=PROMETHEUS)


async def _figures(desk: Desk) -> str:
    """Read at most every METRICS_SECONDS: counting may cost as much as there are runs under way."""
    return await desk.figures.get(lambda: _read(desk))


async def _read(desk: Desk) -> str:
    store = desk.store
    counts, now = await store.counts(), await store.now()
    due = await store.due(0, store.virtual_buckets - 1, WALL_MIN - 1, now, QUEUES_LOOKED_AT)
    late: dict[str, float] = {}
    for run_at, lane in due:
        queue = queue_of(lane)
        late[queue] = max(late.get(queue, 0.0), 0.0 if is_ranked(run_at) else (now - run_at) / MICROS)
    sessions = await store.sessions()
    kinds = {kind: sum(one.kind == kind for one in sessions) for kind in ("all", "node", "worker")}
    lines = [
        *metric("shike_info", "The version of this server.", {f'version="{__version__}"': 1}),
        *metric("shike_runs", "Runs that are not over, by state.", _states(counts)),
        *metric("shike_runs_ended", "Runs that are over and remembered.", labelled("state", counts.ended)),
        *metric("shike_dead_letters", "Dead letters.", {"": counts.dead}),
        *metric("shike_queue_runs", "Runs of a queue that are not over.", labelled("queue", _by_queue(counts))),
        *metric("shike_backlog_seconds", OLDEST, labelled("queue", late)),
        *metric("shike_backlog_seconds_max", "The same, of all queues.", {"": max(late.values(), default=0.0)}),
        *metric("shike_sessions", "Live processes, by kind.", labelled("kind", kinds)),
        *metric("shike_alarms", "Alarms that are raised.", {"": len(await alarms.listing(store))}),
        *metric("shike_server_streams", "Listeners to live changes.", {"": desk.streams}),
        *metric("shike_server_waiting", "Requests that wait for work or for an end.", {"": desk.waiters}),
    ]
    return text(lines)


def _states(counts: Counts) -> dict[str, float]:
    names = ("waiting", "scheduled", "eligible", "running", "failed")
    return labelled("state", {name: getattr(counts, name) for name in names})


def _by_queue(counts: Counts) -> dict[str, int]:
    """All lanes of a queue together."""
    found: Counter[str] = Counter()
    for lane, runs in counts.by_queue.items():
        found[queue_of(lane)] += runs
    return found


ROUTES = (
    Route(
        verb="GET", path="/livez", role=None, rule=Rule.OPEN, handler=livez, answer=Alive, storeless=True,
        words="Whether this process answers.",
    ),
    Route(
        verb="GET", path="/readyz", role=None, rule=Rule.OPEN, handler=readyz, answer=Alive,
        words="Whether its store answers, too.",
    ),
    Route(
        verb="GET", path="/metrics", role=Role.VIEWER, rule=Rule.WHOLE, handler=metrics, media_type=PROMETHEUS,
        words="Backlog, lateness and counts for Prometheus.",
    ),
)  # fmt: skip
