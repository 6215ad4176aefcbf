"""What is committed while the scanner reads is told on time, though the read has passed it already."""

from __future__ import annotations

import asyncio

from shike.clock import WALL_MAX
from shike.store.base import Gated
from shike.store.hints import Hint, HintKind
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


def test_a_run_that_was_committed_before_the_ear_was_open_is_told_at_its_time() -> None:
    """It stands behind what was read, and nobody heard of it: the ear says that there may be such."""

    async def story(world: World) -> None:
        made, _ = await node(world)
        await asyncio.sleep(1)
        heard = hear(world)
        hinted, made.scanner.hinted = made.scanner.hinted, lambda hint: None  # type: ignore[method-assign]
        due_at = world.clock.wall() + 5 * SECOND
        await world.submit("t", due_at=due_at)
        await asyncio.sleep(0.1)
        made.scanner.hinted = hinted  # type: ignore[method-assign]
        world.store.tell(Hint(HintKind.MISSED))
        await asyncio.sleep(6)
        told = [when for when, hint in heard if hint.kind is HintKind.DUE and hint.at <= when]
        assert len(told) == 1 and 0 <= told[0] - due_at < 2_000

    run(story)
