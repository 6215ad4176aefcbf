"""One task for each bucket in hand, and none for any other."""

from __future__ import annotations

import asyncio

import pytest

from shike.model import Bucket
from shike.scheduler.crew import Crew
from shike.scheduler.shares import Range
from tests import bounded


class Yard:
    """What a crew works on, and who is at work."""

    def __init__(self, *ranges: Range) -> None:
        self.ranges = list(ranges)
        self.at_work: list[Range] = []
        self.begun: list[Range] = []
        self.broken: set[Range] = set()
        self.crew = Crew(
            lambda: [Bucket(low=low, high=high, owner="n", epoch=1) for low, high in self.ranges], self._work, "test"
        )

    async def _work(self, one: Range) -> None:
        self.begun.append(one)
        self.at_work.append(one)
        try:
            if one in self.broken:
                raise ZeroDivisionError
            await asyncio.Event().wait()
        finally:
            self.at_work.remove(one)

    async def turn(self, *ranges: Range) -> None:
        """These are in hand from here on."""
        self.ranges = list(ranges)
        self.crew.changed()
        for _ in range(5):
            await asyncio.sleep(0)


def test_work_begins_with_a_bucket_ends_with_it_and_goes_on_meanwhile() -> None:
    async def story() -> None:
        yard = Yard()
        role = asyncio.create_task(yard.crew.run())
        await yard.turn((0, 9), (10, 19))
        assert yard.at_work == [(0, 9), (10, 19)]
        await yard.turn((10, 19), (20, 29))
        assert yard.at_work == [(10, 19), (20, 29)]
        assert yard.begun == [(0, 9), (10, 19), (20, 29)], "what stays is not begun anew"
        await yard.turn((10, 14), (15, 19))
        assert yard.at_work == [(10, 14), (15, 19)], "a split bucket is two others"
        role.cancel()
        await asyncio.wait([role])
        assert yard.at_work == [] and role.cancelled()

    bounded.run(story())


def test_an_error_that_nobody_foresaw_ends_all_work_and_the_role_which_may_begin_again() -> None:
    async def story() -> None:
        yard = Yard((0, 9), (10, 19))
        yard.broken.add((10, 19))
        with pytest.raises(ZeroDivisionError):
            await yard.crew.run()
        assert yard.at_work == []
        yard.broken.clear()
        role = asyncio.create_task(yard.crew.run())
        await yard.turn((0, 9), (10, 19))
        assert yard.at_work == [(0, 9), (10, 19)]
        role.cancel()
        await asyncio.wait([role])

    bounded.run(story())
