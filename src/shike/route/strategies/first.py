"""The worker that has been there longest."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from shike.route.fitness import Field
from shike.route.nouns import Ask, Candidate, Choice
from shike.route.strategy import Strategy, distances, in_order


class First(Strategy):
    """Always the same one while it lives."""

    stays: ClassVar[bool] = True

    def choose(self, ask: Ask, field: Field) -> Choice:
        return Choice(0, (), in_order(len(field), 0))

    def scores(self, ask: Ask, workers: Sequence[Candidate], view: Sequence[float]) -> list[float]:
        return distances(len(workers), 0)


strategy = First
