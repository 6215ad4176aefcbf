"""Whoever has had the fewest runs of this task. One that joins begins where the fewest stands, or it would get all."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from shike.route.fitness import Field
from shike.route.looking_back import LookingBack, counted_by_number
from shike.route.nouns import Ask, Candidate, Choice
from shike.route.strategy import Strategy, lowest


class LeastFrequentlyUsed(Strategy):
    """View: how many runs of the task each has had."""

    def __init__(self, draw: Callable[[], float]) -> None:
        super().__init__(draw)
        self._counts = LookingBack(joins_at_least=True)

    def choose(self, ask: Ask, field: Field) -> Choice:
        counts = self._counts.of(ask.task, field)
        best, view = lowest(counts), tuple(counts)
        place = best[0][0]
        self._counts.note(ask.task, field, place, counts[place] + 1)
        return Choice(place, view, best)

    def scores(self, ask: Ask, workers: Sequence[Candidate], view: Sequence[float]) -> list[float]:
        return [-count for count in view]

    def memory(self) -> object:
        return self._counts.memory()

    def recall(self, memory: object) -> None:
        self._counts.recall(counted_by_number(memory))


strategy = LeastFrequentlyUsed
