"""Slots: time-outs, cancellation, and what does not start in time; then any mixture of it all."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shike.model import Backoff, Live, Misfire, OnUnknown, Options, State
from shike.store.verbs import Move
from shike.worker.context import current
from shike.worker.outcome import Snooze
from tests.unit.worker.world import World, cancel_myself, end, of_one_slot, read_attempt, run

# ---------------------------------------------------------------- stopping


def test_a_handler_that_takes_too_long_fails_with_a_time_out() -> None:
    async def story(world: World) -> None:
        async def slow() -> None:
            await asyncio.sleep(60)

        world.task(slow, timeout_seconds=2.0)
        ended = await end(world, "slow", 2.1)
        assert ended.state is State.DEAD and ended.reason == "HandlerTimeout: ran longer than 2 s"
        assert read_attempt(ended.trace).state is State.DEAD

    of_one_slot(story)


def test_a_runs_own_time_out_wins_over_its_tasks() -> None:
    async def story(world: World) -> None:
        async def slow() -> None:
            await asyncio.sleep(3)

        world.task(slow, timeout_seconds=2.0)
        patient = msgspec.json.encode(Options(timeout_seconds=10.0))
        assert (await end(world, "slow", 3.1, options=patient)).state is State.SUCCESS

    of_one_slot(story)


def test_time_outs_are_retried_as_failures_are() -> None:
    async def story(world: World) -> None:
        starts = []

        async def slow() -> None:
            starts.append(world.loop.time())
            await asyncio.sleep(60)

        world.task(slow, timeout_seconds=1.0, retry=Backoff(attempts=3, base_seconds=0.5, jitter=0.0))
        ended = await end(world, "slow", 10)
        assert ended.state is State.DEAD and ended.attempts == 3
        assert len(starts) == 3

    of_one_slot(story)


def test_a_handler_that_ends_within_its_last_words_is_believed() -> None:
    async def story(world: World) -> None:
        async def rescues_itself() -> str:
            try:
                await asyncio.sleep(60)
            except asyncio.CancelledError:
                return "half of it"
            return "all of it"

        async def breaks_down() -> None:
            try:
                await asyncio.sleep(60)
            except asyncio.CancelledError:
                raise OSError("the file is half written") from None

        world.task(rescues_itself, timeout_seconds=1.0)
        world.task(breaks_down, timeout_seconds=1.0)
        assert (await end(world, "rescues_itself", 1.1)).result == b'"half of it"'
        assert "half written" in (await end(world, "breaks_down", 1.1)).reason

    of_one_slot(story)


def test_a_time_out_that_was_met_is_not_held_against_the_next_run() -> None:
    async def story(world: World) -> None:
        async def some() -> None:
            await asyncio.sleep(0.9)

        world.task(some, timeout_seconds=1.0)
        ids = await world.submit("some", 5)
        await asyncio.sleep(10)
        assert [(await world.ended(one)).state for one in ids] == [State.SUCCESS] * 5

    of_one_slot(story)


def test_a_handler_that_ignores_its_cancellation_is_given_up_and_its_slot_replaced(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async def story(world: World) -> None:
        async def stubborn() -> str:
            while world.loop.time() < 40:
                try:
                    await asyncio.sleep(60)
                except asyncio.CancelledError:
                    continue
            return "late"

        async def next_one() -> None: ...

        world.task(stubborn, timeout_seconds=1.0)
        world.task(next_one)
        worker, _ = await world.worker(slots=1)
        (lost,) = await world.submit("stubborn")
        (following,) = await world.submit("next_one")
        await asyncio.sleep(20)
        assert "HandlerTimeout" in (await world.ended(lost)).reason
        assert (await world.ended(following)).state is State.SUCCESS
        assert worker.slots.abandoned == 1
        await asyncio.sleep(60)
        assert worker.stale == 0, "what it says at last is nobody's business"

    with caplog.at_level(logging.CRITICAL):
        run(story)


def test_a_running_run_is_cancelled_and_not_tried_again() -> None:
    async def story(world: World) -> None:
        heard = []

        async def long() -> None:
            try:
                await asyncio.sleep(60)
            finally:
                heard.append(current().cancelled)

        world.task(long, retry=Backoff(attempts=5))
        (run_id,) = await world.submit("long")
        await asyncio.sleep(1)
        await _cancel(world, run_id)
        await asyncio.sleep(0.01)
        assert (await world.ended(run_id)).state is State.CANCELLED
        assert heard == ["cancelled by request"]

    of_one_slot(story)


def test_a_cancelled_handler_that_breaks_down_is_cancelled_all_the_same() -> None:
    async def story(world: World) -> None:
        async def long() -> None:
            try:
                await asyncio.sleep(60)
            except asyncio.CancelledError:
                raise RuntimeError("in the middle of it") from None

        world.task(long, retry=Backoff(attempts=5))
        (run_id,) = await world.submit("long")
        await asyncio.sleep(1)
        await _cancel(world, run_id)
        await asyncio.sleep(0.01)
        assert (await world.ended(run_id)).state is State.CANCELLED

    of_one_slot(story)


def test_a_run_that_was_claimed_ahead_is_cancelled_before_it_begins() -> None:
    async def story(world: World) -> None:
        begun = []

        async def work() -> None:
            begun.append(current().run.id)
            await asyncio.sleep(0.2)

        world.task(work)
        worker, _ = await world.worker(slots=1)
        worker.claims.runs_per_second = 1_000.0
        ids = await world.submit("work", 10)
        await asyncio.sleep(0.1)
        assert len(worker.slots.queued) == 9
        await _cancel(world, ids[5])
        await asyncio.sleep(0.05)
        ended = await world.ended(ids[5])
        assert ended.state is State.CANCELLED and not ended.trace, "no attempt was made"
        await asyncio.sleep(5)
        assert begun == [one for one in ids if one != ids[5]]

    run(story)


async def _cancel(world: World, run_id: int) -> None:
    await world.store.move([Move(run_id=run_id, version=0, to=State.CANCELLED, reason="cancelled by request")])


# ---------------------------------------------------------------- too late to begin


async def _late_world(world: World) -> tuple[list[int], Callable[..., Any]]:
    begun: list[int] = []

    async def work() -> Any:
        begun.append(current().attempt)
        if len(begun) == 1:
            return Snooze(120.0)
        if len(begun) == 2:
            raise ValueError("once more")
        return None

    world.task(work, retry=Backoff(attempts=3, base_seconds=120, max_seconds=120, jitter=0.0))
    return begun, work


def test_what_started_in_time_is_never_missed_when_it_comes_back() -> None:
    """A misfire, and an expiry, is a start that did not happen: a snooze and a retry are no such thing."""

    async def story(world: World) -> None:
        begun, _ = await _late_world(world)
        due = world.clock.wall()
        words: dict[str, Any] = {"misfire": Misfire.SKIP, "misfire_seconds": 60.0, "expires_at": due + 60_000_000}
        await world.worker(slots=1)
        (run_id,) = await world.submit("work", **words)
        await asyncio.sleep(400)
        assert (await world.ended(run_id)).state is State.SUCCESS
        assert begun == [1, 1, 2]

    run(story)


def test_what_was_rescued_long_after_its_time_is_run_again() -> None:
    async def story(world: World) -> None:
        async def work() -> None: ...

        world.task(work)
        (run_id,) = await world.rescued("work", misfire=Misfire.SKIP, misfire_seconds=60.0)
        await asyncio.sleep(7_200)
        await world.worker(slots=1)
        await asyncio.sleep(1)
        assert (await world.ended(run_id)).state is State.SUCCESS

    run(story)


def test_what_did_not_start_in_time_is_skipped_with_a_reason_and_no_attempt() -> None:
    async def story(world: World) -> None:
        async def work() -> None:
            raise AssertionError("must not start")

        world.task(work)
        due = world.clock.wall()
        (missed,) = await world.submit("work", misfire=Misfire.SKIP, misfire_seconds=60.0)
        (expired,) = await world.submit("work", expires_at=due + 10_000_000)
        await asyncio.sleep(120)
        await world.worker(slots=1)
        await asyncio.sleep(1)
        for run_id, words in ((missed, "missed: 120 s late"), (expired, "expired")):
            ended = await world.ended(run_id)
            assert ended.state is State.SKIPPED and words in ended.reason and ended.attempts == 0

    run(story)


# ---------------------------------------------------------------- any mixture

plans = st.lists(
    st.tuples(st.sampled_from(["ok", "wait", "fail", "exit", "self", "slow"]), st.integers(0, 3)), max_size=40
)


@given(plans, st.integers(1, 6))
def test_any_mixture_of_handlers_leaves_nothing_undone(plan: list[tuple[str, int]], slots: int) -> None:
    """P1: each run ends once, the worker holds nothing, and no slot is lost."""

    async def story(world: World) -> None:
        async def work(kind: str, pause: int) -> None:
            if kind == "wait" or pause:
                await asyncio.sleep(pause / 10)
            if kind == "fail":
                raise ValueError
            if kind == "exit":
                raise SystemExit
            if kind == "self":
                cancel_myself()
            if kind == "slow":
                await asyncio.sleep(3_600)

        world.task(work, timeout_seconds=5.0)
        worker, _ = await world.worker(slots=slots)
        ids = [
            (await world.submit("work", args=msgspec.json.encode({"kind": kind, "pause": pause})))[0]
            for kind, pause in plan
        ]
        await asyncio.sleep(10 + 5.5 * len(plan))
        good = [kind in ("ok", "wait", "self") for kind, _ in plan]
        assert [(await world.ended(one)).state is State.SUCCESS for one in ids] == good
        assert not worker.slots.busy and worker.slots.abandoned == 0 and not worker._holds
        (last,) = await world.submit("work", args=b'{"kind":"ok","pause":0}')
        await asyncio.sleep(1)
        assert (await world.ended(last)).state is State.SUCCESS

    run(story)


def test_an_unknown_outcome_is_not_repeated_where_that_would_do_harm() -> None:
    async def story(world: World) -> None:
        async def pay() -> None: ...

        world.task(pay)
        options = msgspec.json.encode(Options(on_unknown=OnUnknown.FAIL))
        (run_id,) = await world.rescued("pay", options=options)
        await world.worker(slots=1)
        await asyncio.sleep(1)
        found = await world.store.find(run_id)
        assert not isinstance(found, Live) and found is not None and found.state is State.DEAD

    run(story)
