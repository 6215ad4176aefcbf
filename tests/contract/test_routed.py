"""Routed runs wait in a hall, stand in one worker's own lane, and move on from there (R2.2, R2.8; P1, P3, P6)."""

from __future__ import annotations

import pytest

from shike.errors import BadInput
from shike.lanes import hall_of, lane_of_worker
from shike.model import Manner, State
from shike.store.base import RunFilter
from shike.store.hints import HintKind
from shike.store.verbs import Answer, Move, Want
from tests.contract.world import World, decided, ids

HALL = hall_of("default")
MINE = lane_of_worker("default", "worker")
OTHERS = lane_of_worker("default", "other")


async def assign(world: World, run_id: int, worker: str = "worker", **fields: object) -> Answer:
    return await world.move(run_id, State.ASSIGNED, worker=worker, **fields)


async def test_a_routed_run_waits_in_its_hall_where_nobody_claims_it(world: World) -> None:
    await world.session()
    run_id = await world.add(queue=HALL)
    assert await world.granted() == []
    (standing,) = await world.store.lanes()
    assert (standing.lane, standing.runs, standing.first_at) == (HALL, 1, world.now)
    assert [live.run.id for live in await world.store.standing(HALL, 10)] == [run_id]
    counts = await world.store.counts()
    assert (counts.eligible, counts.by_queue) == (1, {"default": 1})


async def test_an_assigned_run_stands_in_one_workers_own_lane_and_only_its_claim_takes_it(world: World) -> None:
    await world.session()
    await world.session("other")
    run_id = await world.add(queue=HALL)
    before = await world.live(run_id)
    assert await assign(world, run_id, version=before.version) is Answer.ACCEPTED
    live = await world.live(run_id)
    assert (live.state, live.worker, live.version) == (State.ASSIGNED, "worker", before.version + 1)
    assert [standing.lane for standing in await world.store.lanes()] == [MINE]
    assert await world.granted("other", queue=OTHERS) == []
    assert await world.granted("other") == []
    wants = (Want(MINE, 5, 5), Want("default", 5, 5))
    (claimed,) = (await world.claim(wants=wants)).runs
    assert claimed.run.id == run_id
    running = await world.live(run_id)
    assert (running.state, running.worker) == (State.RUNNING, "worker")
    assert await world.settle(claimed, State.SUCCESS) is Answer.ACCEPTED
    assert (await world.ended(run_id)).state is State.SUCCESS
    assert await world.store.lanes() == []


async def test_an_assignment_is_a_compare_and_set(world: World) -> None:
    await world.session()
    run_id = await world.add(queue=HALL)
    seen = (await world.live(run_id)).version
    assert await assign(world, run_id, version=seen) is Answer.ACCEPTED
    assert await assign(world, run_id, version=seen) is Answer.REFUSED
    assert await assign(world, 12345 << 8) is Answer.UNKNOWN


async def test_nothing_is_put_into_the_lane_of_a_closed_session(world: World) -> None:
    await world.session()
    run_id = await world.add(queue=HALL)
    await world.bury()
    assert await assign(world, run_id) is Answer.REFUSED
    assert (await world.live(run_id)).state is State.SCHEDULED


async def test_a_lane_moves_on_from_worker_to_worker_and_back_to_the_hall(world: World) -> None:
    await world.session()
    await world.session("other")
    first, second = await world.add(queue=HALL), await world.add(queue=HALL)
    assert [await assign(world, one) for one in (first, second)] == [Answer.ACCEPTED] * 2
    assert await assign(world, first, "other") is Answer.ACCEPTED
    assert await world.move(second, State.SCHEDULED) is Answer.ACCEPTED
    assert [(one.lane, one.runs) for one in await world.store.lanes()] == [(HALL, 1), (OTHERS, 1)]
    assert (await world.live(second)).worker == ""
    assert await world.granted("other", queue=OTHERS) == [first]


async def test_a_claimed_run_cannot_be_taken_out_of_a_lane_any_more(world: World) -> None:
    await world.session()
    run_id = await world.add(queue=HALL)
    await assign(world, run_id)
    assert await world.granted(queue=MINE) == [run_id]
    assert await assign(world, run_id) is Answer.REFUSED
    assert await world.move(run_id, State.SCHEDULED) is Answer.REFUSED


