"""Operators and nodes change what no worker settles, by compare-and-set (P6; R0.8)."""

from __future__ import annotations

import pytest

from shike.bounds import BANDS
from shike.errors import BadInput, BadTime
from shike.model import Manner, State
from shike.store.guards import Absent, Below, Entry
from shike.store.hints import HintKind
from shike.store.verbs import Answer, Move
from tests.contract.world import World


@pytest.mark.parametrize("to", [State.CANCELLED, State.SKIPPED, State.DEAD])
async def test_a_run_in_a_lane_is_ended_at_once(world: World, to: State) -> None:
    await world.session()
    run_id = await world.add()
    assert await world.move(run_id, to, reason="no longer wanted") is Answer.ACCEPTED
    ended = await world.ended(run_id)
    assert (ended.state, ended.reason, ended.ended_at) == (to, "no longer wanted", world.now)
    assert (ended.attempts, ended.token, ended.session) == (0, 0, "")
    assert [letter.run.id for letter in await world.store.dead(10)] == ([run_id] if to is State.DEAD else [])
    assert await world.granted() == []


async def test_a_run_that_waits_is_ended_at_once(world: World) -> None:
    run_id = await world.add(gate="api")
    assert await world.move(run_id, State.SKIPPED) is Answer.ACCEPTED
    assert await world.store.gate_waiters("api", 10) == []
    assert (await world.ended(run_id)).state is State.SKIPPED


async def test_a_failed_run_that_rests_can_be_cancelled(world: World) -> None:
    await world.session()
    claimed = await world.started()
    await world.settle(claimed, State.FAILED, delay_seconds=60.0)
    assert await world.move(claimed.run.id, State.CANCELLED) is Answer.ACCEPTED
    ended = await world.ended(claimed.run.id)
    assert (ended.state, ended.attempts) == (State.CANCELLED, 1)
    assert len(await world.store.attempts(claimed.run.id)) == 1


async def test_an_end_is_moved_to_once(world: World) -> None:
    run_id = await world.add()
    await world.move(run_id, State.CANCELLED)
    assert await world.move(run_id, State.CANCELLED) is Answer.ALREADY
    assert await world.move(run_id, State.SKIPPED) is Answer.REFUSED
    assert await world.move(run_id, State.SCHEDULED) is Answer.REFUSED


async def test_a_run_nobody_knows_is_unknown(world: World) -> None:
    assert await world.move(77 << 8, State.CANCELLED) is Answer.UNKNOWN


async def test_a_run_is_rescheduled_and_keeps_its_promise(world: World) -> None:
    await world.session()
    run_id = await world.add()
    due_at = world.now
    assert await world.move(run_id, State.SCHEDULED, run_at=world.after(60), band=1) is Answer.ACCEPTED
    live = await world.live(run_id)
    assert (live.run_at, live.band, live.version) == (world.after(60), 1, 2)
    assert (live.run.due_at, live.run.band) == (due_at, 3)
    assert await world.granted() == []
    world.clock.advance(60)
    await world.beat()
    assert await world.granted(bands=(1,)) == [run_id]


async def test_a_run_moved_there_and_back_is_granted_once(world: World) -> None:
    await world.session()
    run_id = await world.add()
    for run_at in (world.after(60), world.now):
        await world.move(run_id, State.SCHEDULED, run_at=run_at)
    for band in (0, 3):
        await world.move(run_id, State.SCHEDULED, band=band)
    assert await world.granted() == [run_id]
    assert await world.granted() == []


async def test_what_is_not_named_stays(world: World) -> None:
    run_id = await world.add(band=5, due_at=world.after(9))
    await world.move(run_id, State.SCHEDULED)
    live = await world.live(run_id)
    assert (live.band, live.run_at) == (5, world.after(9))


async def test_a_failed_run_can_be_tried_at_once(world: World) -> None:
    await world.session()
    claimed = await world.started()
    await world.settle(claimed, State.FAILED, delay_seconds=3600.0)
    await world.move(claimed.run.id, State.SCHEDULED, run_at=world.now)
    assert (await world.take()).attempt == 2


