"""What an end means: pure, total, and the same for every executor."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shike.bounds import ERROR_CHARS_MAX
from shike.clock import to_micros
from shike.model import Attempt, Backoff, Growth, Options, Run, State
from shike.store.verbs import Ack, Claimed
from shike.task import Definition
from shike.track.settle import Facts
from shike.worker.executor import HandlerFailed
from shike.worker.outcome import Cancel, Retry, Snooze
from shike.worker.verdict import Stop, judge

FIVE = Backoff(attempts=5, growth=Growth.FIXED, base_seconds=10.0, jitter=0.0)


async def handler() -> None: ...


def judged(
    value: Any = None,
    error: BaseException | None = None,
    why: Stop = Stop.NO,
    *,
    attempt: int = 1,
    retry: Backoff = FIVE,
    options: Options | None = None,
    keep_result: bool = True,
) -> Ack | None:
    run = Run(1, 7, "t", options=msgspec.json.encode(options) if options else b"")
    facts = Facts(Claimed(run, 3, attempt, 100), "s", "w", 110, 120, 130)
    definition = Definition("t", handler, retry=retry, keep_result=keep_result)
    return judge(facts, definition, value, error, why, "because", lambda: 0.5)


def told(*args: Any, **kwargs: Any) -> Ack:
    ack = judged(*args, **kwargs)
    assert ack is not None
    return ack


def test_a_value_is_a_success_and_kept() -> None:
    ack = told({"n": 1})
    assert (ack.state, ack.result) == (State.SUCCESS, b'{"n":1}')
    assert told({"n": 1}, keep_result=False).result == b""
    assert told(None).result == b"null"
    assert told(None, keep_result=False).result == b""
    assert told(5, keep_result=False, options=Options(keep_result=True)).result == b"5"


def test_a_failure_is_tried_again_until_the_attempts_are_used_up() -> None:
    states = [told(error=ValueError("no"), attempt=attempt).state for attempt in (1, 4, 5, 6)]
    assert states == [State.FAILED, State.FAILED, State.DEAD, State.DEAD]
    ack = told(error=ValueError("no"))
    assert (ack.delay_seconds, ack.reason) == (10.0, "ValueError: no")


def test_a_runs_own_backoff_wins_over_its_tasks() -> None:
    once = Options(retry=Backoff(attempts=1))
    assert told(error=ValueError(), options=once).state is State.DEAD


def test_a_failure_told_by_another_process_keeps_its_words() -> None:
    ack = told(error=HandlerFailed("shop.Sold: out", "Traceback …"))
    assert ack.reason == "shop.Sold: out"
    assert msgspec.msgpack.decode(ack.trace, type=Attempt).traceback == "Traceback …"


@pytest.mark.parametrize("attempt", [1, 5])
def test_a_snooze_is_no_failure_and_no_attempt(attempt: int) -> None:
    ack = told(Snooze(90.0), attempt=attempt)
    assert (ack.state, ack.delay_seconds) == (State.SCHEDULED, 90.0)


def test_a_wish_to_be_tried_again_counts_as_an_attempt() -> None:
    ack = told(Retry(seconds=33.0, reason="busy"))
    assert (ack.state, ack.delay_seconds, ack.reason) == (State.FAILED, 33.0, "busy")
    assert told(Retry(seconds=33.0), attempt=5).state is State.DEAD
    when = datetime(2026, 5, 1, 12, tzinfo=timezone(timedelta(hours=8)))
    assert told(Retry(at=when)).run_at == to_micros(when)
    assert told(Retry(at=datetime(1960, 1, 1, tzinfo=UTC))).run_at == 1, "long past: at once"
    assert told(Retry(at=datetime(2026, 5, 1))).state is State.DEAD, "a naive time says no instant"


def test_who_cancels_itself_is_cancelled() -> None:
    ack = told(Cancel("sold out"))
    assert (ack.state, ack.reason) == (State.CANCELLED, "sold out")


@pytest.mark.parametrize("error", [asyncio.CancelledError(), OSError("half written")])
def test_what_was_stopped_is_judged_by_why_it_was_stopped(error: BaseException) -> None:
    assert told(error=error, why=Stop.CANCELLED).state is State.CANCELLED
    back = told(error=error, why=Stop.STOPPING, attempt=5)
    assert (back.state, back.run_at, back.trace) == (State.SCHEDULED, 100, b""), "no attempt is spent"
    late = told(error=error, why=Stop.TIMEOUT)
    assert late.state is State.FAILED
    assert late.reason == (
        "HandlerTimeout: because" if isinstance(error, asyncio.CancelledError) else "OSError: half written"
    )


@pytest.mark.parametrize("why", [Stop.CANCELLED, Stop.STOPPING, Stop.TIMEOUT])
def test_who_ends_well_though_it_was_stopped_is_believed(why: Stop) -> None:
    assert told(5, why=why).state is State.SUCCESS


@pytest.mark.parametrize("value", [None, 5, Snooze(1.0)])
@pytest.mark.parametrize("error", [None, ValueError(), asyncio.CancelledError()])
def test_of_a_lost_lease_nothing_is_said(value: Any, error: BaseException | None) -> None:
    assert judged(value, error, Stop.LOST) is None


values = st.one_of(
    st.none(),
    st.integers(),
    st.floats(),
    st.text(),
    st.binary(),
    st.just(object()),
    st.dictionaries(st.text(), st.floats()),
    st.builds(Snooze, st.floats()),
    st.builds(Cancel, st.text()),
    st.builds(Retry, st.floats(), st.none() | st.datetimes(), st.text()),
)
errors = st.none() | st.builds(ValueError, st.text(st.characters())) | st.just(asyncio.CancelledError())


@given(values, errors, st.sampled_from(Stop), st.integers(1, 7))
def test_every_end_has_a_verdict_that_a_store_can_take(
    value: Any, error: BaseException | None, why: Stop, attempt: int
) -> None:
    ack = judged(value, error, why, attempt=attempt)
    if ack is None:
        assert why is Stop.LOST
        return
    assert ack.state in (State.SUCCESS, State.FAILED, State.DEAD, State.CANCELLED, State.SCHEDULED)
    assert 0 <= ack.delay_seconds < float("inf") and ack.run_at >= 0
    assert len(ack.reason) <= ERROR_CHARS_MAX
    ack.reason.encode()
    if ack.trace:
        attempt_row = msgspec.msgpack.decode(ack.trace, type=Attempt)
        assert (attempt_row.number, attempt_row.token, attempt_row.state) == (attempt, 3, ack.state)
