"""R3.12, the ABA case of optimistic acquisition: what was seen is there again, and yet it is not what was seen.

A process looks, sleeps, and acts; meanwhile others took the thing and put it back. State, owner and cursor are as they
were. What it acts on must be compared by something that only grows, or else it fires twice.
"""

from __future__ import annotations

import pytest

from shike.errors import StaleEpoch
from shike.model import State
from shike.store.verbs import Answer
from tests.contract.world import World

NAME = "daily/report"


async def test_a_lease_is_told_from_a_later_one_of_the_same_session_on_the_same_run(world: World) -> None:
    await world.session()
    first = await world.started()
    await world.beat(received=1)  # it says that it holds nothing: the claim's batch is released
    again = await world.take()
    assert (again.run.id, again.attempt) == (first.run.id, first.attempt)
    assert await world.settle(first, State.SUCCESS) is Answer.REFUSED
    assert (await world.live(first.run.id)).state is State.RUNNING
    assert await world.settle(again, State.SUCCESS) is Answer.ACCEPTED


async def test_a_worker_that_slept_while_others_had_its_run_and_gave_it_back_is_refused(world: World) -> None:
    await world.session()
    mine = await world.started()
    await world.lapse()
    await world.session("other")
    theirs = await world.take("other")
    assert await world.settle(theirs, State.SCHEDULED, "other") is Answer.ACCEPTED
    assert await world.settle(mine, State.SUCCESS) is Answer.REFUSED
    assert (await world.live(mine.run.id)).state in (State.SCHEDULED, State.PENDING)


async def test_a_run_that_was_moved_away_and_back_is_not_the_one_that_was_seen(world: World) -> None:
    at = world.after(60)
    run_id = await world.add(due_at=at)
    seen = await world.live(run_id)
    assert await world.move(run_id, State.SCHEDULED, run_at=world.after(90)) is Answer.ACCEPTED
    assert await world.move(run_id, State.SCHEDULED, run_at=at) is Answer.ACCEPTED
    assert (await world.live(run_id)).run_at == seen.run_at
    assert await world.move(run_id, State.CANCELLED, version=seen.version) is Answer.REFUSED


async def test_a_step_that_was_decided_before_a_pause_that_came_and_went_is_refused(world: World) -> None:
    """The moment lies in the pause. Version and cursor are as they were when the step was decided."""
    schedule = await world.schedule()
    decided = world.moment(schedule, 2)
    seen = await world.store.schedule(NAME)
    assert seen is not None
    world.clock.advance(1)
    await world.store.control_schedule(NAME, paused=True)
    world.clock.advance(2)
    now = await world.store.control_schedule(NAME, paused=False)
    assert (now.schedule.version, now.cursor, now.ordinal) == (seen.schedule.version, seen.cursor, seen.ordinal)
    assert not await world.plan(schedule, decided, plan_at_seen=seen.plan_at)
    assert await world.store.find(decided.entry.run.id) is None


async def test_a_bucket_that_went_away_and_came_back_is_owned_under_another_epoch(world: World) -> None:
    schedule = await world.schedule()
    await world.session()
    await world.session("other")
    (mine,) = await world.own("worker")
    await world.divide("worker", [mine], [(mine.low, mine.high)], owner="other")
    (theirs,) = await world.store.buckets()
    (back,) = await world.divide("other", [theirs], [(theirs.low, theirs.high)], owner="worker")
    assert (back.low, back.high, back.owner) == (mine.low, mine.high, mine.owner)
    with pytest.raises(StaleEpoch):
        await world.plan(schedule, world.moment(schedule, 60), epoch=mine.epoch)
    assert await world.plan(schedule, world.moment(schedule, 60), epoch=back.epoch)
