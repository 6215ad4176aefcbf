"""What a worker says of its attempts, and what it says of itself to whoever replaces it."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import pytest

from shike.clock import MICROS
from shike.errors import StoreFull
from shike.model import Executor
from shike.store.verbs import Ack, Answer
from shike.worker.threads import ThreadPool
from tests.unit.worker.world import World, read_attempt, run


def test_no_attempt_begins_before_it_was_granted_however_late_the_workers_clock_is() -> None:
    async def story(world: World) -> None:
        async def work() -> None:
            await asyncio.sleep(0.1)

        world.task(work)
        _, member = await world.worker()
        member._store_ahead -= 30 * MICROS  # a beat that took long may have taught it so
        (run_id,) = await world.submit("work")
        await asyncio.sleep(0.5)
        attempt = read_attempt((await world.ended(run_id)).trace)
        assert attempt.claimed_at <= attempt.started_at <= attempt.ended_at

    run(story)


def test_handlers_that_were_given_up_are_counted_wherever_they_ran() -> None:
    async def story(world: World) -> None:
        pool = ThreadPool(1)
        worker, _ = await world.worker(pools={Executor.THREAD: pool})
        assert worker.abandoned == 0
        pool.abandoned = 2
        worker.slots.abandoned = 1
        assert worker.abandoned == 3

    run(story)


def test_a_worker_whose_reports_are_not_taken_claims_no_more_until_they_are(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shike.worker.worker.ACKS_WAITING_MAX", 10)
    monkeypatch.setattr("shike.worker.acks.ACK_BATCH_MAX", 10)

    async def story(world: World) -> None:
        async def work() -> None: ...

        world.task(work)
        settle = world.store.settle

        async def never(session: str, acks: Sequence[Ack]) -> list[Answer]:
            raise StoreFull("no room for what ended")

        world.store.settle = never  # type: ignore[method-assign]
        worker, _ = await world.worker(slots=4)
        await world.submit("work", 500)
        await asyncio.sleep(5)
        assert len(worker.acks) <= 10 + 2 * 4, "or they would gather until memory is full"
        world.store.settle = settle  # type: ignore[method-assign]
        await asyncio.sleep(5)
        assert (await world.store.counts()).ended == {"SUCCESS": 500}

    run(story)
