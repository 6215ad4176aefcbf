"""Work that nobody may have is told before anybody misses it (R2.4)."""

from __future__ import annotations

import asyncio

from shike.clock import MICROS
from shike.operate.unplaced import unplaced
from tests.unit.scheduler.test_router import HALL, crew, options, work_of
from tests.unit.worker.world import World, run


def test_runs_that_no_worker_may_have_are_told_with_what_they_need_and_how_late_they_are() -> None:
    async def story(world: World) -> None:
        work_of(world)
        await crew(world, 1, tags=("cpu",))
        assert await unplaced(world.store, world.clock) == []
        oldest, *_ = await world.submit("work", 3, queue=HALL, options=options("smart", required=("gpu",)))
        soon = world.clock.wall() + 5 * MICROS
        await world.submit("work", queue=HALL, options=options("first", slots=99), expires_at=soon)
        await world.submit("work", queue=HALL, options=options("first", required=("cpu",)))
        await asyncio.sleep(10)
        many, large = sorted(await unplaced(world.store, world.clock), key=lambda one: -one.runs)
        assert (many.task, many.queue, many.runs, many.late, many.oldest) == ("work", "default", 3, 0, str(oldest))
        assert many.needs == "has gpu; smart"
        assert (large.needs, large.late) == ("99 slots; first", 1), "it has expired"
        assert 9 < many.waits_seconds < 13
        assert [one.late for one in await unplaced(world.store, world.clock, deadline_seconds=5.0)].count(3) == 1

    run(story)
