"""From a row to the run it becomes, or the reason why it never can: decided from the row and the tasks alone."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias

import msgspec
from msgspec.structs import replace

from shike.bounds import ARGS_BYTES_MAX, DEDUPE_SECONDS, KEY_CHARS_MAX, RELAY_REMEMBER_SECONDS
from shike.call import Call, Task
from shike.clock import MICROS, WALL_MAX, to_datetime
from shike.errors import BadArguments, BadInput, BadTime, TooLarge
from shike.how import How
from shike.model import NEVER
from shike.outbox.rows import Options, Row
from shike.payload import to_json
from shike.store.codec import Codec, Plain
from shike.store.guards import Absent, Entry
from shike.task import Definition

Find: TypeAlias = Callable[[str], Task[..., Any]]

NO_DELAY = How().delay_seconds
KEY_PREFIX = "outbox/"  # of what the store remembers a row by


def written(call: Call[Any], now: int) -> tuple[str, str, str]:
    """A call as (task, arguments, options). What the task says is written out: whoever relays it needs no app.

    Raises `BadTime` for a call that is due in the past.
    """
    definition, how = call.definition, call.how
    call.entry(1, now, Plain())  # refuses what a submit would
    options = replace(
        how,
        queue=how.queue or definition.queue,
        band=how.band if how.band >= 0 else definition.band,
        expires_seconds=how.expires_seconds or definition.expires_seconds,
        on_unknown=how.on_unknown or definition.on_unknown,
        owner=how.owner or definition.owner,
    )
    return definition.name, call.payload.decode(), msgspec.json.encode(options).decode()


def spread_of(row: Row, call: Call[Any]) -> str:
    """What decides the virtual bucket of the row's run, however often it comes."""
    return call.how.key or row.identity


def call_of(row: Row, find: Find) -> Call[Any]:
    """The call that a row stands for. Raises `BadInput`, whose words are the reason."""
    if not 0 < row.created_at <= WALL_MAX:
        raise BadTime(f"created_at {row.created_at} is no instant in µs since 1970")
    if not 0 < len(row.identity) <= KEY_CHARS_MAX - len(KEY_PREFIX):
        raise BadInput("identity is empty or too long: let the database choose it, or write a UUID")
    task = find(row.task)
    payload = row.args.encode()
    if len(payload) > ARGS_BYTES_MAX:
        raise TooLarge(
            f"the arguments are more than {ARGS_BYTES_MAX:,} bytes; store the data elsewhere and pass a reference",
            size=len(payload),
            limit=ARGS_BYTES_MAX,
        )
    _check_object(payload)
    if task.definition.handler is not None:
        task.definition.decode(payload)
    call: Call[Any] = Call(task.definition, payload, _how(row, task))
    if call.how.at:
        call.entry(1, row.created_at, Plain())
    return call


def entry_of(row: Row, call: Call[Any], run_id: int, codec: Codec) -> Entry:
    """The run, which the store takes once for each row. Times count from when the row was written."""
    entry = call.entry(run_id, row.created_at, codec)
    once = Absent(key=f"{KEY_PREFIX}{row.identity}", seconds=RELAY_REMEMBER_SECONDS)
    return replace(entry, guards=(*entry.guards, once))


def anything(name: str) -> Task[..., Any]:
    """For a relay without an app: a task of any name, whose arguments only its worker can check."""
    return Task(None, Definition(name, None), _nothing)  # type: ignore[arg-type]  # it is never submitted by itself


def _nothing() -> None: ...


def _check_object(payload: bytes) -> None:
    try:
        values = msgspec.json.decode(payload, type=dict[str, Any])
    except (msgspec.DecodeError, RecursionError) as error:
        raise BadArguments(f"args is no JSON object of arguments by name: {error}") from None
    to_json(values, "arguments")  # refuses what is nested too deep


def _how(row: Row, task: Task[..., Any]) -> How:
    try:
        given = msgspec.json.decode(row.options, type=Options)
    except (msgspec.DecodeError, RecursionError) as error:
        raise BadInput(f"options cannot be read: {error}") from None
    if given.at and given.delay_seconds >= 0:
        raise BadInput("options name both `at` and `delay_seconds`; one of them says when")
    if given.at:
        task = task.at(_instant(given.at))
    elif given.delay_seconds not in (NO_DELAY, 0):
        task = task.at(_instant(row.created_at + task.in_(given.delay_seconds).how.delay_seconds * MICROS))
    if given.key:
        task = task.options(key=given.key, key_ttl=given.key_seconds or DEDUPE_SECONDS)
    return task.options(
        queue=given.queue or None,
        band=given.band if given.band != -1 else None,
        expires=given.expires_seconds or None,
        retry=given.retry,
        timeout=given.timeout_seconds,
        on_unknown=given.on_unknown,
        keep_result=given.keep_result,
        owner=given.owner,
    ).how


def _instant(at: float) -> Any:
    if not NEVER < at <= WALL_MAX:
        raise BadTime(f"it cannot be due at {at:.0f} µs since 1970; that is no instant of this calendar")
    return to_datetime(int(at))
