"""The archivist carries the history of the buckets in hand, all of it, and bears with an archive that is away."""

from __future__ import annotations

import asyncio
from typing import Any

from shike.errors import BadSetting, ShikeError, StoreUnavailable
from shike.model import Bucket
from shike.scheduler.archivist import PAGE_RECORDS, ROUND_SECONDS, Archivist
from tests.unit.worker.world import World, run

OURS, THEIRS = (0, 9), (10, 19)


class Stock:
    """Records that are over, by bucket."""

    def __init__(self, records: int) -> None:
        self.left = {OURS: records, THEIRS: records}
        self.asked = 0
        self.error: ShikeError | None = None

    async def carry(self, low: int, high: int, limit: int) -> int:
        self.asked += 1
        if self.error is not None:
            raise self.error
        count = min(self.left[low, high], limit)
        self.left[low, high] -= count
        return count

    def in_hand(self) -> list[Bucket]:
        return [Bucket(low=OURS[0], high=OURS[1], owner="me", epoch=1)]

    def begin(self) -> asyncio.Task[None]:
        buckets: Any = self
        return asyncio.create_task(Archivist(self, buckets).run())  # type: ignore[arg-type]


def test_all_that_is_over_in_our_buckets_is_carried_and_nothing_of_others() -> None:
    async def story(world: World) -> None:
        stock = Stock(3 * PAGE_RECORDS + 1)
        role = stock.begin()
        await asyncio.sleep(ROUND_SECONDS / 2)
        assert stock.left == {OURS: 0, THEIRS: 3 * PAGE_RECORDS + 1}
        stock.left[OURS] = 1
        await asyncio.sleep(ROUND_SECONDS)
        assert stock.left[OURS] == 0
        role.cancel()

    run(story)


def test_an_archive_that_is_away_or_anothers_is_asked_again_and_not_without_a_pause() -> None:
    async def story(world: World) -> None:
        stock = Stock(1)
        role = stock.begin()
        for stock.error in (StoreUnavailable("away"), BadSetting("another's")):
            stock.left[OURS], stock.asked = 1, 0
            await asyncio.sleep(100 * ROUND_SECONDS)
            assert 1 <= stock.asked <= 101 and stock.left[OURS] == 1 and not role.done()
        stock.error = None
        await asyncio.sleep(100 * ROUND_SECONDS)
        assert stock.left[OURS] == 0
        role.cancel()

    run(story)