async def test_a_suspect_that_is_rescheduled_stays_one(world: World) -> None:
    await world.session("first")
    run_id = (await world.started("first")).run.id
    await world.crash("first")
    await world.move(run_id, State.SCHEDULED, run_at=world.after(5), band=0)
    await world.session()
    assert (await world.claim()).runs == []
    world.clock.advance(5)
    assert (await world.claim()).manner is Manner.TOGETHER


async def test_a_version_the_caller_did_not_see_is_refused(world: World) -> None:
    run_id = await world.add()
    seen = (await world.live(run_id)).version
    assert await world.move(run_id, State.SCHEDULED, version=seen, band=1) is Answer.ACCEPTED
    assert await world.move(run_id, State.CANCELLED, version=seen) is Answer.REFUSED
    assert (await world.live(run_id)).state is State.SCHEDULED
    assert await world.move(run_id, State.CANCELLED, version=seen + 1) is Answer.ACCEPTED


async def test_an_attempt_makes_a_new_version(world: World) -> None:
    await world.session()
    claimed = await world.started()
    seen = (await world.live(claimed.run.id)).version
    await world.settle(claimed, State.FAILED)
    assert await world.move(claimed.run.id, State.CANCELLED, version=seen) is Answer.REFUSED


async def test_each_move_is_its_own(world: World) -> None:
    first, second = await world.add(), await world.add()
    moves = [
        Move(run_id=first, version=9, to=State.CANCELLED),
        Move(run_id=second, version=1, to=State.CANCELLED),
        Move(run_id=77 << 8, version=0, to=State.CANCELLED),
    ]
    assert await world.store.move(moves) == [Answer.REFUSED, Answer.ACCEPTED, Answer.UNKNOWN]


@pytest.mark.parametrize("to", [State.PENDING, State.ASSIGNED, State.RUNNING, State.SUCCESS, State.FAILED])
async def test_nobody_but_its_worker_makes_a_run_that(world: World, to: State) -> None:
    good, bad = await world.add(), await world.add()
    with pytest.raises(BadInput):
        await world.store.move([Move(run_id=good, version=0, to=State.CANCELLED), Move(run_id=bad, version=0, to=to)])
    assert (await world.live(good)).state is State.SCHEDULED


async def test_there_are_only_so_many_bands_and_instants(world: World) -> None:
    run_id = await world.add()
    with pytest.raises(BadInput):
        await world.move(run_id, State.SCHEDULED, band=BANDS)
    with pytest.raises(BadTime):
        await world.move(run_id, State.SCHEDULED, run_at=-1)


# ---------------------------------------------------------------- running runs


async def test_a_running_run_is_asked_to_stop(world: World) -> None:
    await world.session()
    claimed = await world.started()
    world.listen()
    assert await world.move(claimed.run.id, State.CANCELLED, reason="not needed") is Answer.ASKED
    live = await world.live(claimed.run.id)
    assert (live.state, live.cancel, live.version) == (State.RUNNING, "not needed", 2)
    assert (await world.hint(HintKind.CANCEL)).run_ids == (claimed.run.id,)


async def test_the_first_reason_to_stop_stands(world: World) -> None:
    await world.session()
    claimed = await world.started()
    await world.move(claimed.run.id, State.CANCELLED, reason="first")
    assert await world.move(claimed.run.id, State.CANCELLED, reason="second") is Answer.ASKED
    assert (await world.live(claimed.run.id)).cancel == "first"


async def test_a_running_run_can_be_asked_without_a_reason(world: World) -> None:
    await world.session()
    claimed = await world.started()
    await world.move(claimed.run.id, State.CANCELLED)
    assert (await world.live(claimed.run.id)).cancel != ""


