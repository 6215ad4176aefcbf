"""What every strategy is: a choice, and the scores that explain it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import inf
from typing import ClassVar

from shike.route.bounds import BEST_TOLD
from shike.route.fitness import Field
from shike.route.nouns import Ask, Candidate, Choice


class Strategy:
    """One way to choose. `choose` may remember; `scores` is a pure function of what it is given, higher is better, and
    `pick` of those scores and the choice's view is the choice, for ever: that is what `shike explain` shows.

    `by_load`: it goes by how much the workers have to do, so it chooses only among those that have room, and a run
    that nobody has room for waits in the hall. `stays`: its choice is meant, so balancing leaves it alone.
    `divides`: when workers come or go, it chooses again for what stands in lanes.
    """

    by_load: ClassVar[bool] = False
    stays: ClassVar[bool] = False
    divides: ClassVar[bool] = False

    def __init__(self, draw: Callable[[], float]) -> None:
        self.draw = draw

    def choose(self, ask: Ask, field: Field) -> Choice:
        """Among the candidates of a field, which is never empty."""
        raise NotImplementedError

    def scores(self, ask: Ask, workers: Sequence[Candidate], view: Sequence[float]) -> list[float]:
        """Of all candidates, in their order."""
        raise NotImplementedError

    def pick(self, scores: Sequence[float], view: Sequence[float]) -> int:
        """The place that these scores choose: the highest, the first of several."""
        return scores.index(max(scores))

    def memory(self) -> object:
        """What it has to know after a restart, as JSON takes it; None: nothing."""
        return None

    def recall(self, memory: object) -> None:
        """What `memory` gave, of an earlier life. What cannot be read is forgotten."""


def in_order(count: int, start: int) -> tuple[tuple[int, float], ...]:
    """The best of a strategy whose order is the candidates' own, from `start` on, round and round."""
    return tuple([((start + step) % count, float(-step)) for step in range(min(count, BEST_TOLD))])


def distances(count: int, start: int) -> list[float]:
    """The scores that go with `in_order`."""
    return [float(-((place - start) % count)) for place in range(count)]


def lowest(keys: Sequence[float]) -> tuple[tuple[int, float], ...]:
    """The places of the lowest keys, the first of equals first, with their negatives as scores."""
    if len(keys) <= BEST_TOLD:
        order = sorted(range(len(keys)), key=keys.__getitem__)
        return tuple([(place, float(-keys[place])) for place in order])
    left, found = list(keys), []
    for _ in range(BEST_TOLD):
        least = min(left)
        place = left.index(least)
        found.append((place, float(-least)))
        left[place] = inf
    return tuple(found)
