"""From what is sent of a run to the call that it means, or to a refusal that names the field."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import msgspec
from msgspec.structs import replace

from shike.call import Call, Task
from shike.errors import BadArguments, BadField, BadInput
from shike.model import Route
from shike.operate.accept import EMPTY, Tasks, Wish, call_of, how_of, payload_of
from shike.route.bounds import TAG_CHARS_MAX
from shike.route.tags import ANY, WORKER_TAG, check_tags
from shike.server import reading
from shike.server.roles import Access
from shike.server.shapes import NONE, NewRun, Work
from shike.store.codec import Plain
from shike.task import DEFAULT_QUEUE

AGENT_TASK: Final = "task"  # the handler of work that names none: an agent that reads what is to be done
PLAIN: Final = Plain()


def call_of_run(who: Access, tasks: Tasks, run: NewRun, where: str, idempotency_key: str, now: int) -> Call[Any]:
    """The call of a run that stands alone. `where`: the path to it; raises `BadField` with the whole path."""
    try:
        if run.key and run.task_id:
            raise BadField("task_id is the key; give one of them", field="key")
        if not run.task and not run.task_id:
            raise BadField("say what is to be done: a task, or a task_id for an agent", field="task")
        key = run.task_id or run.key or (f"http/{who.id}/{idempotency_key}" if idempotency_key else "")
        return call_of_work(who, tasks, run, run.task or AGENT_TASK, _arguments(run), now, key, run.key_seconds)
    except BadInput as error:
        raise placed(error, where) from None


def calls_of_runs(who: Access, tasks: Tasks, runs: Sequence[NewRun], idempotency_key: str, now: int) -> list[Call[Any]]:
    """As `call_of_run` for each. What plain runs of one task have in common is found once, and arguments without
    anything nested are looked at in one step."""
    values = reading.flat_values([run.arguments for run in runs])
    is_read = values is not None and all(isinstance(value, dict) for value in values)
    common: dict[tuple[str, str, int | None], Call[Any]] = {}
    calls: list[Call[Any]] = []
    for place, run in enumerate(runs):
        if not is_read or idempotency_key or not _is_plain(run):
            key = f"{idempotency_key}#{place}" if idempotency_key else ""
            calls.append(call_of_run(who, tasks, run, f"runs[{place}].", key, now))
            continue
        try:
            first = common.get((run.task, run.queue, run.priority))
            if first is None:
                first = common[run.task, run.queue, run.priority] = call_of_work(who, tasks, run, run.task, None, now)
            calls.append(Call(first.definition, payload_of(first.definition, bytes(run.arguments)), first.how))
        except BadInput as error:
            raise placed(error, f"runs[{place}].") from None
    return calls


def _is_plain(run: NewRun) -> bool:
    """Whether it says a task, its arguments, perhaps a queue and a priority, and no more."""
    return (
        run.task != ""
        and not (run.task_id or run.key or run.description or run.owner or run.tags or run.assigned_to)
        and run.due_at is None
        and run.delay_seconds is None
        and run.expires_seconds is None
        and run.retry is None
        and run.timeout_seconds is None
        and run.on_unknown is None
    )


def call_of_work(
    who: Access,
    tasks: Tasks,
    work: Work,
    name: str,
    arguments: bytes | None,
    now: int,
    key: str = "",
    seconds: float = 1.0,
) -> Call[Any]:
    """The call; without arguments (None) one whose caller will see to them. Raises `BadInput`, and `Forbidden` for a
    queue that is none of the caller's."""
    if work.due_at is not None and work.delay_seconds is not None:
        raise BadField("due_at and delay_seconds exclude each other", field="delay_seconds")
    task = tasks.find(name)
    wish = Wish(
        at=work.due_at,
        delay_seconds=work.delay_seconds,
        key=key,
        key_ttl=seconds,
        queue=work.queue,
        band=work.priority,
        expires=work.expires_seconds,
        retry=work.retry,
        timeout=work.timeout_seconds,
        on_unknown=work.on_unknown,
        owner=work.owner,
        route=_route(task, work),
    )
    if who.queues:
        who.may_use(work.queue or task.definition.queue or DEFAULT_QUEUE)
    call = Call(task.definition, EMPTY, how_of(task, wish)) if arguments is None else call_of(task, arguments, wish)
    if call.how.at:
        call.entry(1, now, PLAIN)  # refuses what is long past
    return call


def _arguments(run: NewRun) -> bytes:
    if run.task:
        if run.description:
            raise BadField(
                "a description goes to an agent: leave out `task`, or put it into its arguments", field="description"
            )
        return EMPTY if run.arguments is NONE else reading.json_object(run.arguments, "arguments")
    if run.arguments is not NONE:
        raise BadField("arguments are those of a task: name it", field="arguments")
    return msgspec.json.encode({"task_id": run.task_id, "description": run.description, "tags": run.tags})


def _route(task: Task[..., Any], work: Work) -> Route | None:
    """The task's own route, narrowed to workers with these tags, or to one; None: as the task says."""
    if not work.tags and not work.assigned_to:
        return None
    required = list(_checked(work.tags, "tags"))
    if work.assigned_to:
        if len(work.assigned_to) > TAG_CHARS_MAX - len(WORKER_TAG):
            raise BadField("no worker has a name as long as that", field="assigned_to")
        required += _checked([f"{WORKER_TAG}{work.assigned_to}"], "assigned_to")
    own = task.definition.route
    own = Route() if own is None or own.by == ANY else own
    return replace(own, required=_checked([*own.required, *required], "tags"))


def _checked(tags: Any, field: str) -> tuple[str, ...]:
    try:
        return check_tags(tags)
    except BadInput as error:
        raise reading.named(error, field) from None


def placed(error: BadInput, where: str) -> BadField:
    """The same words; the field that they are about, behind the path to the run."""
    field = error.field if isinstance(error, BadField) else _field_of(error)
    return BadField(str(error), field=f"{where}{field}")


def _field_of(error: BadInput) -> str:
    """Which field a refusal of the rooms below is about, as far as its words tell."""
    if isinstance(error, BadArguments):
        return "arguments"
    words = str(error)
    for field in ("arguments", "queue", "band", "owner", "key", "retry", "attempts", "delay", "tags"):
        if field in words:
            return {"band": "priority", "attempts": "retry", "delay": "retry"}.get(field, field)
    return "due_at" if "due" in words else "task"
