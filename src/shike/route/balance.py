"""Which lanes should give something away: the monitor → analyse → decide part of the feedback (R2.8). Pure.

The loads of workers are compared by their standard deviation. Above SPREAD_MAX runs that wait move from the loaded to
the idle, until it is below SPREAD_CALM. Two thresholds, and moves that level without passing the mean, keep it from
swinging: what is decided from one picture makes the next one flatter, never steeper the other way.
"""

from __future__ import annotations

from collections.abc import Sequence
from statistics import pstdev
from typing import Final

from msgspec import Struct

from shike.route.bounds import MOVES_PER_ROUND_MAX, SPREAD_CALM, SPREAD_MAX
from shike.route.fitness import occupancy
from shike.route.load import INDEX, Weights, indices
from shike.route.nouns import Candidate

ROUNDING: Final = 1e-9  # above what dividing loses


class Shift(Struct, frozen=True):
    """So many of the runs that wait in one worker's lane are another's from here on."""

    source: str
    target: str
    count: int


class Balance:
    """Remembers whether it is levelling: that is the hysteresis."""

    def __init__(self, index: Weights = INDEX) -> None:
        self._index = index
        self.levelling = False
        self.spread = 0.0

    def decide(self, workers: Sequence[Candidate]) -> list[Shift]:
        """The moves that level these workers, as far as lanes can: what runs already stays where it is."""
        if len(workers) < 2:
            self.levelling, self.spread = False, 0.0
            return []
        self.spread = pstdev(min(index, 1.0) for index in indices(workers, self._index))
        waiting = any(worker.lane for worker in workers) and pstdev(map(occupancy, workers))
        spread = max(self.spread, waiting)
        self.levelling = spread > (SPREAD_CALM if self.levelling else SPREAD_MAX)
        return _shifts(workers) if self.levelling else []


def _shifts(workers: Sequence[Candidate]) -> list[Shift]:
    """From who has more than its slots' part of all there is to do, to who has less; no one passes its part."""
    all_there_is = sum(worker.busy + worker.lane for worker in workers)
    each = all_there_is / sum(worker.slots for worker in workers)
    over = {worker: min(int(worker.busy + worker.lane - each * worker.slots), worker.lane) for worker in workers}
    under = {worker: int(each * worker.slots - worker.busy - worker.lane + ROUNDING) for worker in workers}
    found: list[Shift] = []
    left = MOVES_PER_ROUND_MAX
    for source in _most_first(over):
        for target in _most_first(under):
            count = min(over[source], under[target], left)
            if count > 0:
                found.append(Shift(source.session, target.session, count))
                over[source] -= count
                under[target] -= count
                left -= count
    return found


def _most_first(counts: dict[Candidate, int]) -> list[Candidate]:
    return sorted(counts, key=lambda worker: (-counts[worker], worker.number))
