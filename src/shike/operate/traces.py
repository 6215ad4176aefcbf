"""The trace of a run, read from a store: `shike runs show`, and whoever draws or explains it otherwise."""

from __future__ import annotations

from datetime import UTC, datetime, tzinfo
from typing import Any

from msgspec import Struct

from shike.attempts import Failure, Fault
from shike.bounds import SESSIONS_LISTED
from shike.client import Client
from shike.lanes import queue_of
from shike.model import NEVER, Attempt, Ended, Live, State
from shike.operate.autopsy import Trace, trace
from shike.operate.facts import Line, instant, lines_of, readable
from shike.operate.runs import find
from shike.operate.waterfall import Before, Evidence, gang_of
from shike.secret import redacted
from shike.store import past
from shike.store.base import QUEUE_SWITCH, RunFilter, Store
from shike.store.children import parents
from shike.store.pauses import PAUSE, TASK
from shike.track import gang as gangs
from shike.track.failures import failure_of_text

BEFORE_LOOKED_AT = 5  # runs of the same schedule that may have held a gate
PARENTS_LOOKED_AT = 100  # the last of those that are over released it, if it is among the first so many


async def evidence(store: Store, run_id: int) -> Evidence:
    """All that is known of a run and of what was around it; raises `NotFound`."""
    known = await find(store, run_id)
    run = known.run
    return Evidence(
        known=known,
        now=await store.now(),
        attempts=await store.attempts(run_id),
        decisions=await store.decisions(run_id),
        sessions=await store.sessions(all=True, limit=SESSIONS_LISTED),
        pauses=await past.listed(store, f"{QUEUE_SWITCH}{queue_of(run.queue)}"),
        task_pauses=await past.listed(store, f"{PAUSE}{TASK}{run.task}"),
        before=await _before(store, known) if run.gate and run.schedule else (),
        parents_ended_at=await _parents_ended_at(store, known),
        gathers=await _gathers(store, known),
    )


async def _gathers(store: Store, known: Live | Ended) -> bool:
    gang = gang_of(known.run) if isinstance(known, Live) else None
    if gang is None:
        return False
    key = gangs.key_of(gang)
    return not any(gangs.decoded(row.value).go for row in await store.controls(key) if row.key == key)


async def of_run(store: Store, run_id: int, zone: tzinfo | None = UTC) -> Trace:
    """Points, bars and causes; raises `NotFound`. Clock times within words are in that zone, None:
    this machine's."""
    return trace(await evidence(store, run_id), zone)


class Call(Struct, frozen=True, kw_only=True):
    """Where a failure passed."""

    file: str
    line: int
    function: str
    source: str = ""
    own: bool = False  # of the user's program


class Raised(Struct, frozen=True, kw_only=True):
    """One exception of a chain."""

    kind: str
    message: str
    calls: tuple[Call, ...] = ()  # the outermost first
    link: str = ""  # how the one before it in the chain came of it: `cause` or `context`


class FailureRecord(Struct, frozen=True, kw_only=True):
    """One failed attempt, as people and programs read it: nothing of it is a secret that has a secret's name."""

    run: str
    task: str
    attempt: int
    worker: str
    at: datetime | None
    fingerprint: str
    chain: tuple[Raised, ...]  # what was raised last comes first
    arguments: Any  # redacted: `shike.secret`
    log: tuple[Line, ...]  # its end
    traceback: str = ""  # as its program wrote it, where nothing of it was taken apart


async def failures(client: Client, run_id: int) -> list[FailureRecord]:
    """The records of all attempts of a run that failed, oldest first; raises `NotFound`. An attempt that was lost with
    its process has one made of its words alone."""
    store = await client.store()
    known = await find(store, run_id)
    arguments = redacted(readable(known.run.args, client.codec))
    return [
        FailureRecord(
            run=str(run_id), task=known.run.task, attempt=one.number, worker=one.worker, at=instant(one.ended_at),
            fingerprint=failure.fingerprint, chain=tuple(map(_raised, failure.chain)), arguments=arguments,
            log=lines_of(one.lines), traceback="" if any(fault.frames for fault in failure.chain) else one.traceback,
        )
        for one in await store.attempts(run_id)
        if (failure := _failure(one)) is not None
    ]  # fmt: skip


def _raised(fault: Fault) -> Raised:
    calls = [
        Call(file=one.file, line=one.line, function=one.function, source=one.source, own=one.own)
        for one in fault.frames
    ]
    return Raised(kind=fault.kind, message=fault.message, calls=tuple(calls), link=fault.link)


def _failure(attempt: Attempt) -> Failure | None:
    if attempt.failure is not None:
        return attempt.failure
    return failure_of_text(attempt.error) if attempt.state in (State.FAILED, State.DEAD) else None


async def _before(store: Store, known: Live | Ended) -> list[Before]:
    run = known.run
    others = await store.runs(RunFilter(schedule=run.schedule, before=run.id, limit=BEFORE_LOOKED_AT))
    return [
        Before(run_id=one.run.id, ended_at=one.ended_at if isinstance(one, Ended) else NEVER)
        for one in others
        if one.run.gate == run.gate and one.run.moment < run.moment
    ]


async def _parents_ended_at(store: Store, known: Live | Ended) -> int:
    if known.run.ties is None:
        return NEVER
    latest = NEVER
    for place, (parent_id, _) in enumerate(parents(known.run)):
        if place >= PARENTS_LOOKED_AT:
            break
        parent = await store.find(parent_id)
        if isinstance(parent, Live):
            return NEVER
        if parent is not None:
            latest = max(latest, parent.ended_at)
    return latest
