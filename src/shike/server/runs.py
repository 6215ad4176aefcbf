"""Runs: store one or many, look, move, cancel, retry, wait for, follow (R0.1, R2.1)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec
from msgspec import Struct

from shike.call import Call
from shike.errors import BadArguments, BadField, BadInput, Conflict, NotFound, WaitTimeout
from shike.model import Ended, Live, State
from shike.operate import runs
from shike.operate.accept import EMPTY, Tasks, Wish, call_of
from shike.operate.facts import RunFacts
from shike.secret import redacted
from shike.server import reading
from shike.server.ask import Ask, Nothing, Reply, etag_of
from shike.server.bounds import BULK_BYTES_MAX
from shike.server.paging import number_of, place_of
from shike.server.roles import Access, Role
from shike.server.routes import API, Logged, Route, Rule
from shike.server.shapes import NONE, Change, MaybeWhy, NewRun, NewRuns, RunsWanted, Waiting
from shike.store.base import RunFilter
from shike.store.codec import Plain
from shike.store.verbs import Answer
from shike.task import DEFAULT_QUEUE

AGENT_TASK = "task"  # the handler of work that names none: an agent that reads what is to be done
PLAIN = Plain()
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
    call = _call(ask, ask.desk.tasks, ask.body, "", ask.idempotency_key)
    handle = await ask.desk.client.submit(call)  # together with what others submit in the same turn
    await _same_again(ask, [call], [(int(handle.id), handle.fresh)])
    accepted = Accepted(run=handle.id, fresh=handle.fresh)
    headers = {"location": f"{API}/runs/{handle.id}"}
    return Reply(value=accepted, status=201 if handle.fresh else 200, headers=headers)


async def submit_bulk(ask: Ask[NewRuns, Nothing]) -> Reply:
    """Store many runs, all or none."""
    tasks, key = ask.desk.tasks, ask.idempotency_key
    calls = [_call(ask, tasks, run, f"runs[{n}].", f"{key}#{n}" if key else "") for n, run in enumerate(ask.body.runs)]
    client = ask.desk.client
    answers = [(answer.run_id, answer.fresh) for answer in await client.deliver(await client.entries(calls))]
    await _same_again(ask, calls, answers)
    return Reply(value=AcceptedAll(runs=[Accepted(run=str(run), fresh=fresh) for run, fresh in answers]), status=201)


def _call(ask: Ask[Any, Any], tasks: Tasks, run: NewRun, where: str, idempotency_key: str) -> Call[Any]:
    try:
        return _call_of(ask.who, tasks, run, idempotency_key, ask.desk.clock.wall())
    except BadField as error:
        raise BadField(str(error), field=f"{where}{error.field}") from None
    except BadInput as error:
        raise BadField(str(error), field=f"{where}{_field_of(run, error)}") from None


def _call_of(who: Access, tasks: Tasks, run: NewRun, idempotency_key: str, now: int) -> Call[Any]:
    _refuse_not_yet(run)
    if run.due_at is not None and run.delay_seconds is not None:
        raise BadField("due_at and delay_seconds exclude each other", field="delay_seconds")
    if run.key and run.task_id:
        raise BadField("task_id is the key; give one of them", field="key")
    if not run.task and not run.task_id:
        raise BadField("say what is to be done: a task, or a task_id for an agent", field="task")
    task = tasks.find(run.task or AGENT_TASK)
    key = run.task_id or run.key or (f"http/{who.id}/{idempotency_key}" if idempotency_key else "")
    wish = Wish(
        at=run.due_at,
        delay_seconds=run.delay_seconds,
        key=key,
        key_ttl=run.key_seconds,
        queue=run.queue,
        band=run.priority,
        expires=run.expires_seconds,
        retry=run.retry,
        timeout=run.timeout_seconds,
        on_unknown=run.on_unknown,
        owner=run.owner,
    )
    if who.queues:
        who.may_use(run.queue or task.definition.queue or DEFAULT_QUEUE)
    call = call_of(task, _arguments(run), wish)
    if call.how.at:
        call.entry(1, now, PLAIN)  # refuses what is long past
    return call


def _arguments(run: NewRun) -> bytes:
    if run.task:
        if run.description or run.tags:
            raise BadField("description and tags go to an agent: leave out `task`, or put them into its arguments",
                           field="description" if run.description else "tags")  # fmt: skip
        return EMPTY if run.arguments is NONE else reading.json_object(run.arguments, "arguments")
    if run.arguments is not NONE:
        raise BadField("arguments are those of a task: name it", field="arguments")
    return msgspec.json.encode({"task_id": run.task_id, "description": run.description, "tags": run.tags})


def _refuse_not_yet(run: NewRun) -> None:
    """What other rooms are still being built for: refused, rather than taken and not kept."""
    if run.dependencies:
        raise BadField("dependencies are not taken over HTTP yet", field="dependencies")
    if run.assigned_to:
        raise BadField("runs cannot be assigned to one worker over HTTP yet", field="assigned_to")
    if run.tags and run.task:
        raise BadField("capability tags are not taken for a named task yet", field="tags")


def _field_of(run: NewRun, error: BadInput) -> str:
    """Which field a refusal of the rooms below is about, as far as its words tell."""
    if isinstance(error, BadArguments):
        return "arguments"
    words = str(error)
    for field in ("arguments", "queue", "band", "owner", "key", "retry", "attempts", "delay"):
        if field in words:
            return {"band": "priority", "attempts": "retry", "delay": "retry"}.get(field, field)
    return "due_at" if "due" in words else "task"


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
