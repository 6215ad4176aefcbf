"""Whoever has waited longest for a run of this task."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from shike.route.fitness import Field
from shike.route.looking_back import LookingBack, counted_by_number
from shike.route.nouns import Ask, Candidate, Choice
from shike.route.strategy import Strategy, lowest


class LeastRecentlyUsed(Strategy):
    """View: when each had its last run of the task, as the number of a choice; 0: never."""

    def __init__(self, draw: Callable[[], float]) -> None:
        super().__init__(draw)
        self._used = LookingBack()
        self._turn = 0

    def choose(self, ask: Ask, field: Field) -> Choice:
        used = self._used.of(ask.task, field)
        best, view = lowest(used), tuple(used)
        self._turn += 1
        self._used.note(ask.task, field, best[0][0], self._turn)
        return Choice(best[0][0], view, best)

    def scores(self, ask: Ask, workers: Sequence[Candidate], view: Sequence[float]) -> list[float]:
        return [-used for used in view]

    def memory(self) -> object:
        return [self._turn, self._used.memory()]

    def recall(self, memory: object) -> None:
        if isinstance(memory, list) and len(memory) == 2 and isinstance(memory[0], int):
            self._turn = memory[0]
            self._used.recall(counted_by_number(memory[1]))


strategy = LeastRecentlyUsed
