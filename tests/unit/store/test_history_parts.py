"""A day of history leaves in parts of so many runs, and whoever goes on begins where the last part ended."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from shike.model import State
from shike.store.relational import keeping
from tests.contract.stores import STORES
from tests.contract.world import World

DAY = 86_400.0
PART = 2


@pytest.fixture(params=["postgres", "mysql"])
def world(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[World]:
    yield World(STORES[request.param], tmp_path)


async def _ended_with_attempts(world: World, count: int) -> list[int]:
    """Runs that failed once and then came to a good end, days ago."""
    found = []
    for _ in range(count):
        claimed = await world.started()
        await world.settle(claimed, State.FAILED)
        await world.settle(await world.take(), State.SUCCESS)
        found.append(claimed.run.id)
    world.clock.advance(3 * DAY)
    return found


def test_each_step_takes_a_part_and_the_last_one_the_day(world: World) -> None:
    async def scene() -> None:
        await world.open()
        await world.session(lease_seconds=1e9)
        run_ids = await _ended_with_attempts(world, 5)
        attempts = []
        for part in (PART, PART, 1):
            assert await world.purge(success_seconds=DAY, rows_max=PART) == part
            attempts.append([bool(await world.store.attempts(run_id)) for run_id in run_ids].count(True))
        assert attempts[-1] == 0
        assert [await world.store.find(run_id) for run_id in run_ids] == [None] * 5
        assert await world.store.controls(keeping.LEAVING) == []
        assert await world.purge(success_seconds=DAY, rows_max=PART) == 0
        await world.close()

    asyncio.run(scene())


def test_another_process_goes_on_where_the_last_one_ended(world: World) -> None:
    async def scene() -> None:
        await world.open()
        await world.session(lease_seconds=1e9)
        await _ended_with_attempts(world, 5)
        await world.purge(success_seconds=DAY, rows_max=3)
        await world.close()
        await world.open()
        assert await world.purge(success_seconds=DAY, rows_max=3) == 2
        assert await world.store.controls(keeping.LEAVING) == []
        await world.close()

    asyncio.run(scene())


def test_a_day_of_as_many_runs_as_a_part_has_is_dropped_with_the_next_step(world: World) -> None:
    async def scene() -> None:
        await world.open()
        await world.session(lease_seconds=1e9)
        run_ids = await _ended_with_attempts(world, PART)
        assert await world.purge(success_seconds=DAY, rows_max=PART) == PART
        assert await world.store.find(run_ids[0]) is not None
        assert await world.purge(success_seconds=DAY, rows_max=PART) == 0
        assert await world.store.find(run_ids[0]) is None
        await world.close()

    asyncio.run(scene())


def test_the_timetable_learns_how_the_runs_of_every_part_ended(world: World) -> None:
    async def scene() -> None:
        await world.open()
        await world.session(lease_seconds=1e9)
        schedule: Any = await world.schedule()
        for number in range(3):
            await world.planned_run(schedule, number)
            world.clock.advance(number + 1)
            await world.settle(await world.take(), State.SUCCESS)
        world.clock.advance(3 * DAY)
        while await world.purge(success_seconds=DAY, rows_max=PART) == PART:
            pass
        rows = await world.store.timetable(schedule.name, 0, 1 << 60)
        assert [State(row.state) for row in rows if row.run_id] == [State.SUCCESS] * 3
        await world.close()

    asyncio.run(scene())
