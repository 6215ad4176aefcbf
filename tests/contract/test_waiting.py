"""What waits is given another band, time, queue or lane, held back, put in order, and never starves (R2.5; P3, P6)."""

from __future__ import annotations

import asyncio

import pytest
from msgspec.structs import replace

from shike.errors import BadInput, Conflict
from shike.lanes import hall_of
from shike.model import Route, State
from shike.route.nouns import unpack
from shike.store.base import RunFilter
from shike.store.guards import Below
from shike.store.hints import HintKind
from shike.store.verbs import Answer, Move
from shike.waiting import bulk, moves
from shike.waiting.bulk import Outcome, Which
from shike.worker.serving import pack
from tests.contract.graphs import Plan
from tests.contract.world import TASK, World

GATE = "overlap/daily"


# ---------------------------------------------------------------- one run


async def test_a_waiting_run_changes_its_band_and_goes_out_by_it(world: World) -> None:
    await world.session()
    first, second, third = [await world.add() for _ in range(3)]
    seen = await world.live(third)
    assert await moves.change(world.store, third, band=0) is Answer.ACCEPTED
    live = await world.live(third)
    assert (live.band, live.run_at, live.version) == (0, seen.run_at, seen.version + 1)
    assert await world.granted(count=1) == [third]
    assert await world.granted() == [first, second]


async def test_a_run_that_is_moved_to_where_it_stands_stays_there(world: World) -> None:
    await world.session()
    run_id = await world.add()
    assert await moves.change(world.store, run_id, band=3) is Answer.ACCEPTED
    assert await world.move(run_id, State.SCHEDULED) is Answer.ACCEPTED
    assert (await world.live(run_id)).version == 3
    assert await world.granted() == [run_id]


async def test_runs_that_are_moved_while_they_are_claimed_go_out_once_each(world: World) -> None:
    await world.session(lease_seconds=1e6)
    waiting = [await world.add() for _ in range(40)]

    async def claims() -> list[int]:
        return [run_id for _ in range(10) for run_id in await world.granted(count=3)]

    async def change() -> list[Answer]:
        found = []
        for run_id in reversed(waiting):
            found += await world.store.move([Move(run_id=run_id, version=1, to=State.SCHEDULED, band=1)])
        return found

    granted, answers = await asyncio.gather(claims(), change())
    while more := await world.granted():
        granted += more
    assert sorted(granted) == waiting
    assert set(answers) <= {Answer.ACCEPTED, Answer.REFUSED}
    assert Answer.ACCEPTED in answers


async def test_a_change_compares_the_version_that_was_seen(world: World) -> None:
    run_id = await world.add()
    seen = (await world.live(run_id)).version
    await moves.change(world.store, run_id, band=1, version=seen)
    with pytest.raises(Conflict, match="changed in between"):
        await moves.change(world.store, run_id, band=2, version=seen)
    assert (await world.live(run_id)).band == 1


async def test_what_runs_or_is_over_is_left_alone(world: World) -> None:
    await world.session()
    claimed = await world.started()
    with pytest.raises(Conflict, match="RUNNING"):
        await moves.change(world.store, claimed.run.id, band=0)
    await world.settle(claimed, State.SUCCESS)
    with pytest.raises(Conflict, match="SUCCESS"):
        await moves.change(world.store, claimed.run.id, run_at=world.now)


async def test_a_run_is_rescheduled_later_and_sooner(world: World) -> None:
    await world.session()
    run_id = await world.add()
    await moves.change(world.store, run_id, run_at=world.after(60))
    assert await world.granted() == []
    await moves.change(world.store, run_id, run_at=world.now)
    assert await world.granted() == [run_id]


async def test_a_run_before_its_gate_stays_there_in_another_band_and_until_another_time(world: World) -> None:
    await world.session()
    run_id = await world.add(gate=GATE)
    world.listen()
    assert await moves.change(world.store, run_id, band=0, run_at=world.after(5)) is Answer.ACCEPTED
    live = await world.live(run_id)
    assert (live.state, live.band, live.run_at, live.version) == (State.WAITING, 0, world.after(5), 2)
    assert (await world.hint(HintKind.GATED)).at == world.after(5)
    (waiter,) = await world.store.gate_waiters(GATE, 5)
    assert (waiter.run_id, waiter.run_at, waiter.version) == (run_id, world.after(5), 2)
    assert await world.granted() == []
    assert await world.move(run_id, State.SCHEDULED, run_at=world.now) is Answer.ACCEPTED
    assert (await world.take()).run.id == run_id


