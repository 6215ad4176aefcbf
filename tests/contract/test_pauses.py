"""What is paused is granted to nobody, and nobody else waits for it (R2.5)."""

from __future__ import annotations

import pytest

from shike.errors import BadInput, BadTime
from shike.model import State
from shike.scheduler.resumer import resume_over
from shike.store.hints import HintKind
from shike.store.verbs import Answer
from shike.waiting import pauses
from tests.contract.world import TASK, World, ids


async def paused(world: World, **what: str) -> pauses.Pause:
    return await pauses.pause(world.store, pauses.what_of(**what), "the bank is down")


async def resumed(world: World, **what: str) -> bool:
    return await pauses.resume(world.store, pauses.what_of(**what))


async def test_a_paused_task_is_granted_to_nobody_until_it_is_resumed(world: World) -> None:
    await world.session()
    held, free = world.run(), world.run(task="video")
    await world.submit(held, free)
    await paused(world, task=TASK)
    world.listen()
    batch = await world.claim(tasks=(TASK, "video"))
    assert (ids(batch.runs), batch.more) == ([free.id], False)
    assert await resumed(world, task=TASK) is True
    await world.hint(HintKind.QUEUE)
    assert await world.granted(tasks=(TASK, "video")) == [held.id]
    assert await resumed(world, task=TASK) is False


async def test_a_paused_tag_holds_back_the_tasks_that_a_claim_says_have_it(world: World) -> None:
    await world.session()
    held, free = world.run(), world.run(task="video")
    await world.submit(held, free)
    await paused(world, tag="billing")
    tags = (("billing", (TASK,)), ("night", (TASK, "video")))
    assert await world.granted(tasks=(TASK, "video"), tags=tags) == [free.id]
    await resumed(world, tag="billing")
    assert await world.granted(tasks=(TASK, "video"), tags=tags) == [held.id]


async def test_a_paused_key_holds_back_its_runs_and_nobody_behind_them(world: World) -> None:
    await world.session()
    keyed = [await world.add(key="order 7", due_at=world.after(-9), expires_at=world.after(99)) for _ in range(3)]
    others = [await world.add(key="order 8" if place else "") for place in range(3)]
    await paused(world, key="order 7")
    batch = await world.claim(count=2)
    assert (ids(batch.runs), batch.more) == (others[:2], True)
    batch = await world.claim()
    assert (ids(batch.runs), batch.more) == (others[2:], False)
    assert (await world.claim()).runs == []
    await resumed(world, key="order 7")
    assert await world.granted(count=2) == keyed[:2]
    assert await world.granted() == keyed[2:]


@pytest.mark.parametrize("key", ["k", "k" * 31, "k" * 32, "时刻" * 60, "k" * 255, "k" * 256, "k" * 400])
async def test_a_key_of_any_length_is_found(world: World, key: str) -> None:
    """Redis reads it out of the packed body."""
    await world.session()
    await world.add(key=key, expires_at=world.after(60), args=b'{"a": 1}', options=b'{"keep_result":false}', owner="me")
    free = await world.add(key=f"{key}x"[-400:] if len(key) < 400 else "other")
    await paused(world, key=key)
    assert await world.granted() == [free]


async def test_a_suspect_of_a_paused_key_waits_too(world: World) -> None:
    await world.session()
    held = await world.started(key="order 7")
    await world.session("other")
    await world.bury()
    await world.rescue("worker")
    await paused(world, key="order 7")
    await world.beat("other", number=1)
    assert await world.granted("other") == []
    await resumed(world, key="order 7")
    assert await world.granted("other") == [held.run.id]


async def test_what_runs_goes_on_and_what_comes_is_taken_in(world: World) -> None:
    await world.session()
    claimed = await world.started()
    await paused(world, task=TASK)
    later = await world.add()
    assert await world.settle(claimed, State.SUCCESS) is Answer.ACCEPTED
    assert await world.granted() == []
    await resumed(world, task=TASK)
    assert await world.granted() == [later]


async def test_a_pause_ends_by_itself_at_its_time_by_the_stores_clock(world: World) -> None:
    await world.session()
    run_id = await world.add()
    for what in ({"task": TASK}, {"queue": "default"}):
        await pauses.pause(world.store, pauses.what_of(**what), "for a while", world.after(5))
    assert await resume_over(world.store) == 5.0
    assert await world.granted() == []
    world.clock.advance(5)
    assert await resume_over(world.store) is None
    assert await pauses.listing(world.store) == []
    assert await world.granted() == [run_id]


async def test_what_is_paused_is_listed_with_reason_and_end(world: World) -> None:
    run = world.run(key="order 7")
    await world.submit(run)
    await paused(world, key="order 7")
    await pauses.pause(world.store, pauses.what_of(queue="default"), "repair", world.after(60))
    await paused(world, tag="billing")
    found = await pauses.listing(world.store)
    assert [(str(one.what), one.until) for one in found] == [
        ("queue default", world.after(60)), ("key order 7", 0), ("tag billing", 0),
    ]  # fmt: skip
    holding = [str(one) for one in await pauses.pauses_of(world.store, run, ("billing",))]
    assert len(holding) == 3 and "until it is resumed" in holding[1] and "repair" in holding[0]
    assert len(await pauses.pauses_of(world.store, run)) == 2
    with pytest.raises(BadTime):
        await pauses.pause(world.store, pauses.what_of(queue="default"), "repair", world.now)
    with pytest.raises(BadInput):
        pauses.what_of(queue="default", task=TASK)
