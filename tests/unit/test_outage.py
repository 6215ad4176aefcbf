"""A store that fails is tried less and less often, and the log tells of changes only."""

from __future__ import annotations

import asyncio
import logging

import pytest

from shike.bounds import REPEAT_SECONDS_MIN, SLEEP_SECONDS_MAX
from shike.errors import StoreFull, StoreUnavailable
from shike.outage import Outage
from tests.unit.worker.world import World, run


def test_pauses_double_up_to_a_second_and_begin_anew_after_it_is_over() -> None:
    outage = Outage(logging.getLogger("shike.test"), "claiming")
    error = StoreUnavailable("down")
    assert [outage.pause(error) for _ in range(4)] == [REPEAT_SECONDS_MIN * step for step in (1, 2, 4, 8)]
    assert max(outage.pause(error) for _ in range(5_000)) == SLEEP_SECONDS_MAX
    outage.over()
    assert outage.pause(error) == REPEAT_SECONDS_MIN


def test_only_changes_are_logged(caplog: pytest.LogCaptureFixture) -> None:
    outage = Outage(logging.getLogger("shike.test"), "claiming")
    outage.over()
    for error in [StoreUnavailable("down")] * 50 + [StoreFull("no space left")] * 50 + [TimeoutError()] * 2:
        outage.pause(error)
    outage.over()
    outage.over()
    began, other, silent, over = [record.getMessage() for record in caplog.records]
    assert "down" in began and "no space left" in other and "in time" in silent and "102" in over


def test_a_worker_bears_a_full_disk_without_flooding_its_log(caplog: pytest.LogCaptureFixture) -> None:
    async def story(world: World) -> None:
        ran: list[None] = []

        async def tick() -> None:
            ran.append(None)

        world.task(tick)
        await world.worker()
        await world.submit("tick")
        await asyncio.sleep(1)
        world.store.down = True
        await world.submit("tick")
        before = len(world.store.claims)
        await asyncio.sleep(8)
        assert len(world.store.claims) - before < 15
        lines = [record.getMessage() for record in caplog.records if record.levelno >= logging.WARNING]
        assert 0 < len(lines) <= 2, lines
        world.store.down = False
        await asyncio.sleep(2)
        assert len(ran) == 2 and "works again" in caplog.text

    run(story)