async def test_only_what_waits_before_a_gate_can_go_on_waiting_there(world: World) -> None:
    run_id = await world.add()
    assert await world.move(run_id, State.WAITING, band=1) is Answer.REFUSED
    assert (await world.live(run_id)).state is State.SCHEDULED


async def test_what_was_let_in_goes_back_before_its_gate_and_its_permits_are_free(world: World) -> None:
    await world.session()
    first, second = await world.add(gate=GATE), await world.add(gate=GATE)
    guards = (Below(key="permit", cap=1), Below(key="other", cap=1))
    assert await world.move(first, State.SCHEDULED, guards=guards) is Answer.ACCEPTED
    assert await world.move(second, State.SCHEDULED, guards=guards) is Answer.GUARDED
    version = (await world.live(first)).version
    world.listen()
    assert await world.move(first, State.WAITING, run_at=world.after(60), band=1) is Answer.ACCEPTED
    live = await world.live(first)
    assert (live.state, live.run_at, live.band, live.version) == (State.WAITING, world.after(60), 1, version + 1)
    assert await world.store.holders("permit") == await world.store.holders("other") == []
    assert [one.run_id for one in await world.store.gate_waiters(GATE, 5)] == [second, first]
    assert (await world.hint(HintKind.FREED)).name in ("permit", "other")
    assert await world.granted() == []
    assert await world.move(second, State.SCHEDULED, guards=guards) is Answer.ACCEPTED
    assert (await world.take()).run.id == second
    assert await world.move(first, State.SCHEDULED, guards=guards) is Answer.GUARDED


async def test_a_run_that_changes_its_place_for_the_same_instant_is_counted_once(world: World) -> None:
    """On Redis both places are in one slice, whose entries are void or not by the instant alone."""
    session = await world.session()
    instant, version = world.after(40), 1
    (run,) = [await world.add(due_at=instant)]
    other = await world.add(due_at=world.after(90))
    for to, worker in ((State.ASSIGNED, session.id), (State.SCHEDULED, ""), (State.SCHEDULED, "")):
        assert await world.move(run, to, worker=worker, version=version) is Answer.ACCEPTED
        version += 1
    world.clock.advance(41)
    for _ in range(2):
        counts = await world.store.counts()
        assert (counts.eligible, counts.scheduled, sum(counts.by_queue.values())) == (1, 1, 2)
    assert (await world.live(other)).state is State.SCHEDULED


async def test_what_runs_or_failed_does_not_go_back_before_its_gate(world: World) -> None:
    await world.session()
    run_id = await world.add(gate=GATE)
    assert await world.move(run_id, State.SCHEDULED, guards=(Below(key="permit", cap=1),)) is Answer.ACCEPTED
    grant = await world.take()
    assert await world.move(run_id, State.WAITING) is Answer.REFUSED
    assert await world.store.holders("permit") == [run_id]
    assert await world.settle(grant, State.FAILED, run_at=world.after(60)) is Answer.ACCEPTED
    assert await world.move(run_id, State.WAITING) is Answer.REFUSED
    assert await world.store.holders("permit") == [run_id]


async def test_a_child_changes_its_band_before_its_parents_are_over_and_keeps_its_place(world: World) -> None:
    await world.session()
    runs = await Plan().add("parent").add("child", "parent").submit(world)
    assert await moves.change(world.store, runs["child"], band=1) is Answer.ACCEPTED
    with pytest.raises(Conflict, match="parents"):
        await moves.change(world.store, runs["child"], run_at=world.now)
    parent = await world.take()
    assert await world.granted() == []
    await world.settle(parent, State.SUCCESS)
    live = await world.live(runs["child"])
    assert (live.state, live.band) == (State.SCHEDULED, 1)
    assert await world.granted() == [runs["child"]]


async def test_a_run_in_a_workers_lane_stays_there_in_another_band(world: World) -> None:
    await world.session()
    run_id = await world.add(queue=hall_of("default"))
    await world.move(run_id, State.ASSIGNED, worker="worker")
    await moves.change(world.store, run_id, band=0)
    live = await world.live(run_id)
    assert (live.state, live.worker, live.band) == (State.ASSIGNED, "worker", 0)
    await moves.change(world.store, run_id, run_at=world.after(60))
    live = await world.live(run_id)
    assert (live.state, live.worker) == (State.SCHEDULED, "")


# ---------------------------------------------------------------- another place


