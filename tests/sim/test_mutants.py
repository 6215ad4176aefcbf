"""Every promise has a planted bug, and the simulator catches each within its budget of seeds."""

from __future__ import annotations

import pytest

from tests.sim.fleet import hunt
from tests.sim.mutants import MUTANTS

SEEDS = 50


@pytest.mark.slow
@pytest.mark.parametrize("name", MUTANTS)
def test_the_planted_bug_is_caught_by_its_own_promise(name: str) -> None:
    mutant = MUTANTS[name]
    seeds = sorted(range(SEEDS), key=lambda seed: seed != mutant.seen_by)
    assert hunt(name, seeds) is not None, f"{name} broke {mutant.promise} and nobody saw it"


def test_every_promise_that_a_cluster_can_break_has_a_planted_bug() -> None:
    assert {mutant.promise for mutant in MUTANTS.values()} == {"P1", "P2", "P3", "P4", "P5", "P6", "P7"}