@pytest.mark.parametrize("to", [State.SCHEDULED, State.SKIPPED, State.DEAD])
async def test_a_running_run_cannot_be_moved_otherwise(world: World, to: State) -> None:
    await world.session()
    claimed = await world.started()
    assert await world.move(claimed.run.id, to) is Answer.REFUSED
    assert await world.settle(claimed, State.SUCCESS) is Answer.ACCEPTED


# ---------------------------------------------------------------- gates


async def test_a_waiting_run_is_admitted_with_its_permit(world: World) -> None:
    await world.session()
    run_id = await world.add(gate="api", due_at=world.after(-5))
    version = (await world.live(run_id)).version
    guards = (Below("api", 1),)
    assert await world.move(run_id, State.SCHEDULED, version=version, guards=guards) is Answer.ACCEPTED
    assert await world.store.holders("api") == [run_id]
    assert await world.store.gate_waiters("api", 10) == []
    live = await world.live(run_id)
    assert (live.state, live.run_at) == (State.SCHEDULED, world.after(-5))
    assert await world.granted() == [run_id]


async def test_admitting_twice_takes_one_permit(world: World) -> None:
    run_id = await world.add(gate="api")
    for _ in range(2):
        assert await world.move(run_id, State.SCHEDULED, guards=(Below("api", 1),)) is Answer.ACCEPTED
    assert await world.store.holders("api") == [run_id]
    assert await world.move(run_id, State.CANCELLED) is Answer.ACCEPTED
    assert await world.store.holders("api") == []


async def test_no_more_are_admitted_than_the_cap(world: World) -> None:
    first, second = await world.add(gate="api"), await world.add(gate="api")
    moves = [
        Move(run_id=run_id, version=0, to=State.SCHEDULED, guards=(Below("api", 1),)) for run_id in (first, second)
    ]
    assert await world.store.move(moves) == [Answer.ACCEPTED, Answer.GUARDED]
    assert (await world.live(second)).state is State.WAITING
    assert (await world.live(second)).version == 1


async def test_the_permit_of_a_run_that_ends_is_anothers(world: World) -> None:
    first, second = await world.add(gate="api"), await world.add(gate="api")
    guards = (Below("api", 1),)
    await world.move(first, State.SCHEDULED, guards=guards)
    world.listen()
    await world.move(first, State.CANCELLED)
    assert (await world.hint(HintKind.FREED)).name == "api"
    assert await world.move(second, State.SCHEDULED, guards=guards) is Answer.ACCEPTED
    assert await world.store.holders("api") == [second]


async def test_a_permit_with_no_room_admits_nobody(world: World) -> None:
    run_id = await world.add(gate="api")
    assert await world.move(run_id, State.SCHEDULED, guards=(Below("api", 0),)) is Answer.GUARDED


async def test_a_move_whose_one_guard_fails_leaves_nothing_behind(world: World) -> None:
    run_id = await world.add(gate="api")
    await world.submit(Entry(world.run(), guards=(Absent("k", 60.0),)))
    guards = (Below("api", 1), Absent("k", 60.0))
    assert await world.move(run_id, State.SCHEDULED, guards=guards) is Answer.GUARDED
    assert await world.store.holders("api") == []


async def test_a_key_that_a_move_took_does_not_stop_its_repeat(world: World) -> None:
    run_id, other = await world.add(), await world.add()
    guards = (Absent("k", 60.0),)
    assert await world.move(run_id, State.SCHEDULED, guards=guards) is Answer.ACCEPTED
    assert await world.move(run_id, State.SCHEDULED, guards=guards) is Answer.ACCEPTED
    assert await world.move(other, State.SCHEDULED, guards=guards) is Answer.GUARDED


async def test_listeners_hear_what_was_admitted_and_what_ended(world: World) -> None:
    admitted, ended = await world.add(gate="api", queue="gpu"), await world.add()
    world.listen()
    await world.move(admitted, State.SCHEDULED)
    assert (await world.hint(HintKind.DUE)).queue == "gpu"
    await world.move(ended, State.CANCELLED)
    assert (await world.hint(HintKind.ENDED)).run_ids == (ended,)
