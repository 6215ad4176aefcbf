"""How loaded a worker is, in the few numbers that strategies and balancing go by."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from msgspec import Struct

from shike.route.bounds import WEIGHT_MIN
from shike.route.fitness import occupancy
from shike.route.nouns import Candidate


class Weights(Struct, frozen=True):
    """How much CPU, memory and I/O count; they need not add up to 1."""

    cpu: float
    memory: float
    io: float = 0.0

    def of(self, worker: Candidate) -> float:
        """0 (idle) … 1 (nothing left)."""
        total = self.cpu + self.memory + self.io
        told = self.cpu * worker.cpu + self.memory * worker.memory + self.io * worker.io
        return min(max(told / total, 0.0), 1.0) if total > 0 else 0.0


WEIGHTS = Weights(0.5, 0.3, 0.2)  # of the load score that weighted round robin goes by
INDEX = Weights(0.6, 0.4)  # of the load index that balancing goes by


def weight_of(worker: Candidate, weights: Weights = WEIGHTS) -> float:
    """A worker's share of the turns: its base weight, less the more it is loaded, and never nothing."""
    return worker.weight * max(1.0 - weights.of(worker), WEIGHT_MIN)


def indices(workers: Sequence[Candidate], index: Weights = INDEX) -> list[float]:
    """The load index of each: of its machine where it has one to itself, else its occupancy. Workers that share a
    machine share its CPU and memory, so these cannot tell them apart. An idle one with a busy machine is busy."""
    crowd = Counter(worker.host for worker in workers)
    return [
        occupancy(worker) if crowd[worker.host] > 1 else max(index.of(worker), occupancy(worker)) for worker in workers
    ]
