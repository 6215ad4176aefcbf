"""Each in turn, the less loaded more often: by stride scheduling over weights that come from the load score.

The score is 0.5 CPU + 0.3 memory + 0.2 I/O (`shike.route.load.WEIGHTS`); a worker's weight is its base weight x (1 −
score). C. Waldspurger and W. Weihl, "Stride scheduling", MIT 1995: whoever has the lowest pass is next, and its pass
grows by 1/weight.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import ClassVar, Final

from shike.route.fitness import Field
from shike.route.load import weight_of
from shike.route.looking_back import LookingBack, counted_by_number
from shike.route.nouns import Ask, Candidate, Choice
from shike.route.strategy import Strategy, lowest

STRIDE: Final = 1_000  # of a worker with weight 1: passes are whole numbers
ALL: Final = ""  # passes are of workers, not of tasks


class WeightedRoundRobin(Strategy):
    """View: each one's pass."""

    by_load: ClassVar[bool] = True

    def __init__(self, draw: Callable[[], float]) -> None:
        super().__init__(draw)
        self._passes = LookingBack(joins_at_least=True)

    def choose(self, ask: Ask, field: Field) -> Choice:
        passes = self._passes.of(ALL, field)
        best, view = lowest(passes), tuple(passes)
        place = best[0][0]
        stride = max(round(STRIDE / weight_of(field.workers[place])), 1)
        self._passes.note(ALL, field, place, passes[place] + stride)
        return Choice(place, view, best)

    def scores(self, ask: Ask, workers: Sequence[Candidate], view: Sequence[float]) -> list[float]:
        return [-one for one in view]

    def memory(self) -> object:
        return self._passes.memory()

    def recall(self, memory: object) -> None:
        self._passes.recall(counted_by_number(memory))


strategy = WeightedRoundRobin
