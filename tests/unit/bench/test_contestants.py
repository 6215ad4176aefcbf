"""A comparison is worth something only if all do the same work: every contestant pops the same, when it is told."""

from __future__ import annotations

import random

import pytest

from shike.bench.contestants import BUILDS, CONTESTANTS
from shike.bench.measures import MEASURES

pytestmark = pytest.mark.slow

HERE = [name for name, contestant in CONTESTANTS.items() if contestant.is_here]


@pytest.mark.parametrize("name", HERE)
def test_a_contestant_keeps_cancels_and_pops(name: str) -> None:
    timers, rng = CONTESTANTS[name].make(), random.Random(5)
    timers.pop_due(1_000)
    whens = [1_000 + rng.randrange(5_000) for _ in range(300)]
    tokens = [timers.insert(when, when) for when in whens[:150]]
    tokens += timers.insert_many(whens[150:], whens[150:])
    timers.cancel(tokens[0])
    timers.cancel_many(tokens[1:100])
    looks, popped = [], 0
    while (due := timers.next_due()) is not None:
        looks.append(due)
        popped += len(timers.pop_due(due))
    assert popped == 200
    assert looks[-1] >= max(whens[100:])


@pytest.mark.parametrize("measure", MEASURES)
@pytest.mark.parametrize("name", [*(name for name in BUILDS if name in HERE), "asyncio", "heapq", "hashed-wheel"])
def test_a_measure_gives_figures_of_each_kind_of_contestant(name: str, measure: str) -> None:
    figures = MEASURES[measure](CONTESTANTS[name].make(), 500, 0.2)
    assert all(value >= 0 for key, value in figures.items() if key != "bytes")
    assert {"life": "cancel", "steady": "turn", "scan": "scan"}.get(measure, "insert") in figures
    assert "longest" in figures
