"""The router in virtual time (R0.14, R2.2, R2.4, R2.8): it decides, keeps why, rescues lanes and levels them."""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from typing import Any

import msgspec
import pytest

from shike.lanes import hall_of, lane_of_worker
from shike.model import Options, Route, State
from shike.route.nouns import unpack
from shike.scheduler import router
from shike.scheduler.node import Node
from shike.scheduler.router import MEMORY_ROW, SNAPSHOT_ROW
from shike.session import Member
from tests.unit.worker.world import World, run

HALL = hall_of("default")


async def node(world: World, member: Member | None = None) -> Node:
    member = member or Member(world.store, world.runtime, kind="node", name="n")
    await member.join()
    made = Node(world.store, world.runtime, member)
    await made.start()
    return made


async def crew(world: World, count: int, **named: Any) -> list[Member]:
    """Workers that have told their load."""
    members = []
    for _ in range(count):
        _, member = await world.worker(**named)
        members.append(member)
    await asyncio.sleep(1.1)
    return members


def options(by: str, **named: Any) -> bytes:
    return msgspec.json.encode(Options(route=Route(by=by, **named)))


async def routed(world: World, by: str, count: int = 1, **named: Any) -> list[int]:
    return await world.submit("work", count, queue=HALL, options=options(by, **named))


async def who(world: World, run_ids: list[int]) -> Counter[str]:
    """Which sessions did these runs."""
    return Counter([(await world.store.attempts(run_id))[-1].session for run_id in run_ids])


def looks_at(world: World) -> list[None]:
    """One for each time that somebody looks at what is routed."""
    looks: list[None] = []
    lanes = world.store.lanes

    async def counted() -> Any:
        looks.append(None)
        return await lanes()

    world.store.lanes = counted  # type: ignore[method-assign]
    return looks


def work_of(world: World, seconds: float = 0.0) -> None:
    async def work() -> None:
        await asyncio.sleep(seconds)

    world.task(work)


def test_runs_go_round_and_each_keeps_its_decision() -> None:
    async def story(world: World) -> None:
        work_of(world)
        made = await node(world)
        members = await crew(world, 3)
        ids = await routed(world, "round_robin", 30)
        await asyncio.sleep(0.5)
        assert await who(world, ids) == {member.identity: 10 for member in members}
        (note,) = await world.store.decisions(ids[0])
        decision = unpack(note.error)
        assert decision is not None
        assert (decision.by, decision.rule, decision.snapshot) == ("round_robin", "round robin", "1")
        assert decision.to == note.session == (await world.store.attempts(ids[0]))[0].session
        assert len(decision.best) == 3
        assert made.router.routed == 30

    run(story)


def test_routing_is_quick_and_costs_nothing_while_nothing_is_routed() -> None:
    async def story(world: World) -> None:
        work_of(world)
        await node(world)
        await crew(world, 2)
        looks = looks_at(world)
        await world.submit("work", 50)
        await asyncio.sleep(30)
        assert looks == []
        (one,) = await routed(world, "least_busy")
        await asyncio.sleep(0.05)
        ended = await world.store.ended(one)
        assert ended is not None and ended.state is State.SUCCESS
        assert 1 <= len(looks) <= 3

    run(story)


def test_a_run_waits_while_nobody_has_its_tags_and_goes_out_when_somebody_comes() -> None:
    async def story(world: World) -> None:
        work_of(world)
        await node(world)
        await crew(world, 1)
        looks = looks_at(world)
        (one,) = await routed(world, "first", required=("gpu",))
        await asyncio.sleep(20)
        assert len(looks) <= 25, "once a beat"
        live = await world.live(one)
        assert (live.state, live.attempts) == (State.SCHEDULED, 0)
        (fit,) = await crew(world, 1, tags=("gpu", "ssd"))
        await asyncio.sleep(1)
        assert await who(world, [one]) == {fit.identity: 1}

    run(story)


def test_a_run_that_nobody_may_have_is_skipped_when_it_expires_and_says_why() -> None:
    async def story(world: World) -> None:
        work_of(world)
        await node(world)
        await crew(world, 1)
        at = world.clock.wall() + 5_000_000
        (one,) = await world.submit("work", queue=HALL, options=options("first", required=("gpu",)), expires_at=at)
        await asyncio.sleep(7)
        ended = await world.store.ended(one)
        assert ended is not None and (ended.state, ended.reason) == (
            State.SKIPPED,
            "expired: no worker could be given it in time",
        )

    run(story)


