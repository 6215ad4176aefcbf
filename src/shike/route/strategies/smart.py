"""A weighted draw: the more CPU is free and the fewer runs failed there, the likelier a worker is chosen."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from itertools import accumulate
from typing import ClassVar

from shike.route.bounds import WEIGHT_MIN
from shike.route.fitness import Field
from shike.route.nouns import Ask, Candidate, Choice
from shike.route.strategy import Strategy, lowest


class Smart(Strategy):
    """A score is the effective weight: base weight x (100 − CPU %) x (1 − failure rate), and never nothing.

    View: the number that was drawn from [0, 1).
    """

    by_load: ClassVar[bool] = True

    def choose(self, ask: Ask, field: Field) -> Choice:
        cached = field.cache.get("weights")
        if cached is None:
            weights = _weights(field.workers)
            best = tuple([(place, -score) for place, score in lowest([-weight for weight in weights])])
            best = tuple([(place, weights[place]) for place, _ in best])
            cached = field.cache["weights"] = list(accumulate(weights)), best
        reached, best = cached
        drawn = self.draw()
        return Choice(_drawn(reached, drawn), (drawn,), best)

    def scores(self, ask: Ask, workers: Sequence[Candidate], view: Sequence[float]) -> list[float]:
        return _weights(workers)

    def pick(self, scores: Sequence[float], view: Sequence[float]) -> int:
        """What was drawn, not the highest."""
        return _drawn(list(accumulate(scores)), view[0])


def _weights(workers: Sequence[Candidate]) -> list[float]:
    return [
        worker.weight * max(100.0 * (1.0 - worker.cpu) * (1.0 - worker.failures), 100.0 * WEIGHT_MIN)
        for worker in workers
    ]


def _drawn(reached: Sequence[float], drawn: float) -> int:
    return min(bisect_right(reached, drawn * reached[-1]), len(reached) - 1)


strategy = Smart