@pytest.mark.parametrize("state", [State.FAILED, State.SCHEDULED])
async def test_what_comes_back_comes_back_to_the_hall_to_be_decided_anew(world: World, state: State) -> None:
    await world.session()
    run_id = await world.add(queue=HALL)
    await assign(world, run_id)
    claimed = await world.take(queue=MINE)
    await world.settle(claimed, state, delay_seconds=5.0)
    live = await world.live(run_id)
    assert (live.state, live.worker) == (state, "")
    assert await world.store.lanes() == []
    world.clock.advance(6)
    assert [one.lane for one in await world.store.lanes()] == [HALL]
    assert await assign(world, run_id) is Answer.ACCEPTED
    assert (await world.take(queue=MINE)).attempt == (2 if state is State.FAILED else 1)


async def test_a_rescued_suspect_is_assigned_as_a_suspect(world: World) -> None:
    await world.session()
    run_id = await world.add(queue=HALL)
    await assign(world, run_id)
    await world.take(queue=MINE)
    await world.crash()
    await world.session("other")
    assert [live.run.id for live in await world.store.standing(HALL, 10)] == [run_id]
    assert await assign(world, run_id, "other") is Answer.ACCEPTED
    assert (await world.live(run_id)).suspect
    assert [live.run.id for live in await world.store.standing(OTHERS, 10)] == [run_id]
    batch = await world.claim("other", queue=OTHERS)
    assert (ids(batch.runs), batch.manner) == ([run_id], Manner.TOGETHER)


async def test_the_lane_of_a_dead_worker_keeps_what_it_never_began_until_somebody_moves_it(world: World) -> None:
    await world.session()
    await world.session("other")
    run_id = await world.add(queue=HALL)
    await assign(world, run_id)
    await world.crash()
    assert [one.lane for one in await world.store.lanes()] == [MINE]
    await world.session("third")
    assert await assign(world, run_id, "third") is Answer.ACCEPTED
    claimed = await world.take("third", queue=lane_of_worker("default", "third"))
    assert (claimed.run.id, claimed.together, claimed.attempt) == (run_id, 0, 1)


async def test_pausing_a_queue_pauses_the_lanes_beside_it(world: World) -> None:
    await world.session()
    run_id = await world.add(queue=HALL)
    await assign(world, run_id)
    await world.store.put("queue/default", b"why", expect=None)
    assert await world.granted(queue=MINE) == []
    assert (await world.beat()).eligible == ()
    await world.store.put("queue/default", None, expect=None)
    assert (await world.beat(number=2)).eligible == (MINE,)
    assert await world.granted(queue=MINE) == [run_id]


@pytest.mark.parametrize("to", [State.CANCELLED, State.SKIPPED, State.DEAD])
async def test_an_assigned_run_can_be_ended_like_any_other(world: World, to: State) -> None:
    await world.session()
    run_id = await world.add(queue=HALL)
    await assign(world, run_id)
    assert await world.move(run_id, to, reason="why") is Answer.ACCEPTED
    assert (await world.ended(run_id)).state is to
    assert await world.store.lanes() == []
    assert await world.granted(queue=MINE) == []


async def test_what_is_ahead_in_a_hall_or_lane_is_due_like_any_other_and_stands_nowhere_yet(world: World) -> None:
    await world.session()
    run_id = await world.add(queue=HALL, due_at=world.after(3))
    assert await world.store.lanes() == []
    assert await world.store.standing(HALL, 10) == []
    assert await world.store.due(0, 255, 0, world.after(10), 10) == [(world.after(3), HALL)]
    assert await assign(world, run_id) is Answer.ACCEPTED
    assert await world.store.due(0, 255, 0, world.after(10), 10) == [(world.after(3), MINE)]
    assert await world.granted(queue=MINE) == []
    world.clock.advance(3)
    assert await world.granted(queue=MINE) == [run_id]


