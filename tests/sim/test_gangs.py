"""Gangs that compete for the same slots, under faults: all begin or none, and nobody waits for ever (R2.7)."""

from __future__ import annotations

import pytest

from tests.sim.gangs import PLANTED, story_of
from tests.sim.seeds import fresh

SEEDS = 50
FRESH_SEEDS = 4


@pytest.mark.parametrize("part", range(FRESH_SEEDS))
def test_gangs_that_stand_in_each_others_way_all_get_their_turn(part: int) -> None:
    seed = fresh() + part
    assert story_of(seed) == [], f"seed {seed}"


@pytest.mark.slow
@pytest.mark.parametrize("planted", PLANTED)
def test_the_planted_bug_is_caught(planted: str) -> None:
    assert any(story_of(seed, planted) for seed in range(SEEDS)), f"{planted} was seen by nobody"