async def test_a_run_is_sent_to_another_queue_and_is_of_it_from_then_on(world: World) -> None:
    await world.session()
    run_id = await world.add(key="order 7", args=b'{"to": 1}', expires_at=world.after(60))
    before = (await world.live(run_id)).run
    assert await moves.reroute(world.store, run_id, queue="gpu") is Answer.ACCEPTED
    assert (await world.live(run_id)).run == replace(before, queue="gpu")
    assert await world.granted() == []
    assert [row.run.id for row in await world.store.runs(RunFilter(queue="gpu"))] == [run_id]
    claimed = await world.take(queue="gpu")
    await world.settle(claimed, State.SUCCESS)
    assert (await world.ended(run_id)).run.queue == "gpu"
    assert (await world.store.counts()).by_queue.get("gpu", 0) == 0


async def test_a_rerouted_run_that_fails_comes_back_into_its_new_queue(world: World) -> None:
    await world.session()
    run_id = await world.add(due_at=world.after(3600))
    await moves.reroute(world.store, run_id, queue="gpu")
    await moves.change(world.store, run_id, run_at=world.now)
    claimed = await world.take(queue="gpu")
    await world.settle(claimed, State.FAILED)
    assert await world.granted() == []
    assert await world.granted(queue="gpu") == [run_id]


async def test_a_route_is_given_and_taken_away(world: World) -> None:
    await world.session()
    run_id = await world.add()
    await moves.reroute(world.store, run_id, route=Route(by="smart"))
    assert (await world.live(run_id)).run.queue == hall_of("default")
    assert [one.lane for one in await world.store.lanes()] == [hall_of("default")]
    assert await world.granted() == []
    await moves.reroute(world.store, run_id, route="any")
    assert (await world.live(run_id)).run.queue == "default"
    assert await world.granted() == [run_id]


async def test_a_run_is_given_to_one_worker_by_name_and_says_so(world: World) -> None:
    await world.session()
    run_id = await world.add()
    await world.beat(load=pack(["default"], [TASK]))
    assert await moves.reroute(world.store, run_id, worker="the worker") is Answer.ACCEPTED
    live = await world.live(run_id)
    assert (live.state, live.worker) == (State.ASSIGNED, "worker")
    (note,) = await world.store.decisions(run_id)
    decision = unpack(note.error)
    assert decision is not None and (decision.rule, decision.worker) == ("by hand", "the worker")


async def test_nobody_is_given_what_he_could_not_do(world: World) -> None:
    await world.session()
    run_id = await world.add()
    await world.beat(load=pack(["mail"], [TASK]))
    with pytest.raises(BadInput, match="does not serve"):
        await moves.reroute(world.store, run_id, worker="worker")
    await world.beat(number=2, load=pack(["default"], ["video"]))
    with pytest.raises(BadInput, match="has no task"):
        await moves.reroute(world.store, run_id, worker="worker")


async def test_a_new_body_needs_the_version_that_was_seen(world: World) -> None:
    run_id = await world.add()
    run = (await world.live(run_id)).run
    with pytest.raises(BadInput):
        await world.store.move([Move(run_id=run_id, version=0, to=State.SCHEDULED, run=replace(run, queue="gpu"))])
    (answer,) = await world.store.move(
        [Move(run_id=run_id, version=9, to=State.SCHEDULED, run=replace(run, queue="gpu"))]
    )
    assert answer is Answer.REFUSED


# ---------------------------------------------------------------- many runs


async def test_many_are_counted_and_then_changed(world: World) -> None:
    await world.session()
    mail = [await world.add(band=5) for _ in range(5)]
    other = await world.add(task="video", band=5)
    high = await world.add(band=0)
    running = await world.take()
    assert running.run.id == high
    which = Which(task=TASK)
    assert await bulk.count(world.store, which) == 5
    assert await bulk.change(world.store, which, band=1) == Outcome(found=5, moved=5)
    assert [(await world.live(one)).band for one in (*mail, other)] == [1] * 5 + [5]
    assert await bulk.count(world.store, Which(queue="default", band=5)) == 1


async def test_many_change_their_queue_but_those_before_a_gate(world: World) -> None:
    free = [await world.add() for _ in range(3)]
    gated = await world.add(gate=GATE)
    assert await bulk.reroute(world.store, Which(queue="default"), queue="gpu") == Outcome(found=4, moved=3, held=1)
    assert [(await world.live(one)).run.queue for one in (*free, gated)] == ["gpu"] * 3 + ["default"]


async def test_everything_is_nothing_that_anybody_means(world: World) -> None:
    with pytest.raises(BadInput, match="say which"):
        Which()
