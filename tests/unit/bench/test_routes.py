"""R2.3, R2.4: in a skewed fleet who goes by load waits less than who goes by turns."""

from __future__ import annotations

import pytest

from shike.bench.routes import LOADS, RUNS, Fleet, Waits, plot

pytestmark = pytest.mark.slow


def p99(route: str, load: float, seed: int = 7) -> float:
    waits = sorted(Fleet(route, load, seed).run())
    assert len(waits) == RUNS and waits[0] >= 0
    return waits[RUNS * 99 // 100]


@pytest.mark.parametrize("load", LOADS)
def test_weighted_turns_wait_at_most_two_fifths_of_plain_ones(load: float) -> None:
    """Goal: load-aware p99 wait ≤ 0.4 x round robin's."""
    for seed in (7, 8, 9):
        assert p99("weighted_round_robin", load, seed) <= 0.4 * p99("round_robin", load, seed)


@pytest.mark.parametrize("route", ["least_busy", "smart"])
def test_so_do_the_others_that_go_by_load_once_there_is_enough_to_do(route: str) -> None:
    for seed in (7, 8, 9):
        assert p99(route, LOADS[-1], seed) <= 0.4 * p99("round_robin", LOADS[-1], seed)


def test_the_same_seed_tells_the_same_story() -> None:
    assert Fleet("smart", 0.25, 3).run() == Fleet("smart", 0.25, 3).run()


def test_it_is_drawn() -> None:
    assert plot([Waits("any", load, 1.0, 2.0, 3.0, 0.0) for load in LOADS], "here").startswith("<svg")
