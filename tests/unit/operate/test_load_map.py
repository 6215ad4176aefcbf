"""The load map: each worker with what it told, and how even that is (R2.8)."""

from __future__ import annotations

import asyncio
import io

import pytest

from shike.operate.load_map import LoadMap, LoadMapper, WorkerLoad
from tests.unit.scheduler.test_router import HALL, crew, options, work_of
from tests.unit.worker.world import World, run


def test_each_worker_stands_with_its_load_its_lane_and_its_index() -> None:
    async def story(world: World) -> None:
        work_of(world, 30.0)
        one, other = await crew(world, 2, slots=2, tags=("gpu",))
        await world.submit("work", 2)
        await world.submit("work", queue=HALL, options=options("first", required=("tpu",)))
        await asyncio.sleep(3)
        mapper = LoadMapper(world.store, world.clock)
        found = await mapper.look()
        assert [worker.session for worker in found.workers] == [one.identity[:8], other.identity[:8]]
        assert sum(worker.busy for worker in found.workers) == 2
        assert {worker.slots for worker in found.workers} == {2}
        assert found.workers[0].tags == ("gpu",)
        assert found.halls == {"default": 1}
        assert found.spread >= 0
        await world.kill(other)
        assert [worker.session for worker in (await mapper.look()).workers] == [one.identity[:8]]

    run(story)


def test_the_picture_has_a_line_for_each_worker_in_any_window() -> None:
    pytest.importorskip("rich")
    from rich.console import Console

    from shike.cli.load_picture import draw
    from shike.clock import to_datetime

    workers = tuple(
        WorkerLoad(
            name=f"worker-{number}", session="ab", host="h", cpu=number / 3, memory=0.5, io=0.0, slots=4, busy=number,
            lane=9 * number, occupancy=0.5, index=number / 3, tags=("gpu",), silent_seconds=5.0 * number,
        )
        for number in range(4)
    )  # fmt: skip
    found = LoadMap(at=to_datetime(1), workers=workers, spread=0.4, halls={"mail": 3})
    for width in (80, 120, 200):
        out = io.StringIO()
        Console(file=out, width=width).print(draw(found, width=width))
        text = out.getvalue()
        assert all(f"worker-{number}" in text for number in range(4))
        assert "mail: 3 wait for a worker" in text
        assert "100%" in text
    out = io.StringIO()
    Console(file=out, width=80).print(draw(LoadMap(at=to_datetime(1), workers=(), spread=0.0, halls={}), width=80))
    assert "no worker is there" in out.getvalue()
