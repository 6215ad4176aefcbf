"""The worker with the least to do for its size: (runs under way + its lane) ÷ slots."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from shike.route.fitness import Field, occupancy
from shike.route.nouns import Ask, Candidate, Choice
from shike.route.strategy import Strategy, lowest


class LeastBusy(Strategy):
    """View: how much each was given since the snapshot."""

    by_load: ClassVar[bool] = True

    def choose(self, ask: Ask, field: Field) -> Choice:
        field.catch_up()
        best = lowest(field.loads)
        return Choice(best[0][0], tuple(field.given), best)

    def scores(self, ask: Ask, workers: Sequence[Candidate], view: Sequence[float]) -> list[float]:
        return [-occupancy(worker, more) for worker, more in zip(workers, view, strict=True)]


strategy = LeastBusy
