"""The best that could be sold, against every way there is, and against what is really sold (R1.14)."""

from __future__ import annotations

import random
from itertools import product

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shike.errors import BadCommand
from shike.reserve import events
from shike.reserve.advice import advise
from shike.reserve.flow import Section, optimum
from shike.reserve.model import Binding
from tests.unit.reserve.worlds import hold, opened, pool


def by_force(units: list[int], demand: dict[Section, int], fares: dict[Section, int]) -> int:
    """Try every number of takes of every section."""
    best = 0
    sections = list(demand)
    for counts in product(*(range(demand[section] + 1) for section in sections)):
        over = [0] * len(units)
        for (start, end), count in zip(sections, counts, strict=True):
            for segment in range(start, end):
                over[segment] += count
        if all(used <= there for used, there in zip(over, units, strict=True)):
            best = max(best, sum(count * fares[section] for section, count in zip(sections, counts, strict=True)))
    return best


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_the_optimum_is_the_best_of_all_ways(data: st.DataObject) -> None:
    segments = data.draw(st.integers(1, 4))
    units = data.draw(st.lists(st.integers(0, 3), min_size=segments, max_size=segments))
    pairs = [(start, end) for start in range(segments) for end in range(start + 1, segments + 1)]
    some = data.draw(st.lists(st.sampled_from(pairs), unique=True, max_size=5))
    demand = {section: data.draw(st.integers(0, 3)) for section in some}
    fares = {section: data.draw(st.integers(0, 9)) for section in some}
    best = optimum(units, demand, fares)
    assert best.value == by_force(units, demand, fares)
    # weak duality is strict here: prices and what they leave of each fare are worth exactly as much
    dual = sum(count * price for count, price in zip(units, best.prices, strict=True))
    dual += sum(wanted * max(0, fares[s] - sum(best.prices[s[0] : s[1]])) for s, wanted in demand.items())
    assert dual == best.value


@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 1 << 30), binding=st.sampled_from([Binding.AT_SALE, Binding.ON_DEMAND, Binding.AT_SEAL]))
def test_no_more_is_sold_than_the_optimum_and_never_less_than_half_where_all_would_fit(
    seed: int, binding: Binding
) -> None:
    """Boyar and Larsen (1999): whoever refuses nothing that fits sells at least half of what all could have had; with
    late binding it sells all of it."""
    draw = random.Random(seed)
    size, segments = 4, 5
    ledger = opened(pool(size=size, binding=binding), segments=segments)
    asked: list[Section] = []
    over = [0] * segments
    for _ in range(40):
        start = draw.randrange(segments)
        end = draw.randrange(start + 1, segments + 1)
        if all(over[segment] < size for segment in range(start, end)):
            asked.append((start, end))
            for segment in range(start, end):
                over[segment] += 1
    draw.shuffle(asked)
    sold = sum(isinstance(hold(ledger, *section), events.Held) for section in asked)
    most = optimum([size] * segments, {s: asked.count(s) for s in asked}, dict.fromkeys(asked, 1)).value
    assert most == len(asked)
    assert sold <= most and 2 * sold >= most
    if binding is not Binding.AT_SALE:
        assert sold == most


def test_advice_earns_more_than_first_come_first_served_where_long_sections_pay() -> None:
    ledger = opened(pool(size=10), segments=3)
    demand = {(0, 1): 20.0, (1, 2): 20.0, (2, 3): 20.0, (0, 3): 10.0}
    fares = {(0, 1): 10, (1, 2): 10, (2, 3): 10, (0, 3): 45}
    advice = advise(ledger.state, "seat", demand, fares)
    assert advice.value == 450 and advice.plain < 450
    assert 30 < sum(advice.prices) <= 45 and min(advice.prices) >= 10
    assert {(rule.start, rule.end, rule.count) for rule in advice.rules} >= {(0, 1, 0), (2, 3, 0)}


def test_a_demand_outside_of_the_line_is_refused() -> None:
    with pytest.raises(BadCommand):
        optimum([1, 1], {(1, 3): 1.0}, {(1, 3): 1})


def test_an_advised_rule_leaves_room_for_what_was_sold_before_it() -> None:
    ledger = opened(pool(size=10), segments=3)
    for _ in range(4):
        assert isinstance(hold(ledger, 0, 1), events.Held)
    demand = {(0, 1): 20.0, (1, 2): 20.0, (2, 3): 20.0, (0, 3): 10.0}
    fares = {(0, 1): 10, (1, 2): 10, (2, 3): 10, (0, 3): 45}
    rules = {(rule.start, rule.end): rule.count for rule in advise(ledger.state, "seat", demand, fares).rules}
    assert rules[0, 1] == 4
