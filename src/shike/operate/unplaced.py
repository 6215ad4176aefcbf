"""Routed work that nobody may have: no live worker has the tags, the slots, the task or the queue that it needs (R2.4).

Such runs wait and do not fail. Whoever watches over a system asks here for those that are later than they should be.
"""

from __future__ import annotations

from msgspec import Struct

from shike.clock import MICROS, Clock
from shike.errors import BadInput
from shike.lanes import is_hall, queue_of
from shike.model import Live, OnGone, Route
from shike.route.chooser import candidates
from shike.route.fitness import rule_of
from shike.route.nouns import Snapshot
from shike.scheduler.workers import Fleet
from shike.store.base import Store
from shike.track.settle import options_of

RUNS_READ = 200  # of each hall: more are told as so many
UNPLACED_SECONDS = 60.0  # a run without an expiry that waits so long is late: its deadline is its expiry, or this


class Unplaced(Struct, frozen=True, kw_only=True):
    """Runs of one task with one wish that nobody who is there may have. `late`: how many are past their deadline."""

    queue: str
    task: str
    needs: str  # in words: "has gpu; least busy"
    runs: int
    late: int
    oldest: str  # the run that waits longest
    waits_seconds: float  # it does so, since it was due


async def unplaced(store: Store, clock: Clock, *, deadline_seconds: float = UNPLACED_SECONDS) -> list[Unplaced]:
    """All there is of it, what waits longest first. Reads a page of each hall; nothing where nothing is routed."""
    standing = await store.lanes()
    halls = [one.lane for one in standing if is_hall(one.lane)]
    if not halls:
        return []
    workers = Fleet(clock, store.is_gone).look(await store.sessions(), standing)
    snapshot, now = Snapshot(id="", at=0, workers=workers), await store.now()
    found: dict[tuple[str, str, Route], list[Live]] = {}
    for hall in halls:
        for live in await store.standing(hall, RUNS_READ):
            wish = _wish(live)
            if wish is not None and not candidates(snapshot, wish, live.run.task, hall):
                found.setdefault((queue_of(hall), live.run.task, wish), []).append(live)
    told = [_told(*kind, runs, now, deadline_seconds) for kind, runs in found.items()]
    return sorted(told, key=lambda one: -one.waits_seconds)


def _wish(live: Live) -> Route | None:
    """What narrows the choice; of no interest is what then chooses."""
    try:
        route = options_of(live.run.options).route
    except BadInput:  # a newer program's
        return None
    if route is None:
        return None
    session = route.session if route.on_gone is OnGone.SKIP else ""
    return Route(by=route.by, required=route.required, anti=route.anti, slots=route.slots, session=session)


def _told(queue: str, task: str, wish: Route, runs: list[Live], now: int, deadline_seconds: float) -> Unplaced:
    oldest = min(runs, key=lambda live: live.run.due_at)
    return Unplaced(
        queue=queue,
        task=task,
        needs=rule_of(wish),
        runs=len(runs),
        late=sum(now >= (live.run.expires_at or live.run.due_at + deadline_seconds * MICROS) for live in runs),
        oldest=str(oldest.run.id),
        waits_seconds=(now - oldest.run.due_at) / MICROS,
    )
