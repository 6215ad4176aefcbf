"""`explain`: each decision comes out the same again from the snapshot it names; a run that waits says why."""

from __future__ import annotations

import asyncio
from typing import Any

import msgspec
import pytest

from shike.errors import NotFound
from shike.operate.explain import Why, explain
from shike.route.registry import names
from shike.scheduler.router import SNAPSHOT_ROW
from tests.unit.scheduler.test_router import crew, node, routed, work_of
from tests.unit.worker.world import World, run


async def why(world: World, run_id: int) -> Why:
    return await explain(world.store, world.clock, run_id)


@pytest.mark.parametrize("by", names()[1:])
def test_every_route_comes_to_the_same_choice_again(by: str) -> None:
    async def story(world: World) -> None:
        work_of(world, 0.5)
        await node(world)
        await crew(world, 4, slots=3)
        ids = await routed(world, by, 25)
        await asyncio.sleep(5)
        for run_id in ids:
            told = await why(world, run_id)
            assert told.route is not None and told.route.by == by
            for choice in told.choices:
                assert choice.again is True or choice.rule.startswith("balance"), choice
                assert [one.chosen for one in choice.contenders].count(True) == 1 or choice.rule.startswith("balance")

    run(story)


def test_a_run_that_waits_says_why_of_each_worker() -> None:
    async def story(world: World) -> None:
        work_of(world)
        await node(world)
        await crew(world, 1, slots=1)
        (one,) = await routed(world, "first", required=("gpu",))
        (large,) = await routed(world, "least_busy", slots=3)
        await asyncio.sleep(1)
        told = await why(world, one)
        assert told.words == "it waits in the hall for a worker that may have it and has room"
        assert [contender.why_not for contender in told.contenders] == ["has no gpu"]
        assert [contender.why_not for contender in (await why(world, large)).contenders] == [
            "has 1 slots of the 3 that it takes"
        ]

    run(story)


def test_a_run_without_a_route_and_an_unknown_one() -> None:
    async def story(world: World) -> None:
        work_of(world)
        (one,) = await world.submit("work")
        assert "no route" in (await why(world, one)).words
        with pytest.raises(NotFound):
            await why(world, 12345)

    run(story)


def test_a_damaged_snapshot_is_noticed() -> None:
    """A planted slip: the snapshot says that another worker was idle."""

    async def story(world: World) -> None:
        work_of(world, 5000)
        await node(world)
        await crew(world, 2, slots=2)
        (one,) = await routed(world, "fastest_heartbeat")
        await asyncio.sleep(0.2)
        (row,) = await world.store.controls(SNAPSHOT_ROW)
        snapshot: dict[str, Any] = msgspec.json.decode(row.value)
        for worker in snapshot["workers"]:
            worker["answer_ms"] = 9.0 if worker["session"] == (await world.live(one)).worker else 1.0
        await world.store.put(row.key, msgspec.json.encode(snapshot), expect=None)
        assert (await why(world, one)).choices[0].again is False
        await world.store.put(row.key, None, expect=None)
        (choice,) = (await why(world, one)).choices
        assert (choice.again, choice.words) == (None, "its snapshot is not kept any more (the last 120 are)")

    run(story)
