"""Runs: store one or many, look, move, cancel, retry, wait for, follow (R0.1, R2.1)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec
from msgspec import Struct

from shike.call import Call
from shike.errors import BadField, Conflict, NotFound, WaitTimeout
from shike.model import Ended, Live, State
from shike.operate import runs
from shike.operate.facts import RunFacts
from shike.secret import redacted
from shike.server import reading
from shike.server.ask import Ask, Nothing, Reply, etag_of
from shike.server.bounds import BULK_BYTES_MAX
from shike.server.calls import call_of_run, calls_of_runs
from shike.server.paging import number_of, place_of
from shike.server.plans import Plan
from shike.server.roles import Role
from shike.server.routes import API, Logged, Route, Rule
from shike.server.shapes import Change, MaybeWhy, NewRun, NewRuns, RunsWanted, Waiting
from shike.store.base import RunFilter
from shike.store.verbs import Answer

STATES = ", ".join(state.name.lower() for state in State)


class Accepted(Struct, frozen=True, kw_only=True):
    """What became of a submitted run. `fresh` is false where one with the same key was there before: `run` is that."""

    run: str
    fresh: bool


class AcceptedAll(Struct, frozen=True, kw_only=True):
    """The runs of a bulk, in their order."""

    runs: list[Accepted]


class RunsPage(Struct, frozen=True, kw_only=True):
    """A page of runs."""

    runs: list[RunFacts]
    next: str = ""


class RunPage(Struct, frozen=True, kw_only=True):
    """A run and its life so far."""

    run: RunFacts
    timeline: list[runs.Step]


class Changed(Struct, frozen=True, kw_only=True):
    """What became of a change: `accepted`, or `asked` where a running run was asked to stop."""

    run: str
    answer: str


# ---------------------------------------------------------------- in


async def submit(ask: Ask[NewRun, Nothing]) -> Reply:
    """Store one run."""
    call = call_of_run(ask.who, ask.desk.tasks, ask.body, "", ask.idempotency_key, ask.desk.clock.wall())
    if ask.body.dependencies:
        ((run_id, fresh),) = await Plan(ask, [ask.body], [""]).submit([call])
    else:
        handle = await ask.desk.client.submit(call)  # together with what others submit in the same turn
        run_id, fresh = int(handle.id), handle.fresh
    await _same_again(ask, [call], [(run_id, fresh)])
    accepted = Accepted(run=str(run_id if fresh else await _meant(ask, call, run_id)), fresh=fresh)
    headers = {"location": f"{API}/runs/{accepted.run}"}
    return Reply(value=accepted, status=201 if fresh else 200, headers=headers)


async def submit_bulk(ask: Ask[NewRuns, Nothing]) -> Reply:
    """Store many runs, all or none."""
    calls = calls_of_runs(ask.who, ask.desk.tasks, ask.body.runs, ask.idempotency_key, ask.desk.clock.wall())
    client = ask.desk.client
    if any(run.dependencies for run in ask.body.runs):
        wheres = [f"runs[{n}]." for n in range(len(calls))]
        answers = await Plan(ask, ask.body.runs, wheres).submit(calls)
    else:
        answers = [(answer.run_id, answer.fresh) for answer in await client.deliver(await client.entries(calls))]
    await _same_again(ask, calls, answers)
    accepted = [
        Accepted(run=str(run if fresh else await _meant(ask, call, run)), fresh=fresh)
        for call, (run, fresh) in zip(calls, answers, strict=True)
    ]
    return Reply(value=AcceptedAll(runs=accepted), status=201)


async def _meant(ask: Ask[Any, Any], call: Call[Any], run_id: int) -> int:
    """The run that a key stands for: of a graph it is the first run that remembers the keys of all."""
    known = await ask.desk.store.find(run_id)
    if known is None or known.run.ties is None or known.run.key == call.how.key:
        return run_id
    same = await ask.desk.store.runs(RunFilter(key=call.how.key, limit=1))
    return same[0].run.id if same else run_id


async def _same_again(ask: Ask[Any, Any], calls: Sequence[Call[Any]], answers: Sequence[tuple[int, bool]]) -> None:
    """An idempotency key stands for one request: the same key with another body is a mistake, and is told."""
    if not ask.idempotency_key:
        return
    for call, (run_id, fresh) in zip(calls, answers, strict=True):
        if fresh or not call.how.key.startswith("http/"):
            continue
        known = await ask.desk.store.find(run_id)
        if known is not None and (known.run.task, known.run.args) != (
            call.definition.name,
            ask.desk.client.codec.encode(call.payload),
        ):
            raise Conflict(f"this idempotency key was used for run {run_id}, which is another one")


# ---------------------------------------------------------------- out


async def listing(ask: Ask[None, RunsWanted]) -> RunsPage:
    """Runs, newest first."""
    wanted = ask.query
    queue = wanted.queue
    if ask.who.queues and not queue:
        if len(ask.who.queues) > 1:
            raise BadField(f"say which queue: {', '.join(ask.who.queues)}", field="queue")
        queue = ask.who.queues[0]
    elif queue:
        ask.who.may_use(queue)
    schedule = wanted.schedule if "/" in wanted.schedule or not wanted.schedule else f"default/{wanted.schedule}"
    found = await runs.listing(
        ask.desk.client,
        RunFilter(
            states=tuple(map(_state, wanted.state)),
            task=wanted.task,
            queue=queue,
            schedule=schedule,
            key=wanted.key,
            before=place_of(wanted.cursor),
            limit=wanted.limit,
        ),
        ahead=wanted.ahead,
    )
    return RunsPage(runs=found, next=found[-1].id if len(found) == wanted.limit else "")


def _state(word: str) -> State:
    try:
        return State[word.upper()]
    except KeyError:
        raise BadField(f"{word:.40} is no state; there are {STATES}", field="state") from None


async def show(ask: Ask[None, Waiting]) -> Reply:
    """One run. With `wait_seconds`, when it is over, or after so long."""
    run_id = number_of(ask.path["run"])
    known = await found(ask, run_id)
    if ask.query.wait_seconds and isinstance(known, Live):
        async with ask.desk.waiting():
            try:
                known = await ask.desk.client.ended(run_id, ask.query.wait_seconds)
            except WaitTimeout:
                known = await found(ask, run_id)
    etag = etag_of_run(known)
    if ask.headers.get("if-none-match", "").strip() == etag:
        return Reply(status=304, headers={"etag": etag}, raw=b"")
    facts, timeline = await runs.show(ask.desk.client, run_id)
    return Reply(value=RunPage(run=hidden(facts), timeline=timeline), headers={"etag": etag})


async def found(ask: Ask[Any, Any], run_id: int) -> Live | Ended:
    """A run that concerns who asks; raises `NotFound` for others, too."""
    known = await ask.desk.store.find(run_id)
    if known is None:
        raise NotFound(f"there is no run {run_id}")
    ask.who.may_see(known.run.queue, f"run {run_id}")
    return known


def hidden(facts: RunFacts) -> RunFacts:
    """Without the values that stand under secret names."""
    return msgspec.structs.replace(
        facts,
        arguments=redacted(facts.arguments),
        result=redacted(facts.result),
        progress=redacted(facts.progress),
    )


def etag_of_run(known: Live | Ended) -> str:
    """Of what can be changed about it; one that is over changes no more, but for a replay."""
    if isinstance(known, Ended):
        return etag_of(f"over-{known.replayed_as}" if known.replayed_as else "over")
    return etag_of(known.version)


# ---------------------------------------------------------------- changed


async def change(ask: Ask[Change, Nothing]) -> Changed:
    """Another time, or another priority."""
    run_id, wanted = number_of(ask.path["run"]), ask.body
    known = await found(ask, run_id)
    _note(ask, known)
    ask.must_match(etag_of_run(known))
    if wanted.run_at is None and wanted.priority is None:
        raise BadField("say where to: run_at, priority, or both", field="run_at")
    at = reading.instant(wanted.run_at, "run_at")
    answer = await runs.move(ask.desk.client, run_id, at=at, band=wanted.priority, version=_version(ask, known))
    return Changed(run=str(run_id), answer=answer.name.lower())


async def cancel(ask: Ask[MaybeWhy, Nothing]) -> Changed:
    """Take it back, or ask it to stop."""
    run_id = number_of(ask.path["run"])
    known = await found(ask, run_id)
    _note(ask, known)
    ask.must_match(etag_of_run(known))
    answer = await runs.cancel(ask.desk.client, run_id, ask.body.reason, version=_version(ask, known))
    return Changed(run=str(run_id), answer=answer.name.lower())


async def retry(ask: Ask[None, Nothing]) -> Changed:
    """Again, now."""
    run_id = number_of(ask.path["run"])
    known = await found(ask, run_id)
    _note(ask, known)
    ask.must_match(etag_of_run(known))
    return Changed(run=str(await runs.retry(ask.desk.client, run_id)), answer=Answer.ACCEPTED.name.lower())


def _version(ask: Ask[Any, Any], known: Live | Ended) -> int:
    """The version to compare in the store's own step; 0, any, where the caller asked for none."""
    return known.version if isinstance(known, Live) and ask.headers.get("if-match", "").strip() not in ("", "*") else 0


