"""Divided work in virtual time: a run for each worker, parts that are divided anew, and what a dead worker leaves
(R2.7, R3.13)."""

from __future__ import annotations

import asyncio
from typing import Any

import msgspec

from shike.model import OnGone, Options, Route, Shard, State
from shike.session import Member
from shike.worker.context import current
from tests.unit.scheduler.test_router import HALL, crew, node, who, work_of
from tests.unit.worker.world import World, run


def meant(member: Member, on_gone: OnGone, **named: Any) -> bytes:
    route = Route(by="first", session=member.identity, on_gone=on_gone)
    return msgspec.json.encode(Options(route=route, **named))


async def parts(world: World, total: int) -> list[int]:
    ids = []
    for index in range(total):
        options = Options(route=Route(by="even", key=f"{index}/{total}"), shard=Shard(index, total))
        ids += await world.submit("work", queue=HALL, options=msgspec.json.encode(options))
    return ids


def test_what_is_meant_for_a_worker_that_died_fails_over_or_is_told_as_not_done() -> None:
    async def story(world: World) -> None:
        work_of(world, 5.0)
        await node(world)
        first, second = await crew(world, 2, slots=1)
        running = await world.submit("work", queue=HALL, options=meant(first, OnGone.SKIP))
        waiting = await world.submit("work", queue=HALL, options=meant(first, OnGone.FAILOVER))
        other = await world.submit("work", queue=HALL, options=meant(first, OnGone.SKIP))
        await asyncio.sleep(1.0)
        assert (await world.live(running[0])).state is State.RUNNING
        await world.kill(first)
        await asyncio.sleep(30)
        for run_id in (*running, *other):
            ended = await world.ended(run_id)
            assert ended.state is State.SKIPPED
            assert "is gone: not done there" in ended.reason
        assert await who(world, waiting) == {second.identity: 1}

    run(story)


def test_parts_are_divided_evenly_and_each_knows_which_it_is() -> None:
    async def story(world: World) -> None:
        seen: dict[int, tuple[int, int]] = {}

        async def work() -> None:
            seen[current().run.id] = (current().shard.index, current().shard.total)

        world.task(work)
        await node(world)
        members = await crew(world, 3)
        ids = await parts(world, 12)
        await asyncio.sleep(1.0)
        assert [seen[run_id] for run_id in ids] == [(index, 12) for index in range(12)]
        homes = [(await world.store.attempts(run_id))[-1].session for run_id in ids]
        assert homes == [members[index // 4].identity for index in range(12)]

    run(story)


def test_parts_that_have_not_begun_are_divided_anew_when_a_worker_comes() -> None:
    async def story(world: World) -> None:
        work_of(world, 2.0)
        made = await node(world)
        made.router.balance.decide = lambda workers: []  # type: ignore[method-assign]  # what levelling does is another test
        await crew(world, 2, slots=1)
        ids = await parts(world, 12)
        await asyncio.sleep(1.0)
        (third,) = await crew(world, 1, slots=1)
        await asyncio.sleep(60)
        counts = await who(world, ids)
        assert counts.total() == 12
        assert counts[third.identity] >= 3, "its third of what had not begun"
        notes = [note for run_id in ids for note in await world.store.decisions(run_id)]
        assert any("divided anew among 3" in note.error for note in notes)

    run(story)


def test_parts_of_a_worker_that_dies_fail_over_and_none_is_done_twice() -> None:
    async def story(world: World) -> None:
        holding: dict[int, int] = {}

        async def work() -> None:
            here = current()
            assert holding.setdefault(here.run.id, here.token) <= here.token, "tokens only grow"
            holding[here.run.id] = here.token
            await asyncio.sleep(2.0)
            assert holding[here.run.id] == here.token, "somebody else has it by now"

        world.task(work)
        await node(world)
        members = await crew(world, 3, slots=1)
        all_of_them = {member.identity for member in members}
        ids = await parts(world, 9)
        await asyncio.sleep(1.0)
        await world.kill(members[1])
        await asyncio.sleep(120)
        for run_id in ids:
            assert (await world.ended(run_id)).state is State.SUCCESS
        counts = await who(world, ids)
        assert counts.keys() <= all_of_them
        assert counts[members[0].identity] + counts[members[2].identity] >= 8, "but for what it had done before"

    run(story)
