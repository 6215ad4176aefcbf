"""The janitor drops what has been kept long enough, a little at a time, and gives up on nothing for good."""

from __future__ import annotations

import asyncio

import pytest

from shike.bounds import PURGE_ROWS, RECEIPT_LEASES
from shike.errors import StoreUnavailable
from shike.scheduler.janitor import ROUND_SECONDS, Janitor, retention
from shike.store.memory import MemoryStore
from shike.store.verbs import Retention
from tests.unit.worker.world import World, run


class Heap(MemoryStore):
    """So many rows to drop; `fails` times the store is away."""

    def __init__(self, world: World, rows: int, fails: int = 0) -> None:
        super().__init__(world.clock)
        self.rows, self.fails, self.asked = rows, fails, 0

    async def purge(self, keep: Retention) -> int:
        self.asked += 1
        if self.fails:
            self.fails -= 1
            raise StoreUnavailable("away")
        count = min(self.rows, keep.rows_max)
        self.rows -= count
        return count


@pytest.mark.parametrize(("draw", "seconds"), [(0.0, ROUND_SECONDS / 2), (0.999, 1.499 * ROUND_SECONDS)])
def test_nodes_do_not_purge_at_the_same_time(draw: float, seconds: float) -> None:
    async def story(world: World) -> None:
        heap = Heap(world, 1)
        role = asyncio.create_task(Janitor(heap, retention(), lambda: draw).run())
        await asyncio.sleep(seconds - 1)
        assert heap.asked == 0
        await asyncio.sleep(2)
        assert heap.asked == 1
        role.cancel()

    run(story)


def test_a_round_goes_on_until_nothing_is_left_a_page_at_a_time() -> None:
    async def story(world: World) -> None:
        heap = Heap(world, 3 * PURGE_ROWS + 1)
        role = asyncio.create_task(Janitor(heap, retention(), lambda: 0.5).run())
        await asyncio.sleep(ROUND_SECONDS + 5)
        assert (heap.rows, heap.asked) == (0, 4)
        role.cancel()

    run(story)


def test_a_store_that_is_away_is_asked_again_in_the_next_round() -> None:
    async def story(world: World) -> None:
        heap = Heap(world, 5, fails=1)
        role = asyncio.create_task(Janitor(heap, retention(), lambda: 0.5).run())
        await asyncio.sleep(1.5 * ROUND_SECONDS)
        assert (heap.rows, heap.asked) == (5, 1)
        await asyncio.sleep(ROUND_SECONDS)
        assert (heap.rows, heap.asked) == (0, 2)
        role.cancel()

    run(story)


def test_receipts_are_kept_for_leases_and_not_for_seconds() -> None:
    assert retention(lease_seconds=30.0).receipt_seconds == 30.0 * RECEIPT_LEASES
