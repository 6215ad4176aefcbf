"""Gangs in virtual time: all begin or none, and slots do not stand empty for longer than was said (R2.7)."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

import msgspec

from shike.clock import MICROS
from shike.ids.runs import BUCKET_BITS
from shike.model import RECORD_VERSION, Gang, Options, Run, State, Ties
from shike.operate.explain import explain
from shike.store.guards import Entry
from shike.track import gang as rules
from shike.worker.worker import Worker
from tests.unit.worker.world import World, run


async def submit_gang(world: World, size: int, least: int = 0, seconds: float = 5.0, **fields: Any) -> list[int]:
    (first,) = await world.submit("nothing")  # a number that nobody else has
    first <<= 10
    gang = Gang(f"{first}.0", size, least or size, seconds)
    ids = [first + (number << BUCKET_BITS) for number in range(size)]
    packed = msgspec.json.encode(Options(gang=gang))
    ties, now = Ties(first, size), world.clock.wall()
    runs = [Run(RECORD_VERSION, one, "work", b"{}", due_at=now, ties=ties, options=packed, **fields) for one in ids]
    await world.store.submit([Entry(one) for one in runs])
    return ids


async def muster_of(world: World, ids: Sequence[int]) -> rules.Muster:
    rows = await world.store.controls(f"{rules.GANG_KEY}{ids[0]}.0")
    return rules.decoded(rows[0].value) if rows else rules.Muster()


def beginnings(world: World, seconds: float = 1.0) -> dict[int, float]:
    """When each run began."""
    from shike.worker.context import current

    began: dict[int, float] = {}

    async def work() -> None:
        began[current().run.id] = world.loop.time()
        await asyncio.sleep(seconds)

    world.task(work)
    return began


def test_nobody_begins_before_all_have_a_slot() -> None:
    async def story(world: World) -> None:
        began = beginnings(world)
        await world.worker(slots=2)
        ids = await submit_gang(world, 3, seconds=60.0)
        await asyncio.sleep(10)
        assert began == {}
        assert len((await muster_of(world, ids)).places) == 2
        await world.worker(slots=2)
        await asyncio.sleep(5)
        assert began.keys() == set(ids)
        assert max(began.values()) - min(began.values()) <= 0.6, "as far as two looks are apart"
        for run_id in ids:
            assert (await world.ended(run_id)).state is State.SUCCESS
            assert [attempt.number for attempt in await world.store.attempts(run_id)] == [1]

    run(story)


def test_as_many_as_are_needed_begin_and_the_others_follow_when_they_can() -> None:
    async def story(world: World) -> None:
        began = beginnings(world, 3.0)
        await world.worker(slots=2)
        ids = await submit_gang(world, 3, least=2)
        await asyncio.sleep(2)
        assert len(began) == 2
        await asyncio.sleep(5)
        assert began.keys() == set(ids)

    run(story)


def test_slots_are_given_back_when_the_time_is_over_and_others_use_them() -> None:
    async def story(world: World) -> None:
        began = beginnings(world)
        worker, _ = await world.worker(slots=2)
        ids = await submit_gang(world, 3, seconds=5.0)
        await asyncio.sleep(1)
        (other,) = await world.submit("work")
        await asyncio.sleep(3)
        assert len(worker._gangs) == 2 and began == {}
        await asyncio.sleep(2)
        assert began.keys() == {other}, "it had to wait for as long as the gang had the slots, and no longer"
        assert (await muster_of(world, ids)).round == 1
        for run_id in ids:
            live = await world.live(run_id)
            assert (live.state, live.attempts) == (State.SCHEDULED, 0), "no attempt was spent"
        await world.worker(slots=1)
        await asyncio.sleep(60)
        assert began.keys() == {other, *ids}

    run(story)


def test_two_gangs_that_stand_in_each_others_way_both_get_their_turn() -> None:
    async def story(world: World) -> None:
        began = beginnings(world)
        for _ in range(4):
            await world.worker(slots=1)
        one = await submit_gang(world, 3, seconds=5.0)
        other = await submit_gang(world, 3, seconds=5.0)
        await asyncio.sleep(300)
        assert began.keys() == {*one, *other}

    run(story)


def test_a_worker_that_dies_with_a_slot_does_not_count_and_its_run_is_placed_again() -> None:
    async def story(world: World) -> None:
        began = beginnings(world)
        _, dying = await world.worker(slots=1)
        ids = await submit_gang(world, 2, seconds=60.0)
        await asyncio.sleep(1)
        assert len((await muster_of(world, ids)).places) == 1
        await world.kill(dying)
        await world.worker(slots=1)
        await asyncio.sleep(2)
        assert began == {}, "one place is a dead one's"
        await world.worker(slots=1)
        await asyncio.sleep(30)
        assert began.keys() == set(ids)

    run(story)


def test_a_gang_that_cannot_be_placed_in_time_expires() -> None:
    async def story(world: World) -> None:
        began = beginnings(world)
        await world.worker(slots=1)
        ids = await submit_gang(world, 2, seconds=5.0, expires_at=world.clock.wall() + 20 * MICROS)
        await asyncio.sleep(120)
        assert began == {}
        states = [(await world.store.find(run_id)).state for run_id in ids]  # type: ignore[union-attr]
        assert states == [State.SKIPPED] * 2

    run(story)


def test_a_run_that_waits_for_its_gang_can_be_cancelled_and_is_given_back_by_a_worker_that_stops() -> None:
    async def story(world: World) -> None:
        beginnings(world)
        worker, _ = await world.worker(slots=2)
        ids = await submit_gang(world, 3, seconds=60.0)
        await asyncio.sleep(1)
        held = [run_id for run_id in ids if (await world.live(run_id)).state is State.RUNNING]
        worker._cancel(held[0])
        await asyncio.sleep(1)
        assert (await world.ended(held[0])).state is State.CANCELLED
        await stopped(worker)
        assert (await world.live(held[1])).state is State.SCHEDULED
        assert len(worker._gangs) == 0

    run(story)


async def stopped(worker: Worker) -> None:
    await worker.stop(1.0)


def test_while_slots_are_kept_nothing_is_claimed_ahead() -> None:
    async def story(world: World) -> None:
        beginnings(world)
        worker, _ = await world.worker(slots=4)
        worker.claims.runs_per_second = 10_000.0
        await submit_gang(world, 9, seconds=60.0)
        await asyncio.sleep(0.5)
        assert len(worker._gangs) <= 4
        worker.claims.runs_per_second = 10_000.0
        ids = await world.submit("work", 50)
        await asyncio.sleep(0.2)
        states = [(await world.store.find(run_id)).state for run_id in ids]  # type: ignore[union-attr]
        assert State.RUNNING not in states

    run(story)


def test_it_is_told_what_a_gang_waits_for() -> None:
    async def story(world: World) -> None:
        beginnings(world)
        await world.worker(slots=2)
        ids = await submit_gang(world, 3, seconds=5.0)
        await asyncio.sleep(2)
        told = await explain(world.store, world.clock, ids[0])
        assert told.words == "it waits for its gang: 2 of the 3 slots that it needs"
        await asyncio.sleep(4)
        told = await explain(world.store, world.clock, ids[0])
        assert told.words == "it waits for its gang: 0 of the 3 slots that it needs; its slots were given back 1 time"
        await world.worker(slots=1)
        await asyncio.sleep(60)
        assert (
            await explain(world.store, world.clock, ids[0])
        ).words == "it has no route: whichever worker of its queue was free first claims it"

    run(story)
