"""The decision service hears from workers how late runs start: buckets split where that helps, and only there."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from shike.scheduler.decision import DECISIONS, Decision, unpacked
from tests.sim.test_buckets import count, judge, schedule
from tests.sim.yard import Yard

DEAF_SECONDS = 3.0
MANY = 300  # so that each of 64 virtual buckets has some


def hard_of_hearing(yard: Yard) -> Any:
    """The worker hears of everything so much later; gives what it was before."""
    assert yard.worker.engine is not None and yard.worker.engine.worker is not None
    claims = yard.worker.engine.worker.claims
    before = claims.poke
    claims.poke = lambda queue="": asyncio.get_running_loop().call_later(DEAF_SECONDS, before, queue)  # type: ignore[method-assign,assignment]
    return lambda: setattr(claims, "poke", before)


async def decisions(yard: Yard) -> list[Decision]:
    found = [unpacked(row.value) for row in await yard.store.controls(DECISIONS)]
    return [one for one in found if one is not None]


@pytest.mark.slow
def test_runs_that_start_late_though_there_is_room_split_4_buckets_to_64_and_back() -> None:
    counts: list[int] = []

    async def story(yard: Yard) -> None:
        await yard.until(yard.is_whole, 5.0)
        yard.meanwhile(count(yard, counts))
        mend = hard_of_hearing(yard)
        await schedule(yard, MANY, seconds=5)
        await yard.until(lambda: bool(counts) and counts[-1] == 64, 120.0)
        mend()
        await yard.until(lambda: counts[-1] == 4, 300.0)
        await asyncio.sleep(10)
        judge(yard, MANY, seconds=5)
        made = await decisions(yard)
        assert any("where a worker had room for them" in one.reason for one in made)
        assert any(one.started_late_ms for one in made)

    Yard(2, slots=2 * MANY).play(story)
    assert counts[0] <= 4 and max(counts) == 64 and counts[-1] == 4


def test_runs_that_start_late_because_every_place_is_taken_split_nothing() -> None:
    """More is due than the worker can do, for a minute: that is nobody's fault but its size's."""
    counts: list[int] = []

    async def story(yard: Yard) -> None:
        await yard.until(yard.is_whole, 5.0)
        yard.meanwhile(count(yard, counts))
        await schedule(yard, 40, seconds=2, task="slow")
        await asyncio.sleep(60)
        eligible = (await yard.store.counts()).eligible
        assert eligible > 100, "it keeps up"
        assert [one.reason for one in await decisions(yard) if "late" in one.reason] == []

    Yard(2, slots=3).play(story)
    assert max(counts) == 4
