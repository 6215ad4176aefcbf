"""Nodes that a fickle broker wakes (R3.9): whatever it says, and under every fault, no promise is broken."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from random import Random

import pytest

from shike.engine import Engine
from tests.sim.cluster import SHORT_SECONDS, Cluster
from tests.sim.fleet import describe, quiet
from tests.sim.roles import Breed

SEEDS = range(8)
LOST, EARLY, LATE, DOUBLED = 0.2, 0.2, 0.2, 0.1  # of all words; the rest comes in time
AWAY_SECONDS = 20.0  # at most, in one piece
WANDERS_SECONDS = 5.0  # so much early or late at most


class Fickle:
    """Loses words, says them early, late or twice, speaks of moments that nobody asked for, and goes away."""

    def __init__(self, name: str) -> None:
        self.answers = False
        self.words = 0
        self._draw = Random(name)
        self._woken: Callable[[int], None] = lambda at: None

    def ask(self, at: int, seconds: float) -> None:
        luck = self._draw.random()
        if luck < LOST:
            return
        wander = self._draw.uniform(0, WANDERS_SECONDS)
        if luck < LOST + EARLY:
            seconds -= wander
        elif luck < LOST + EARLY + LATE:
            seconds += wander
        self._say(at, seconds)
        if luck > 1 - DOUBLED:
            self._say(at, seconds + wander)

    def _say(self, at: int, seconds: float) -> None:
        self.words += 1
        asyncio.get_running_loop().call_later(max(seconds, 0.0), self._woken, at)

    async def run(self, woken: Callable[[int], None]) -> None:
        self._woken = woken
        while True:
            self.answers = not self.answers
            await asyncio.sleep(self._draw.uniform(0, AWAY_SECONDS))
            woken(self._draw.choice((0, 2**62)))


@pytest.mark.slow
def test_a_fickle_waker_breaks_no_promise() -> None:
    wakers: list[Fickle] = []

    def woken(engine: Engine) -> None:
        if engine.node is not None:
            wakers.append(Fickle(engine.member.name))
            engine.node._waker = engine.node.scanner._alarm._waker = wakers[-1]

    for seed in SEEDS:
        with quiet():
            report = Cluster(seed, Breed("fickle waker", plant=woken), chaos_seconds=SHORT_SECONDS).run()
        assert not report.violations, "\n".join(describe(report))
    assert sum(waker.words for waker in wakers) > 100 * len(SEEDS), "it spoke"
