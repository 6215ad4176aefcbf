"""Graphs whose runs have routes (R2.3, R2.14): a child is freed into its hall and goes to a worker that may have it."""

from __future__ import annotations

import asyncio

import pytest

from shike import Route, Shike
from shike.model import State
from shike.operate.explain import explain
from shike.operate.graphs import waits
from shike.testing.harness import VirtualRuntime
from tests.unit.scheduler.test_router import crew, node
from tests.unit.worker.world import World, run


def app_of(world: World) -> Shike:
    app = Shike(world.store, runtime=world.runtime)
    assert isinstance(world.runtime, VirtualRuntime)

    @app.task(name="make", route=Route(by="round_robin", required=("cpu",)))
    async def make(number: int) -> int:
        await asyncio.sleep(1.0)
        return number

    @app.task(name="train", route=Route(by="least_busy", required=("gpu",)))
    async def train(numbers: list[int]) -> int:
        return sum(numbers)

    @app.task(name="fails", retry=3)
    async def fails() -> int:
        await asyncio.sleep(10.0)
        raise RuntimeError("no luck")

    @app.task(name="after")
    async def after(number: int) -> None: ...

    world.tasks.update(app.tasks)
    return app


def test_parents_go_round_and_their_child_to_the_one_that_has_the_tag() -> None:
    async def story(world: World) -> None:
        app = app_of(world)
        await node(world)
        first, second = await crew(world, 2, tags=("cpu",))
        graph = app.graph()
        parts = [graph.add(app.find_task("make").bind(number)) for number in range(4)]
        total = graph.add(app.find_task("train").bind([part.result for part in parts]))
        await graph.submit()
        await asyncio.sleep(5)
        by = [(await world.store.attempts(int(part.handle.id)))[-1].session for part in parts]
        assert sorted(by) == sorted([first.identity, second.identity] * 2)
        waiting = await world.live(int(total.handle.id))
        assert waiting.state is not State.WAITING, "its parents are over: it waits in the hall"
        told = await explain(world.store, world.clock, waiting.run.id)
        assert {contender.why_not for contender in told.contenders} == {"has no gpu"}
        (gpu,) = await crew(world, 1, tags=("gpu",))
        await asyncio.sleep(5)
        assert await total.handle.wait() == 6
        assert (await world.store.attempts(int(total.handle.id)))[-1].session == gpu.identity

    run(story)


@pytest.mark.parametrize("routed", [True, False])
def test_a_child_tells_which_parents_it_waits_for_where_they_run_and_at_which_attempt(routed: bool) -> None:
    async def story(world: World) -> None:
        app = app_of(world)
        await node(world)
        await crew(world, 1)
        graph, fails = app.graph(), app.find_task("fails")
        parent = graph.add((fails.options(route="first") if routed else fails).bind())
        child = graph.add(app.find_task("after").bind(parent.result))
        await graph.submit()
        await asyncio.sleep(2)
        where = " on w" if routed else ""
        words = (await explain(world.store, world.clock, int(child.handle.id))).words
        assert words == f"it waits for 1 of 1 parents: {parent.handle.id} (fails) RUNNING{where}"
        await asyncio.sleep(12)
        told = await waits(world.store, await world.live(int(child.handle.id)))
        assert str(told).endswith(f"(fails) RUNNING{where}, attempt 2")

    run(story)
