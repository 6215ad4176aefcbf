"""R2.3, R2.8: a ring shares evenly, lanes are level within two samples, and no run moves more than twice."""

from __future__ import annotations

import pytest

from shike.bench.levelling import LANES, evenness, level_after, levelling, plot
from shike.route.bounds import MOVES_PER_RUN_MAX, SPREAD_CALM


@pytest.mark.slow
def test_a_ring_of_a_hundred_workers_shares_evenly_and_moves_little() -> None:
    """Goals: max/mean ≤ 1.15; at most 1.2/n of the keys move, none of them another's."""
    even = evenness()
    assert even.fullest <= 1.15
    assert even.moved <= 1.2
    assert even.others_moved == 0


@pytest.mark.parametrize("waiting", LANES[:2])
def test_one_loaded_and_three_idle_are_level_within_two_samples(waiting: int) -> None:
    """Goal: σ < 0.1 within 2 samples; no run moves more than twice."""
    samples = levelling(waiting)
    assert 1 <= level_after(samples) <= 2
    assert samples[1].spread < SPREAD_CALM
    assert max(sample.moves_most for sample in samples) <= MOVES_PER_RUN_MAX
    assert samples[1].shifted == 0, "what is level is left alone"


def test_it_is_drawn() -> None:
    assert plot({40: levelling(40)}).startswith("<svg")
