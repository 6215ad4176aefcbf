"""The port for a forecast: asked once in a while, believed in for a while, and never in the way."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import pytest

from shike.bounds import FORECAST_LOOK_SECONDS, FORECAST_MINUTES
from shike.clock import ManualClock
from shike.scheduler import forecast
from shike.scheduler.forecast import Outlook
from shike.scheduler.shares import Range

HALVES: tuple[Range, ...] = ((0, 31), (32, 63))


class Prophet:
    """Says what it was told to say."""

    def __init__(self, *numbers: float) -> None:
        self.numbers = numbers
        self.asked: list[tuple[tuple[Range, ...], int]] = []

    async def expected(self, buckets: Sequence[Range], minutes: int) -> Sequence[float]:
        self.asked.append((tuple(buckets), minutes))
        return self.numbers


class Silent(Prophet):
    async def expected(self, buckets: Sequence[Range], minutes: int) -> Sequence[float]:
        await asyncio.sleep(3600)
        return ()


class Broken(Prophet):
    async def expected(self, buckets: Sequence[Range], minutes: int) -> Sequence[float]:
        raise RuntimeError("no model")


def test_without_a_forecast_nothing_is_expected() -> None:
    assert asyncio.run(Outlook(None, ManualClock()).per_second(HALVES)) == {}


def test_it_is_asked_again_when_it_is_old_or_the_buckets_are_others() -> None:
    async def story() -> None:
        clock, prophet = ManualClock(), Prophet(600.0 * FORECAST_MINUTES, 0.0)
        outlook = Outlook(prophet, clock)
        for _ in range(3):
            assert await outlook.per_second(HALVES) == {(0, 31): 10.0, (32, 63): 0.0}
        assert prophet.asked == [(HALVES, FORECAST_MINUTES)]
        clock.advance(FORECAST_LOOK_SECONDS)
        await outlook.per_second(HALVES)
        assert len(prophet.asked) == 2
        prophet.numbers = (60.0 * FORECAST_MINUTES,)
        assert await outlook.per_second(((0, 63),)) == {(0, 63): 1.0}

    asyncio.run(story())


@pytest.mark.parametrize("prophet", [Silent(), Broken(), Prophet(1.0)], ids=["silent", "broken", "too few numbers"])
def test_one_that_fails_is_as_none(prophet: Prophet, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(forecast, "FORECAST_ANSWER_SECONDS", 0.01)
    assert asyncio.run(Outlook(prophet, ManualClock()).per_second(HALVES)) == {}
