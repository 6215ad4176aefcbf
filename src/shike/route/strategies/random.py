"""Any of them, with equal chances."""

from __future__ import annotations

from collections.abc import Sequence

from shike.route.fitness import Field
from shike.route.nouns import Ask, Candidate, Choice
from shike.route.strategy import Strategy, distances, in_order


class Random(Strategy):
    """View: the number that was drawn from [0, 1)."""

    def choose(self, ask: Ask, field: Field) -> Choice:
        drawn, count = self.draw(), len(field)
        start = int(drawn * count)
        return Choice(start, (drawn,), in_order(count, start))

    def scores(self, ask: Ask, workers: Sequence[Candidate], view: Sequence[float]) -> list[float]:
        return distances(len(workers), int(view[0] * len(workers)))


strategy = Random
