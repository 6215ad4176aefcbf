"""The worker that answers first: whose last beat took the shortest way to the store and back.

Each beat is a probe that is made anyway, once a second; nobody is asked while a run waits.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from shike.route.fitness import Field
from shike.route.nouns import Ask, Candidate, Choice
from shike.route.strategy import Strategy, lowest


class FastestHeartbeat(Strategy):
    """A score is the negative of the answer in ms."""

    stays: ClassVar[bool] = True

    def choose(self, ask: Ask, field: Field) -> Choice:
        best = field.cache.get("best")
        if best is None:
            best = field.cache["best"] = lowest([worker.answer_ms for worker in field.workers])
        return Choice(best[0][0], (), best)

    def scores(self, ask: Ask, workers: Sequence[Candidate], view: Sequence[float]) -> list[float]:
        return [-worker.answer_ms for worker in workers]


strategy = FastestHeartbeat