def test_the_lane_of_a_dead_worker_moves_on_at_once_to_another() -> None:
    async def story(world: World) -> None:
        work_of(world, 60)
        await node(world)
        dead, second = [member.identity for member in await crew(world, 2, slots=1)]
        ids = await routed(world, "first", 3)  # one runs, two stand in its lane
        await asyncio.sleep(0.2)
        assert [one.lane for one in await world.store.lanes()] == [lane_of_worker("default", dead)]
        world.dead.add(dead)
        session = next(one for one in await world.store.sessions() if one.id == dead)
        await world.store.close_session(dead, seen_beat=session.beat, reason="killed")
        await asyncio.sleep(1.5)
        lives = [await world.live(one) for one in ids]
        assert all(live.worker == second for live in lives if live.state is State.ASSIGNED)
        notes = [await world.store.decisions(one) for one in ids]
        decisions = [unpack(note[-1].error) for note in notes]
        moved = [(one.source, one.moved) for one in decisions if one is not None and one.source]
        assert moved == [(dead, 1)] * 2

    run(story)


def test_lanes_are_levelled_within_two_rounds_of_beats_and_nothing_moves_more_than_twice() -> None:
    """R2.8: one loaded, three idle."""

    async def story(world: World) -> None:
        work_of(world, 300)
        made = await node(world)
        await crew(world, 1, slots=2)
        ids = await routed(world, "round_robin", 82)
        await asyncio.sleep(0.5)
        assert {one.runs for one in await world.store.lanes()} == {80}
        await crew(world, 3, slots=2)
        await asyncio.sleep(3)
        counts = {one.lane: one.runs for one in await world.store.lanes()}
        lanes = list(counts.values())
        assert len(lanes) == 4
        assert max(lanes) - min(lanes) <= 2
        moves = [len(await world.store.decisions(one)) - 1 for one in ids]
        assert max(moves) <= 2
        before = made.router.moved_on
        await asyncio.sleep(30)
        assert made.router.moved_on == before, "it swings"

    run(story)


def test_a_choice_that_is_meant_is_not_levelled_away() -> None:
    async def story(world: World) -> None:
        work_of(world, 300)
        await node(world)
        first, _ = await crew(world, 2, slots=2)
        await routed(world, "first", 20)
        await asyncio.sleep(10)
        assert {one.lane: one.runs for one in await world.store.lanes()} == {
            lane_of_worker("default", first.identity): 18
        }

    run(story)


def test_those_that_go_by_load_leave_runs_in_the_hall_until_somebody_has_room() -> None:
    async def story(world: World) -> None:
        work_of(world, 2)
        await node(world)
        await crew(world, 2, slots=2)
        ids = await routed(world, "least_busy", 40)
        await asyncio.sleep(0.5)
        counts = {one.lane: one.runs for one in await world.store.lanes()}
        assert counts[HALL] >= 20
        await asyncio.sleep(60)
        assert set((await who(world, ids)).values()) == {20}

    run(story)


def test_what_a_strategy_remembers_goes_on_with_the_next_router() -> None:
    async def story(world: World) -> None:
        work_of(world)
        member = Member(world.store, world.runtime, kind="node", name="first")
        first = await node(world, member)
        members = await crew(world, 3)
        before = await routed(world, "round_robin", 1)
        await asyncio.sleep(0.2)
        await first.stop()
        await member.leave()
        second = await node(world)
        await asyncio.sleep(5)
        after = await routed(world, "round_robin", 2)
        await asyncio.sleep(1.5)
        assert second.router.routed == 2
        assert await who(world, before + after) == {member.identity: 1 for member in members}
        assert len(await world.store.controls(MEMORY_ROW)) == 1

    run(story)


def test_snapshots_are_kept_in_a_ring(monkeypatch: pytest.MonkeyPatch) -> None:
    async def story(world: World) -> None:
        work_of(world)
        await node(world)
        await crew(world, 1)
        monkeypatch.setattr(router, "HOUR_KEPT", 3)
        for _ in range(130):
            await routed(world, "first")
            await asyncio.sleep(1.0)
        assert len(await world.store.controls(SNAPSHOT_ROW)) == 120
        assert len(await world.store.controls(router.HOUR_ROW)) == 3

    run(story)


def test_a_route_that_this_program_lacks_makes_its_runs_wait_and_nobody_elses(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async def story(world: World) -> None:
        work_of(world)
        await node(world)
        await crew(world, 1)
        (strange,) = await routed(world, "by_the_moon")
        (known,) = await routed(world, "first")
        await asyncio.sleep(5)
        assert (await world.live(strange)).state is State.SCHEDULED
        ended = await world.store.ended(known)
        assert ended is not None and ended.state is State.SUCCESS

    with caplog.at_level(logging.WARNING, "shike.scheduler"):
        run(story)
    assert sum("there is no route 'by_the_moon'" in line for line in caplog.messages) == 1


def test_a_worker_keeps_its_limit_over_its_queue_and_its_own_lane_together() -> None:
    async def story(world: World) -> None:
        work_of(world, 5)
        await node(world)
        await crew(world, 1, slots=10, queues=("default:3",))
        await world.submit("work", 10)
        await routed(world, "first", 10)
        for _ in range(40):
            await asyncio.sleep(0.5)
            counts = await world.store.counts()
            assert counts.running <= 3

    run(story)
