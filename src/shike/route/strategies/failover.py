"""The first that is well; the others stand by."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar, Final

from shike.route.fitness import Field
from shike.route.nouns import Ask, Candidate, Choice
from shike.route.strategy import Strategy, lowest

UNWELL_SECONDS: Final = 1.5  # without a beat: one was missed
UNWELL_FAILURES: Final = 0.5  # every other run fails there


class Failover(Strategy):
    """In their order, those that missed a beat or fail at every other run behind all others."""

    stays: ClassVar[bool] = True

    def choose(self, ask: Ask, field: Field) -> Choice:
        best = field.cache.get("best")
        if best is None:
            best = field.cache["best"] = lowest(_ranks(field.workers))
        return Choice(best[0][0], (), best)

    def scores(self, ask: Ask, workers: Sequence[Candidate], view: Sequence[float]) -> list[float]:
        return [-rank for rank in _ranks(workers)]


def _ranks(workers: Sequence[Candidate]) -> list[float]:
    count = len(workers)
    return [float(place + (0 if _is_well(worker) else count)) for place, worker in enumerate(workers)]


def _is_well(worker: Candidate) -> bool:
    return worker.silent_seconds <= UNWELL_SECONDS and worker.failures < UNWELL_FAILURES


strategy = Failover
