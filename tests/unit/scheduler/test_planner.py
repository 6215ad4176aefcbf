"""The planner plans what can be planned, whatever is wrong with the rest, and asks the store no more than it must."""

from __future__ import annotations

import asyncio

import pytest

from shike.bounds import SWEEP_SECONDS
from shike.errors import BadInput
from shike.model import Planned
from shike.scheduler import planner
from shike.scheduler.node import Node
from shike.trigger import every
from shike.trigger.line import Line
from tests.unit.scheduler.test_node import node, put
from tests.unit.worker.world import World, run

PAGE = 3  # schedules of one look, here


def curse(made: Node) -> list[str]:
    """No schedule with a name of `bad…` can be planned; the names of those that were tried."""
    tried: list[str] = []
    real = made.planner._line

    def cursed(planned: Planned) -> Line:
        name = planned.schedule.name
        tried.append(name)
        if name.startswith("bad"):
            raise BadInput("no such zone") if name.endswith("0") else RuntimeError("a bug")
        return real(planned)

    made.planner._line = cursed  # type: ignore[method-assign]
    return tried


def test_more_schedules_that_cannot_be_planned_than_one_look_shows_keep_none_waiting(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(planner, "SCHEDULES_PER_LOOK", PAGE)

    async def story(world: World) -> None:
        made, _ = await node(world)
        tried = curse(made)
        for number in range(PAGE):
            await put(world, f"bad{number}", every("1m"))
        await put(world, "good", every("1m"))
        await asyncio.sleep(SWEEP_SECONDS / 2)
        assert await world.store.timetable("good", 0, 2**62) != []
        assert tried.count("bad0") <= 2, "it is looked at again after a sweep, and not in a circle"
        await asyncio.sleep(3 * SWEEP_SECONDS)
        assert 3 <= tried.count("bad0") <= 6

    run(story)


def test_a_schedule_that_could_not_be_planned_is_planned_once_it_can_be() -> None:
    async def story(world: World) -> None:
        made, _ = await node(world)
        real = made.planner._line
        curse(made)
        await put(world, "bad0", every("1m"))
        await asyncio.sleep(1)
        assert await world.store.timetable("bad0", 0, 2**62) == []
        made.planner._line = real  # type: ignore[method-assign]
        await asyncio.sleep(2 * SWEEP_SECONDS)
        assert await world.store.timetable("bad0", 0, 2**62) != []

    run(story)


def test_a_schedule_is_planned_when_its_hint_comes_and_not_at_the_next_sweep() -> None:
    async def story(world: World) -> None:
        await node(world)
        await asyncio.sleep(1)
        await put(world, "good", every("1m"))
        await asyncio.sleep(0.1)
        assert await world.store.timetable("good", 0, 2**62) != []

    run(story)
