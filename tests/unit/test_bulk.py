"""A bulk submission in steps: what overlaps, what does not, and what an error leaves behind."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import pytest

from shike.bounds import SUBMIT_BATCH_MAX, SUBMIT_PART
from shike.bulk import in_steps

SECONDS_MAX = 10.0


class Writer:
    """Answers each step with its own items, some turns of the event loop later."""

    def __init__(self, fails_at: int = -1) -> None:
        self.sizes: list[int] = []
        self.under_way = self.most = 0
        self._fails_at = fails_at

    async def __call__(self, items: Sequence[int]) -> list[int]:
        self.sizes.append(len(items))
        self.under_way += 1
        self.most = max(self.most, self.under_way)
        try:
            await asyncio.sleep(0)
            await asyncio.sleep(0)
            if len(self.sizes) > self._fails_at >= 0:
                raise ValueError("no more")
        finally:
            self.under_way -= 1
        return list(items)


async def _ready(items: Sequence[int]) -> Sequence[int]:
    return items


def steps(writer: Writer, count: int, *, overlap: bool) -> list[int]:
    async def work() -> list[int]:
        return await asyncio.wait_for(in_steps(_ready, writer, range(count), overlap=overlap), SECONDS_MAX)

    return asyncio.run(work())


@pytest.mark.parametrize("overlap", [False, True])
def test_what_fits_into_one_atomic_step_is_one(overlap: bool) -> None:
    writer = Writer()
    assert len(steps(writer, SUBMIT_BATCH_MAX, overlap=overlap)) == SUBMIT_BATCH_MAX
    assert writer.sizes == [SUBMIT_BATCH_MAX]


def test_more_goes_in_short_steps_of_which_two_are_under_way_and_is_answered_in_order() -> None:
    writer = Writer()
    count = SUBMIT_BATCH_MAX + SUBMIT_PART // 2
    assert steps(writer, count, overlap=True) == list(range(count))
    assert max(writer.sizes) == SUBMIT_PART
    assert writer.most == 2


def test_where_the_order_matters_one_step_follows_the_other() -> None:
    writer = Writer()
    assert steps(writer, SUBMIT_BATCH_MAX + 1, overlap=False) == list(range(SUBMIT_BATCH_MAX + 1))
    assert writer.sizes == [SUBMIT_BATCH_MAX, 1]
    assert writer.most == 1


def test_an_error_is_raised_and_nothing_is_left_under_way() -> None:
    writer = Writer(fails_at=2)
    with pytest.raises(ValueError, match="no more"):
        steps(writer, 2 * SUBMIT_BATCH_MAX, overlap=True)
    assert writer.under_way == 0
    assert len(writer.sizes) < 2 * SUBMIT_BATCH_MAX // SUBMIT_PART


def test_nothing_is_no_step() -> None:
    writer = Writer()
    assert steps(writer, 0, overlap=True) == []
    assert writer.sizes == []