def _note(ask: Ask[Any, Any], known: Live | Ended) -> None:
    ask.before = {"run": str(known.run.id), "task": known.run.task, "state": known.state.name}
    ask.after = ask.body


ONE = {"task": "mail.send", "arguments": {"to": "ada@example.org"}, "priority": 2}

ROUTES = (
    Route(
        verb="POST", path=f"{API}/runs", role=Role.OPERATOR, also=(Role.SCHEDULER,), rule=Rule.QUEUE, handler=submit,
        words="Store one run.", body=NewRun, answer=Accepted, status=201, logged=Logged.SUMMED, example=ONE,
    ),
    Route(
        verb="POST", path=f"{API}/runs/bulk", role=Role.OPERATOR, also=(Role.SCHEDULER,), rule=Rule.QUEUE,
        handler=submit_bulk, words="Store many runs in one step: all or none.", body=NewRuns, answer=AcceptedAll,
        status=201, logged=Logged.SUMMED, body_bytes_max=BULK_BYTES_MAX, example={"runs": [ONE]},
    ),
    Route(
        verb="GET", path=f"{API}/runs", role=Role.VIEWER, rule=Rule.QUEUE, handler=listing,
        words="Runs, newest first: live ones and the history.", query=RunsWanted, answer=RunsPage,
    ),
    Route(
        verb="GET", path=f"{API}/runs/{{run}}", role=Role.VIEWER, also=(Role.SCHEDULER,), rule=Rule.QUEUE, handler=show,
        words="One run and its life so far; with `wait_seconds`, as soon as it is over.", query=Waiting, answer=RunPage,
    ),
    Route(
        verb="PATCH", path=f"{API}/runs/{{run}}", role=Role.OPERATOR, rule=Rule.QUEUE, handler=change, body=Change,
        words="Give a waiting run another time or priority; `If-Match` compares its version.", answer=Changed,
        logged=Logged.EACH, example={"priority": 0},
    ),
    Route(
        verb="POST", path=f"{API}/runs/{{run}}/cancel", role=Role.OPERATOR, rule=Rule.QUEUE, handler=cancel,
        words="Take a run back; where it runs already, ask it to stop.", body=MaybeWhy, answer=Changed,
        logged=Logged.EACH, example={"reason": "no longer wanted"},
    ),
    Route(
        verb="POST", path=f"{API}/runs/{{run}}/retry", role=Role.OPERATOR, rule=Rule.QUEUE, handler=retry,
        words="Run it again now: a dead, cancelled or skipped one as a new run.", answer=Changed, logged=Logged.EACH,
    ),
)  # fmt: skip
