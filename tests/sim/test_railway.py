"""A railway whose sale and holds are Shike's own moments, under faults: nothing oversold, nothing lost, no hold for
ever, an order whole or not at all; and the bugs that would break it are seen (R1.6, R1.11, P1, P9)."""

from __future__ import annotations

from collections import Counter

import pytest

from shike.rail.order import OrderState
from tests.sim.railway.bounds import LONG_HOLD_SECONDS
from tests.sim.railway.planted import PLANTED, story_of
from tests.sim.railway.world import Railway
from tests.sim.seeds import fresh

FRESH_SEEDS = 4
SEEDS_TO_CATCH = 30


@pytest.mark.parametrize("part", range(FRESH_SEEDS))
def test_a_sale_under_faults_sells_nothing_twice_and_loses_nothing(part: int) -> None:
    seed = fresh() + part
    assert story_of(seed) == [], f"python -m tests.sim.railway --seed {seed}"


@pytest.mark.slow
@pytest.mark.parametrize("seed", [1, 2])
def test_so_it_is_with_holds_of_15_minutes(seed: int) -> None:
    assert story_of(seed, hold_seconds=LONG_HOLD_SECONDS) == []


def test_there_is_something_to_judge() -> None:
    """Orders come to every end there is, and who pays in the instant in which a hold ends is now first, now second."""
    ends: Counter[OrderState] = Counter()
    edge: Counter[OrderState] = Counter()
    faults: Counter[str] = Counter()
    for seed in range(6):
        world = Railway(seed)
        assert world.tell() == []
        states = {order.id: order.state for order in world.orders.all()}
        ends.update(states.values())
        edge.update(states[one.order] for one in world.visits if one.pays == "edge" and one.paid)
        faults.update(world.weather.faults)
    assert min(ends[state] for state in OrderState if state not in (OrderState.HELD, OrderState.CONFIRMING)) > 0
    assert edge[OrderState.TICKETED] and edge[OrderState.EXPIRED]
    assert faults.keys() >= {"lost answer", "lost words", "slow words", "refused words"}


@pytest.mark.slow
@pytest.mark.parametrize("planted", PLANTED)
def test_the_planted_bug_is_seen(planted: str) -> None:
    assert any(story_of(seed, planted) for seed in range(SEEDS_TO_CATCH)), f"{planted} was seen by nobody"
