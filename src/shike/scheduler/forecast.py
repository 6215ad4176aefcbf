"""The port through which a forecast comes to the decision service, so that buckets are split before they are late.

A node has none unless it is given one: `Node(…, forecast=…)`.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping, Sequence
from typing import Protocol

from shike.bounds import FORECAST_ANSWER_SECONDS, FORECAST_LOOK_SECONDS, FORECAST_MINUTES
from shike.clock import Clock
from shike.scheduler.shares import Range

log = logging.getLogger("shike.scheduler")


class Forecast(Protocol):
    """Whoever knows what is to come."""

    async def expected(self, buckets: Sequence[Range], minutes: int) -> Sequence[float]:
        """How many runs will be due in each of these ranges of virtual buckets within the next `minutes`: a number for
        each, in their order. It is asked once in a while, given up after FORECAST_ANSWER_SECONDS, and may raise."""
        ...


class Outlook:
    """What the forecast says, asked for again when it is old or the buckets are others. Empty without one."""

    def __init__(self, forecast: Forecast | None, clock: Clock) -> None:
        self._forecast = forecast
        self._clock = clock
        self._known: dict[Range, float] = {}
        self._asked: tuple[tuple[Range, ...], float] = ((), float("-inf"))

    async def per_second(self, wanted: tuple[Range, ...]) -> Mapping[Range, float]:
        """Runs a second that are expected, by bucket. A forecast that fails is as none."""
        now, (buckets, at) = self._clock.monotonic(), self._asked
        if self._forecast is not None and (buckets != wanted or now - at >= FORECAST_LOOK_SECONDS):
            self._asked = (wanted, now)
            self._known = await self._ask(self._forecast, wanted)
        return self._known

    async def _ask(self, forecast: Forecast, wanted: tuple[Range, ...]) -> dict[Range, float]:
        try:
            async with asyncio.timeout(FORECAST_ANSWER_SECONDS):
                expected = await forecast.expected(wanted, FORECAST_MINUTES)
            return {one: runs / (60 * FORECAST_MINUTES) for one, runs in zip(wanted, expected, strict=True)}
        except Exception as error:  # it is somebody else's, and only advice
            log.warning("the forecast does not say what is to come: %s", error or type(error).__name__)
            return {}
