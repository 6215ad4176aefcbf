"""Another band, time, queue, route or worker for one run that waits: each by compare-and-set on what was seen."""

from __future__ import annotations

from typing import Final

import msgspec
from msgspec.structs import replace

from shike.bands import check_band
from shike.errors import BadInput, Conflict, NotFound
from shike.lanes import hall_of, queue_of
from shike.model import RECORD_VERSION, Attempt, Ended, Live, Options, Route, Run, Session, State
from shike.route.nouns import Decision, pack
from shike.route.tags import route_of
from shike.store.base import Store
from shike.store.children import UNTIL_FREED, is_graph_gate
from shike.store.verbs import Answer, Move
from shike.task import check_queue
from shike.track.approval import awaits
from shike.track.settle import options_of, pack_attempt
from shike.worker.serving import unpack

BY_HAND: Final = "by hand"  # the rule of a decision that a person made

WAITS: Final = (State.WAITING, State.SCHEDULED, State.PENDING, State.ASSIGNED, State.FAILED)


async def change(
    store: Store, run_id: int, *, run_at: int | None = None, band: int | None = None, version: int = 0
) -> Answer:
    """Another time or band, or both. A run before its gate stays there, one in a worker's lane stays there if only its
    band changes. Raises `Conflict` for one that runs, is over, or is no longer of that version (0: as read here)."""
    live = await waiting_run(store, run_id)
    if run_at is None and band is None:
        raise BadInput("say where to: a time, a band, or both")
    if band is not None:
        check_band(band)
    if run_at is not None and awaits(live):
        raise Conflict(f"run {run_id} waits for approval: `shike approvals show {run_id}`")
    (answer,) = await store.move([changed(live, run_at=run_at, band=band, version=version)])
    return heard(run_id, answer)


def changed(live: Live, *, run_at: int | None, band: int | None, version: int = 0) -> Move:
    """The move that leaves a run where it is, but for its time and band."""
    run_id, seen = live.run.id, version or live.version
    if live.state is State.ASSIGNED and run_at is None:
        return Move(run_id=run_id, version=seen, to=State.ASSIGNED, worker=live.worker, band=band)
    to = State.WAITING if live.state is State.WAITING else State.SCHEDULED
    return Move(run_id=run_id, version=seen, to=to, run_at=run_at, band=band)


async def reroute(
    store: Store,
    run_id: int,
    *,
    worker: str = "",
    queue: str = "",
    route: Route | str | None = None,
    version: int = 0,
) -> Answer:
    """Into another queue, by another route (`any`: whoever is free), or into the own lane of one worker (its name or
    session). Raises `Conflict` as `change` does, and for a run that waits before a gate; `NotFound` for no such worker;
    `BadInput` for one that has not got the task or does not serve the queue."""
    live = await waiting_run(store, run_id)
    if live.state is State.WAITING:
        raise Conflict(f"run {run_id} waits before its gate; it can be rerouted once it was let in")
    if bool(worker) == bool(queue or route is not None):
        raise BadInput("say where to: a worker; or a queue, a route, or both")
    seen = version or live.version
    if worker:
        wanted = await _to_worker(store, live, worker, seen)
    else:
        wanted = Move(run_id=run_id, version=seen, to=State.SCHEDULED, run=rerouted(live.run, queue, route))
    (answer,) = await store.move([wanted])
    return heard(run_id, answer)


def rerouted(run: Run, queue: str, route: Route | str | None) -> Run:
    """The same run for another queue, or with another route."""
    if queue:
        check_queue(queue)
    options = options_of(run.options)
    if route is not None:
        options = replace(options, route=route_of(route))
    base = queue or queue_of(run.queue)
    lane = base if options.route is None else hall_of(base)
    packed = b"" if options == Options() else msgspec.json.encode(options)
    return replace(run, queue=lane, options=packed)


async def _to_worker(store: Store, live: Live, name: str, version: int) -> Move:
    session = _worker(await store.sessions(), name)
    served, run = unpack(session.load), live.run
    if served.tasks is not None and run.task not in served.tasks:
        raise BadInput(f"worker {session.name} has no task {run.task}: the run would wait there for ever")
    if served.queues is not None and queue_of(run.queue) not in served.queues:
        raise BadInput(f"worker {session.name} does not serve the queue {queue_of(run.queue)}")
    decision = Decision(by=BY_HAND, to=session.id, worker=session.name, rule=BY_HAND)
    note = Attempt(
        RECORD_VERSION, live.attempts + 1, -(version + 1), session.id, State.ASSIGNED,
        claimed_at=await store.now(), error=pack(decision), worker=session.name,
    )  # fmt: skip
    return Move(run_id=run.id, version=version, to=State.ASSIGNED, worker=session.id, note=pack_attempt(note))


def _worker(sessions: list[Session], name: str) -> Session:
    """The open worker of that name or session; of several that bear one name, the first."""
    working = [one for one in sessions if one.kind in ("worker", "all")]
    for one in working:
        if name in (one.id, one.name):
            return one
    starting = [one for one in working if one.id.startswith(name)]
    if len(starting) == 1:
        return starting[0]
    told = ", ".join(sorted({one.name for one in working})[:8]) or "none"
    raise NotFound(f"there is no worker {name!r} now; there are: {told}")


async def waiting_run(store: Store, run_id: int) -> Live:
    """A run that waits; raises `NotFound`, or `Conflict` for one that runs or is over."""
    known = await store.find(run_id)
    if known is None:
        raise NotFound(f"there is no run {run_id}: never submitted here, or its history was dropped")
    if isinstance(known, Ended) or known.state is State.RUNNING:
        raise Conflict(f"run {run_id} is {known.state.name}: only what waits can be moved")
    return known


def heard(run_id: int, answer: Answer) -> Answer:
    """The answer; raises `Conflict` where nothing was changed."""
    if answer in (Answer.REFUSED, Answer.UNKNOWN):
        raise Conflict(f"run {run_id} changed in between; look at it again")
    if answer is Answer.GUARDED:
        raise Conflict(f"run {run_id} waits for its parents: `shike runs show {run_id}` tells which")
    return answer


def is_held(live: Live) -> bool:
    """Whether a run waits for others, so that no time can be given to it."""
    return live.state is State.WAITING and (is_graph_gate(live.run.gate) or live.run_at == UNTIL_FREED)
