"""The worker that came last."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from shike.route.bounds import BEST_TOLD
from shike.route.fitness import Field
from shike.route.nouns import Ask, Candidate, Choice
from shike.route.strategy import Strategy


class Last(Strategy):
    """The newest: after a roll-out, the one with the newest program."""

    stays: ClassVar[bool] = True

    def choose(self, ask: Ask, field: Field) -> Choice:
        end = len(field) - 1
        return Choice(end, (), tuple((end - step, float(-step)) for step in range(min(BEST_TOLD, end + 1))))

    def scores(self, ask: Ask, workers: Sequence[Candidate], view: Sequence[float]) -> list[float]:
        return [float(place + 1 - len(workers)) for place in range(len(workers))]


strategy = Last
