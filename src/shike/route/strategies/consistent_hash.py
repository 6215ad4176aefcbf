"""Runs of one key meet one worker, and when workers come or go few keys move: a ring of 2^32 places.

D. Karger et al., "Consistent hashing and random trees", STOC 1997; four points from each MD5, as libketama does.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Sequence
from typing import ClassVar

from shike.route.bounds import BEST_TOLD
from shike.route.fitness import Field
from shike.route.nouns import Ask, Candidate, Choice
from shike.route.ring import SIZE, Ring, identities, place_of_key, points_of
from shike.route.strategy import Strategy


class ConsistentHash(Strategy):
    """The worker whose point comes next on the ring. A score is how far away that is, as a share of the ring."""

    stays: ClassVar[bool] = True

    def __init__(self, draw: Callable[[], float]) -> None:
        super().__init__(draw)
        self.ring = Ring()

    def choose(self, ask: Ask, field: Field) -> Choice:
        names = field.cache.get("names")
        if names is None:
            names = field.cache["names"] = identities(field.workers)
        ring, place = self.ring, place_of_key(ask.key)
        ring.of(names)
        best = []
        for point, owner in ring.onward(place, min(BEST_TOLD, len(names))):
            best.append((owner, -((point - place) % SIZE) / SIZE))
        return Choice(best[0][0], (), tuple(best))

    def scores(self, ask: Ask, workers: Sequence[Candidate], view: Sequence[float]) -> list[float]:
        place = place_of_key(ask.key)
        found = []
        for name in identities(workers):
            points = points_of(name)
            point = points[bisect_left(points, place) % len(points)]
            found.append(-((point - place) % SIZE) / SIZE)
        return found


strategy = ConsistentHash
