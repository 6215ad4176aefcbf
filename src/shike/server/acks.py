"""From what a worker in another language says of an attempt to the acknowledgement that it is."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from shike.bounds import RESULT_BYTES_MAX
from shike.clock import MICROS
from shike.errors import BadField
from shike.model import TERMINAL, Backoff, Live, Options, State
from shike.server import reading
from shike.server.ask import Ask
from shike.server.paging import number_of
from shike.server.shapes import NewAck
from shike.store.verbs import Ack, Claimed
from shike.track import settle


async def acks_of(ask: Ask[Any, Any], sent: Sequence[NewAck]) -> list[Ack]:
    """The acknowledgements. Of a run that is not known to be this session's it is one that the store will refuse, or
    know already: the store answers, never we. Raises `BadField` for what cannot be kept."""
    is_read = reading.flat_values([one.result for one in sent]) is not None
    return [await _ack_of(ask, place, one, is_read) for place, one in enumerate(sent)]


async def _ack_of(ask: Ask[Any, Any], place: int, sent: NewAck, is_read: bool) -> Ack:
    result = bytes(sent.result) if is_read else reading.json_value(sent.result, f"acks[{place}].result")
    if len(result) > RESULT_BYTES_MAX:
        raise BadField(f"a result has up to {RESULT_BYTES_MAX:,} bytes of JSON", field=f"acks[{place}].result")
    run_id = number_of(sent.run)
    known = ask.desk.grants.find(run_id, sent.token) or await _look(ask, run_id, sent.token)
    if known is None:
        return Ack(run_id, sent.token, State.SUCCESS if sent.outcome == "ok" else State.FAILED)
    claimed, claimed_at = known
    now = ask.desk.clock.wall()
    facts = settle.Facts(
        claimed, ask.path["session"], "", claimed_at, max(now - round(sent.seconds * MICROS), claimed_at), now
    )
    ack = _meant(ask, facts, sent, result)
    if claimed.run.options:
        ack = await _with_repeat(ask, ack, claimed)
    return await _with_news(ask, ack, claimed)


async def _look(ask: Ask[Any, Any], run_id: int, token: int) -> tuple[Claimed, int] | None:
    """What the store knows of a run under this token: this server did not grant it, or forgot."""
    known = await ask.desk.store.find(run_id)
    if not isinstance(known, Live) or known.token != token:
        return None
    return Claimed(known.run, token, known.attempts + 1, known.run_at, known.crashes), ask.desk.clock.wall()


def _meant(ask: Ask[Any, Any], facts: settle.Facts, sent: NewAck, result: bytes) -> Ack:
    run, options = facts.claimed.run, settle.options_of(facts.claimed.run.options)
    match sent.outcome:
        case "ok":
            return settle.succeeded(
                facts, ask.desk.client.codec.encode(result) if _keeps(ask, run.task, options) else b""
            )
        case "failed":
            error = sent.error or "the worker did not say why"
            return settle.failed(facts, error, sent.log, _policy(ask, run.task, options), ask.desk.entropy.random)
        case "retry":
            error = sent.error or "the worker asked for another try"
            if facts.claimed.attempt >= _policy(ask, run.task, options).attempts:
                return settle.dead(facts, error, sent.log)
            return settle.retried(facts, error, sent.log, sent.delay_seconds, 0)
        case "snooze":
            return settle.snoozed(facts, sent.delay_seconds)
        case "cancelled":
            return settle.cancelled(facts, sent.error or "cancelled by its worker")
        case "release":
            return settle.given_back(facts.claimed)


def _policy(ask: Ask[Any, Any], task: str, options: Options) -> Backoff:
    """The run's own, else the task's where the app has it, else a single attempt."""
    app = ask.desk.app
    return options.retry or (app.tasks[task].retry if app is not None and task in app.tasks else Backoff())


def _keeps(ask: Ask[Any, Any], task: str, options: Options) -> bool:
    app = ask.desk.app
    if options.keep_result is not None:
        return options.keep_result
    return app.tasks[task].keep_result if app is not None and task in app.tasks else True


async def _with_news(ask: Ask[Any, Any], ack: Ack, claimed: Claimed) -> Ack:
    """Where it is a success of a task whose outlets this server's app has, they are told."""
    app, client = ask.desk.app, ask.desk.client
    tellers = app.tasks[claimed.run.task].tellers if app is not None and claimed.run.task in app.tasks else ()
    if ack.state is not State.SUCCESS or not tellers:
        return ack
    ids = iter([await client.take_id(beside=claimed.run.id) for _ in tellers])
    return settle.with_news(ack, claimed.run, tellers, lambda: next(ids), client.codec.encode)


async def _with_repeat(ask: Ask[Any, Any], ack: Ack, claimed: Claimed) -> Ack:
    """Where it ends a run of a fixed-delay schedule it plans the next moment with it."""
    run = claimed.run
    if ack.state not in TERMINAL or settle.options_of(run.options).repeat_seconds is None:
        return ack
    run_id = await ask.desk.client.take_id(run.schedule)
    return settle.with_repeat(ack, run, lambda: run_id)
