"""Each in turn. Whose turn it was is remembered by the worker's number, so that nobody who comes or goes shifts the
turns of the others."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence

from shike.route.fitness import Field
from shike.route.nouns import Ask, Candidate, Choice
from shike.route.strategy import Strategy, distances, in_order


class RoundRobin(Strategy):
    """The next number above the last one that had a turn. View: that last number."""

    _last = 0

    def choose(self, ask: Ask, field: Field) -> Choice:
        before = self._last
        start = bisect_right(field.numbers, before) % len(field)
        self._last = field.numbers[start]
        return Choice(start, (before,), in_order(len(field), start))

    def scores(self, ask: Ask, workers: Sequence[Candidate], view: Sequence[float]) -> list[float]:
        start = bisect_right([worker.number for worker in workers], view[0]) % len(workers)
        return distances(len(workers), start)

    def memory(self) -> object:
        return self._last

    def recall(self, memory: object) -> None:
        self._last = memory if isinstance(memory, int) else 0


strategy = RoundRobin
