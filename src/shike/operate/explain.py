"""Why this worker: the decision that a run keeps, made again before our eyes from the snapshot that it names."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from msgspec import Struct
from msgspec.structs import replace

from shike.clock import Clock
from shike.counted import counted
from shike.errors import BadInput
from shike.lanes import is_hall
from shike.limit.shown import why_limited
from shike.model import Attempt, Ended, Live, Options, Route, Run, State
from shike.operate.facts import instant
from shike.operate.graphs import waits
from shike.operate.runs import find
from shike.route.bounds import SNAPSHOTS_KEPT
from shike.route.chooser import candidates
from shike.route.fitness import depth_of, unfit
from shike.route.nouns import Ask, Candidate, Decision, Snapshot, unpack, unpack_snapshot
from shike.route.registry import make
from shike.scheduler.router import snapshot_row
from shike.scheduler.workers import Fleet
from shike.store.base import Store
from shike.track import gang as gangs
from shike.track.settle import options_of
from shike.waiting.orders import place_of
from shike.waiting.pauses import pauses_of


class Contender(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One worker that was looked at."""

    worker: str
    session: str
    score: float | None = None  # None: it was not among those that a strategy chose from …
    why_not: str = ""  # … because of this
    chosen: bool = False


class Choice(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One decision. `again`: whether choosing again from the snapshot comes to the same; None: it cannot be done."""

    at: datetime | None
    worker: str
    rule: str
    moved: int = 0
    again: bool | None = None
    contenders: tuple[Contender, ...] = ()
    words: str = ""


class Why(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """All that is known of who was to do a run, and why."""

    run: str
    state: str
    words: str
    route: Route | None = None
    choices: tuple[Choice, ...] = ()  # oldest first
    contenders: tuple[Contender, ...] = ()  # of a run that waits in a hall: as things are now
    paused: tuple[str, ...] = ()  # what holds it back, why, and until when
    place: str = ""  # of a run that is eligible: where it stands


async def explain(store: Store, clock: Clock, run_id: int, tags: Sequence[str] = ()) -> Why:
    """Why a run went where it went, or waits; raises `NotFound`. `tags`: of its task, which only its program knows."""
    known = await find(store, run_id)
    why = await _why(store, clock, run_id, known)
    if isinstance(known, Ended) or known.state is State.RUNNING:
        return why
    held = tuple(map(str, await pauses_of(store, known.run, tags)))
    place = await place_of(store, known)
    return replace(why, paused=held, place="" if place is None else str(place))


async def _why(store: Store, clock: Clock, run_id: int, known: Live | Ended) -> Why:
    run, state = known.run, known.state
    options = _options(run)
    route, tied = options.route, await _tied(store, known, options)
    limited = await why_limited(store, known) if isinstance(known, Live) else None
    if limited is not None:
        return Why(run=str(run_id), state=state.name, words=limited.words, route=route)
    if route is None:
        words = tied or "it has no route: whichever worker of its queue was free first claims it"
        return Why(run=str(run_id), state=state.name, words=words)
    choices = tuple([await _choice(store, run, route, note) for note in await store.decisions(run_id)])
    here = Why(run=str(run_id), state=state.name, words=tied or _words(known), route=route, choices=choices)
    if isinstance(known, Ended) or state in (State.ASSIGNED, State.RUNNING) or not is_hall(run.queue):
        return here
    return Why(
        run=here.run, state=here.state, words=here.words, route=route, choices=choices,
        contenders=await _now(store, clock, run, route),
    )  # fmt: skip


def _options(run: Run) -> Options:
    try:
        return options_of(run.options)
    except BadInput:  # a newer program's
        return Options()


async def _tied(store: Store, known: Live | Ended, options: Options) -> str:
    """What a run of a graph or of a gang waits for; empty: for nothing of the kind."""
    if not isinstance(known, Live):
        return ""
    if (why := await waits(store, known)) is not None:
        return f"it {why}"
    if options.gang is None:
        return ""
    key = gangs.key_of(options.gang)
    rows = [row for row in await store.controls(key) if row.key == key]
    muster = gangs.decoded(rows[0].value) if rows else gangs.Muster()
    if muster.go:
        return ""
    given_back = f"; its slots were given back {counted(muster.round, 'time')}" if muster.round else ""
    return f"it waits for its gang: {len(muster.places)} of the {options.gang.least} slots that it needs{given_back}"


def _words(known: Live | Ended) -> str:
    if isinstance(known, Ended):
        return f"it is over{': ' + known.reason if known.reason else ''}"
    match known.state:
        case State.RUNNING:
            return f"session {known.worker[:8] or 'of a worker'} works on it"
        case State.ASSIGNED:
            return f"it stands in the lane of session {known.worker[:8]}"
        case State.WAITING:
            return "it waits for its permit, and then for a router"
        case _:
            return "it waits in the hall for a worker that may have it and has room"


async def _choice(store: Store, run: Run, route: Route, note: Attempt) -> Choice:
    at, decision = instant(note.claimed_at), unpack(note.error)
    if decision is None:
        words = "a newer program wrote this decision"
        return Choice(at=at, worker=note.worker, rule="", words=words)
    snapshot = await _snapshot(store, decision.snapshot)
    if snapshot is None or (not decision.view and decision.rule.startswith(("as before", "balance", "divided anew"))):
        best = tuple(Contender(worker="", session=one, score=score) for one, score in decision.best)
        words = "" if snapshot else f"its snapshot is not kept any more (the last {SNAPSHOTS_KEPT} are)"
        return Choice(
            at=at, worker=decision.worker, rule=decision.rule, moved=decision.moved, contenders=best, words=words
        )
    contenders, again = recomputed(snapshot, decision, run, route)
    return Choice(
        at=at, worker=decision.worker, rule=decision.rule, moved=decision.moved, again=again, contenders=contenders
    )


def recomputed(
    snapshot: Snapshot, decision: Decision, run: Run, route: Route
) -> tuple[tuple[Contender, ...], bool | None]:
    """Every worker of the snapshot with its score, or why it had none; whether the choice is the same again."""
    fit = candidates(snapshot, route, run.task, run.queue)
    field = [one for one in fit if one.session != decision.source and one.number not in decision.without]
    try:
        strategy = make(decision.by, lambda: 0.0)
    except BadInput:
        return (), None
    ask = Ask(run.id, run.task, run.queue, route, route.key or run.key or run.task)
    if not field or (decision.view and len(decision.view) not in (1, len(field))):
        return (), None
    scores = strategy.scores(ask, field, decision.view)
    again = field[strategy.pick(scores, decision.view)].session == decision.to
    score_of = {one.session: score for one, score in zip(field, scores, strict=True)}
    found = [_contender(one, score_of.get(one.session), decision, run, route, fit) for one in snapshot.workers]
    return tuple(sorted(found, key=lambda one: (one.score is None, -(one.score or 0.0)))), again


def _contender(
    one: Candidate, score: float | None, decision: Decision, run: Run, route: Route, fit: list[Candidate]
) -> Contender:
    why_not = ""
    if score is None:
        why_not = unfit(one, route, run.task, run.queue)
        if not why_not:
            why_not = "others have more of the preferred tags" if one not in fit else "had no room"
            why_not = "it was moved away from there" if one.session == decision.source else why_not
    return Contender(
        worker=one.name, session=one.session, score=score, why_not=why_not, chosen=one.session == decision.to
    )


async def _snapshot(store: Store, number: str) -> Snapshot | None:
    if not number.isdigit():
        return None
    key = snapshot_row(int(number))
    rows = [row for row in await store.controls(key) if row.key == key]
    found = unpack_snapshot(rows[0].value) if rows else None
    return found if found is not None and found.id == number else None


async def _now(store: Store, clock: Clock, run: Run, route: Route) -> tuple[Contender, ...]:
    """Why nobody has it yet, worker by worker."""
    fleet = Fleet(clock, store.is_gone)
    workers = fleet.look(await store.sessions(), await store.lanes())
    found = []
    for one in workers:
        why_not = unfit(one, route, run.task, run.queue)
        if not why_not and one.busy + one.lane >= depth_of(one):
            why_not = f"has no room: {one.busy} under way, {one.lane} in its lane"
        found.append(Contender(worker=one.name, session=one.session, why_not=why_not or "may have it"))
    return tuple(found)