async def test_a_lane_stands_in_the_order_of_bands_then_of_time(world: World) -> None:
    await world.session()
    late = await world.add(queue=HALL, band=5)
    first = await world.add(queue=HALL, band=1)
    world.clock.advance(1)
    second = await world.add(queue=HALL, band=1)
    assert [live.run.id for live in await world.store.standing(HALL, 10)] == [first, second, late]
    assert [live.run.id for live in await world.store.standing(HALL, 2)] == [first, second]
    for run_id in (late, second, first):
        await assign(world, run_id)
    assert [live.run.id for live in await world.store.standing(MINE, 10)] == [first, second, late]


async def test_a_note_is_kept_with_the_run_and_is_no_attempt(world: World) -> None:
    await world.session()
    await world.session("other")
    run_id = await world.add(queue=HALL)
    await assign(world, run_id, note=decided(2, "first"))
    await assign(world, run_id, "other", note=decided(3, "second"))
    claimed = await world.take("other", queue=OTHERS)
    await world.settle(claimed, State.SUCCESS, "other")
    assert [one.error for one in await world.store.decisions(run_id)] == ["first", "second"]
    assert [one.state for one in await world.store.attempts(run_id)] == [State.SUCCESS]
    assert await world.store.decisions(99 << 8) == []


async def test_whoever_owns_a_lane_is_told_that_something_entered_it(world: World) -> None:
    await world.session()
    run_id = await world.add(queue=HALL)
    world.listen()
    await assign(world, run_id)
    hint = await world.hint(HintKind.DUE)
    assert (hint.queue, hint.at) == (MINE, world.now)


async def test_lists_find_an_assigned_run_by_its_state_and_queue(world: World) -> None:
    await world.session()
    run_id = await world.add(queue=HALL)
    await assign(world, run_id)
    (found,) = await world.store.runs(RunFilter(states=(State.ASSIGNED,), queue=HALL))
    assert found.run.id == run_id and found.worker == "worker"  # type: ignore[union-attr]
    claimed = await world.take(queue=MINE)
    assert [row.state for row in await world.store.runs(RunFilter(queue=HALL))] == [State.RUNNING]
    await world.settle(claimed, State.SUCCESS)
    assert [row.state for row in await world.store.runs(RunFilter(queue=HALL))] == [State.SUCCESS]


async def test_a_beat_that_does_not_know_a_lease_sends_its_runs_back_to_the_hall(world: World) -> None:
    await world.session()
    run_id = await world.add(queue=HALL)
    await assign(world, run_id)
    await world.claim(queue=MINE)
    await world.beat(received=1, holds=())
    assert (await world.live(run_id)).state is State.SCHEDULED
    assert [one.lane for one in await world.store.lanes()] == [HALL]


async def test_only_an_assigned_run_has_a_worker_and_it_must_be_named(world: World) -> None:
    run_id = await world.add(queue=HALL)
    for to, worker in ((State.ASSIGNED, ""), (State.SCHEDULED, "worker"), (State.ASSIGNED, "a>b")):
        with pytest.raises(BadInput):
            await world.move(run_id, to, worker=worker)


async def test_many_are_assigned_in_one_step(world: World) -> None:
    await world.session()
    run_ids = [await world.add(queue=HALL, bucket=number) for number in range(5)]
    moves = [Move(run_id=one, version=1, to=State.ASSIGNED, worker="worker") for one in run_ids]
    assert await world.store.move(moves) == [Answer.ACCEPTED] * 5
    assert sorted(await world.granted(queue=MINE)) == sorted(run_ids)


async def test_an_unknown_session_has_no_lane(world: World) -> None:
    run_id = await world.add(queue=HALL)
    assert await assign(world, run_id, "nobody") is Answer.REFUSED


async def test_the_names_of_lanes_are_forgotten_with_their_sessions(world: World) -> None:
    await world.session()
    await world.session("other")
    for worker, lane in (("worker", MINE), ("other", OTHERS)):
        run_id = await world.add(queue=HALL)
        await assign(world, run_id, worker)
        claimed = await world.take(worker, queue=lane)
        await world.settle(claimed, State.SUCCESS, worker)
    await world.crash()
    world.clock.advance(100)
    for _ in range(2):
        await world.purge(receipt_seconds=1.0, session_seconds=1.0)
    assert await world.store.lanes() == []
    await world.session("third")
    run_id = await world.add(queue=HALL)
    await assign(world, run_id, "third")
    assert await world.granted("third", queue=lane_of_worker("default", "third")) == [run_id]
