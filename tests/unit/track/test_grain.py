"""Work over many items is cut evenly, and the cut follows what was measured (R2.7)."""

from __future__ import annotations

from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shike.bounds import GRAIN_ITEMS_MAX
from shike.errors import BadInput, TooLarge
from shike.track.grain import OVERHEAD_SHARE, STEP_MAX, Cost, Part, adapted, cost_of, sizes


@given(st.integers(0, 10_000), st.integers(1, 1_000), st.integers(1, 64))
def test_no_item_is_lost_and_parts_are_alike(items: int, grain: int, workers: int) -> None:
    found = sizes(items, grain, workers=workers)
    assert sum(found) == items
    assert not found or (min(found) >= 1 and max(found) - min(found) <= 1 and max(found) <= grain)
    assert len(found) >= min(workers, items)


@pytest.mark.parametrize(
    ("items", "grain", "workers"), [(-1, 10, 1), (10, 0, 1), (10, GRAIN_ITEMS_MAX + 1, 1), (1, 1, 0)]
)
def test_what_is_no_grain_is_refused(items: int, grain: int, workers: int) -> None:
    with pytest.raises(BadInput):
        sizes(items, grain, workers=workers)


def test_more_parts_than_a_graph_holds_are_refused() -> None:
    with pytest.raises(TooLarge, match="larger grain"):
        sizes(1_000_000, 10)


def measured(cost: Cost, grains: list[int], noise: float = 0.0) -> list[Part]:
    draw = Random(1)
    return [Part(grain, cost.of(grain) * (1 + draw.uniform(-noise, noise))) for grain in grains for _ in range(20)]


@given(st.floats(1e-4, 1.0), st.floats(1e-5, 0.1))
def test_what_a_part_costs_is_found(part_seconds: float, item_seconds: float) -> None:
    found = cost_of(measured(Cost(part_seconds, item_seconds), [10, 100, 1_000]))
    assert found is not None
    assert found.item_seconds == pytest.approx(item_seconds, rel=1e-3)
    assert found.part_seconds == pytest.approx(part_seconds, rel=1e-2, abs=item_seconds)


def test_parts_of_one_size_tell_nothing() -> None:
    assert cost_of([Part(100, 1.0), Part(100, 2.0)]) is None
    assert adapted(100, [Part(100, 1.0)] * 9) == 100
    assert adapted(100, [Part(10, 2.0), Part(100, 1.0)]) == 100


@pytest.mark.parametrize("start", [1, 100, 1_000])
def test_the_grain_goes_to_where_the_fixed_cost_is_a_tenth_and_stays_there(start: int) -> None:
    cost = Cost(part_seconds=0.010, item_seconds=0.0003)  # 9 x 0.010 / 0.0003 = 300 items
    grain, path = start, []
    for _ in range(20):
        after = adapted(grain, measured(cost, [max(grain // 2, 1), grain + 1], noise=0.02))
        assert after <= max(grain * STEP_MAX, 2) and after >= grain / STEP_MAX - 1
        grain = after
        path.append(grain)
    assert cost.part_seconds / cost.of(grain) == pytest.approx(OVERHEAD_SHARE, abs=0.03)
    assert len(set(path[-8:])) == 1, "it does not swing"


def test_a_part_takes_no_longer_than_it_may() -> None:
    cost = Cost(part_seconds=0.010, item_seconds=0.001)
    grain = 100
    for _ in range(10):
        grain = adapted(grain, measured(cost, [grain // 2, grain]), latency_seconds=0.05)
    assert cost.of(grain) <= 0.05 * 1.25
