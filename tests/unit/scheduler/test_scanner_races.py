"""What is committed while the scanner reads is told on time, though the read has passed it already."""

from __future__ import annotations

import asyncio

from shike.clock import WALL_MAX
from shike.store.base import Gated
from shike.store.hints import HintKind
from tests.unit.scheduler.test_node import SECOND, hear, node
from tests.unit.worker.world import World, run


def test_a_run_committed_behind_a_read_that_is_under_way_is_told_at_its_time() -> None:
    async def story(world: World) -> None:
        made, _ = await node(world)
        await asyncio.sleep(1)
        heard = hear(world)
        due_at: list[int] = []
        answer = world.store.gated

        async def slow(low: int, high: int, after: int, until: int, limit: int) -> list[Gated]:
            found = await answer(low, high, after, until, limit)
            if until == WALL_MAX and not due_at:  # the last look of a read that found nothing
                due_at.append(world.clock.wall() + 20 * SECOND)
                await world.submit("t", due_at=due_at[0])
                await asyncio.sleep(0.01)
            return found

        world.store.gated = slow  # type: ignore[method-assign]
        made.scanner.start_over()
        await asyncio.sleep(21)
        told = [when for when, hint in heard if hint.kind is HintKind.DUE and hint.at <= when]
        assert len(told) == 1 and 0 <= told[0] - due_at[0] < 2_000

    run(story)
