"""The work of the simulated cluster: handlers that are quick, slow, flaky or not ready yet, and tell the world."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from random import Random
from typing import Any

from shike.limit.declared import limits_of
from shike.model import Backoff, Growth, OnUnknown
from shike.task import Definition
from shike.worker.context import current
from shike.worker.outcome import Snooze
from tests.sim import loop as simulated
from tests.sim.effects import Effect, Effects
from tests.sim.loop import Process
from tests.sim.tenants import METERED, SHARED

RETRY = Backoff(attempts=6, growth=Growth.EXPONENTIAL, base_seconds=0.5, factor=1.7, max_seconds=5.0, jitter=0.2)


class FlakyError(RuntimeError):
    """What a flaky handler raises."""


class Handlers:
    """All tasks of one simulation, sharing its effects log and its draw."""

    def __init__(
        self,
        effects: Effects,
        draw: Random,
        now: Callable[[], float],
        kill: Callable[[Process], None],
    ) -> None:
        self._effects = effects
        self._draw = draw
        self._now = now
        self._kill = kill
        self._snoozed: dict[int, None] = {}
        self.definitions = {
            definition.name: definition
            for definition in (
                Definition("instant", self.instant),
                Definition("quick", self.quick),
                Definition("slow", self.slow),
                Definition("flaky", self.flaky, retry=RETRY),
                Definition("hopeless", self.hopeless, retry=Backoff(attempts=2, base_seconds=0.3)),
                Definition("later", self.later),
                Definition("poison", self.poison),
                Definition("chooser", self.chooser),
                Definition("taker", self.taker),
                Definition("once", self.once, on_unknown=OnUnknown.FAIL),
                Definition("metered", self.metered, limits=limits_of("metered", self.metered, METERED)),
                Definition("shared", self.shared, limits=limits_of("shared", self.shared, SHARED), retry=RETRY),
            )
        }

    async def instant(self) -> None:
        """Never waits: the inline path."""
        self._tell(False)
        self._tell(True)

    async def quick(self) -> None:
        await self._work(0.05)

    async def slow(self, seconds: float = 8.0) -> float:
        await self._work(seconds)
        return seconds

    async def flaky(self) -> None:
        await self._work(0.3, fails=0.4)

    async def hopeless(self) -> None:
        await self._work(0.1, fails=1.0)

    async def later(self) -> Snooze | None:
        """Not ready at the first look."""
        self._tell(False)
        run_id = current().run.id
        if run_id not in self._snoozed:
            self._snoozed[run_id] = None
            return Snooze(3.0)
        self._tell(True)
        return None

    async def chooser(self) -> str:
        """Which way a graph goes on."""
        await self._work(0.2)
        return self._draw.choice(("x", "y", "z"))

    async def taker(self, parts: list[Any]) -> int:
        """Takes what other runs have made."""
        await self._work(0.1)
        return len(parts)

    async def poison(self) -> None:
        """Takes its process with it, each time."""
        self._tell(False)
        process = simulated.current()
        if process is not None:
            self._kill(process)
        await asyncio.get_running_loop().create_future()

    async def once(self) -> None:
        """Must not be repeated when nobody knows how it ended."""
        await self._work(1.0)

    async def metered(self, tenant: str) -> None:
        """Limited by its tenant."""
        await self._work(1.5)

    async def shared(self, tenant: str) -> None:
        """Shared out among tenants, and not always successful."""
        await self._work(0.6, fails=0.1)

    async def _work(self, seconds: float, fails: float = 0.0) -> None:
        self._tell(False)
        await asyncio.sleep(self._draw.uniform(0.0, seconds))
        if self._draw.random() < fails:
            raise FlakyError("drawn to fail")
        self._tell(True)

    def _tell(self, done: bool) -> None:
        """Leave a trace outside of everything that may be lost."""
        process, context = simulated.current(), current()
        name = process.name if process else "nowhere"
        self._effects.add(Effect(self._now(), name, context.run.id, context.token, context.attempt, done))
