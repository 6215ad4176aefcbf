"""Late binding: what the counters allow is sold, by moving a few takes that nobody was told of (R1.3)."""

from __future__ import annotations

import random
from itertools import product

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shike.errors import BadCommand
from shike.reserve import commands, events
from shike.reserve.colour import colour
from shike.reserve.model import Binding, Fill, OrderState, Pool, Reason, Refusal, Unit, Want
from shike.reserve.query import available, table
from shike.reserve.verify import violations
from tests.unit.reserve.worlds import AT, ask, held, hold, opened, pool, refused, replayed, rows, same, sold


def test_a_tail_is_exchanged_where_each_segment_has_room_and_no_unit_is_free_all_the_way() -> None:
    """Unit 0 is taken on a–b, unit 1 on b–c: the whole way fits if the second take moves to unit 0."""
    for binding, reason in ((Binding.AT_SALE, Reason.FRAGMENTED), (Binding.ON_DEMAND, None)):
        ledger = opened(pool(size=2, binding=binding, fill=Fill.FRESH), segments=2)
        held(hold(ledger, 0, 1))
        later = held(hold(ledger, 1, 2))
        answer = hold(ledger, 0, 2)
        if reason is not None:
            assert refused(answer).reason is reason
            continue
        whole = held(answer)
        assert len(whole.moves) == 1
        units = {take.order: take.unit for order in ledger.state.live_orders() for take in ledger.state.takes(order)}
        assert units[1] == units[later.order] != units[whole.order]
        assert not violations(ledger.state) and same(ledger.state, replayed(ledger))


@settings(max_examples=80, deadline=None)
@given(seed=st.integers(0, 1 << 30), fill=st.sampled_from(Fill))
def test_without_pins_exactly_what_the_counters_allow_is_sold_and_few_are_moved(seed: int, fill: Fill) -> None:
    """Invariant 14b. The one that is moved begins at or after the cut, so nobody on the way changes."""
    draw = random.Random(seed)
    segments, size = draw.randrange(2, 9), draw.randrange(1, 8)
    ledger = opened(pool(size=size, binding=Binding.ON_DEMAND, fill=fill), segments=segments)
    orders: list[int] = []
    for _ in range(60):
        start = draw.randrange(segments)
        end = draw.randrange(start + 1, segments + 1)
        count = draw.choice((1, 1, 1, 2, 3))
        least = ledger.state.pools["seat"].least(start, end)
        assert available(ledger.state, "seat", start, end, at=AT) == least
        answer = hold(ledger, start, end, count=count)
        assert isinstance(answer, events.Held) is (least >= count)
        if isinstance(answer, events.Held):
            orders.append(answer.order)
            assert all(ledger.state.orders[move.order].start > start for move in answer.moves)
        elif orders and draw.random() < 0.5:
            ask(ledger, commands.Release, orders.pop(draw.randrange(len(orders))))
    assert not violations(ledger.state) and same(ledger.state, replayed(ledger))


def test_a_pinned_take_is_never_moved_and_what_is_shown_can_be_had() -> None:
    ledger = opened(pool(size=2, binding=Binding.ON_DEMAND, fill=Fill.FRESH), segments=2)
    held(hold(ledger, 0, 1))
    second = held(hold(ledger, 1, 2)).order
    ask(ledger, commands.Pin, second)
    assert available(ledger.state, "seat", 0, 2, at=AT) == 0  # a bound from below: pins may be in the way
    whole = held(hold(ledger, 0, 2))  # here they are not: the first take can be moved instead
    assert [move.order for move in whole.moves] == [1]


def test_where_both_are_pinned_nothing_can_be_done() -> None:
    ledger = opened(pool(size=2, binding=Binding.ON_DEMAND, fill=Fill.FRESH), segments=2)
    for start in (0, 1):
        ask(ledger, commands.Pin, held(hold(ledger, start, start + 1)).order)
    assert refused(hold(ledger, 0, 2)).reason is Reason.FRAGMENTED


def test_who_is_under_way_is_not_moved() -> None:
    """A take that began before the line's position stays; so does its unit's tail."""
    ledger = opened(pool(size=2, binding=Binding.ON_DEMAND, fill=Fill.FRESH), segments=4)
    under_way, later = held(hold(ledger, 0, 2)).order, held(hold(ledger, 2, 3)).order
    ask(ledger, commands.Advance, 1)
    whole = held(hold(ledger, 1, 4))
    assert [move.order for move in whole.moves] == [later]
    assert ledger.state.orders[under_way].units == (0,)


def test_a_sealed_pool_moves_nobody_any_more() -> None:
    ledger = opened(pool(size=2, binding=Binding.ON_DEMAND, fill=Fill.FRESH), segments=2)
    held(hold(ledger, 0, 1))
    held(hold(ledger, 1, 2))
    assert isinstance(ask(ledger, commands.Seal, "seat"), events.Sealed)
    assert refused(hold(ledger, 0, 2)).reason is Reason.FRAGMENTED
    assert refused(ask(ledger, commands.Seal, "seat")).reason is Reason.SEALED


@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 1 << 30))
def test_a_pool_that_only_counts_can_always_be_sealed(seed: int) -> None:
    """Invariant 12; afterwards every take has a unit of its own, and sales go on at once."""
    draw = random.Random(seed)
    segments, size = draw.randrange(2, 8), draw.randrange(1, 6)
    ledger = opened(pool(size=size, binding=Binding.AT_SEAL), segments=segments)
    for _ in range(40):
        start = draw.randrange(segments)
        hold(ledger, start, draw.randrange(start + 1, segments + 1), count=draw.choice((1, 2)))
    before = table(ledger.state, "seat")
    assert isinstance(ask(ledger, commands.Seal, "seat"), events.Sealed)
    after = table(ledger.state, "seat")
    assert not violations(ledger.state) and same(ledger.state, replayed(ledger))
    assert all(
        new <= old for one, other in zip(before, after, strict=True) for old, new in zip(one, other, strict=True)
    )
    hold(ledger, 0, 1)
    assert not violations(ledger.state)


@settings(max_examples=80, deadline=None)
@given(data=st.data())
def test_colouring_needs_no_more_units_than_the_fullest_segment_and_is_not_wrong_with_holes(
    data: st.DataObject,
) -> None:
    segments = data.draw(st.integers(1, 4))
    spans = st.integers(0, segments - 1).flatmap(lambda s: st.tuples(st.just(s), st.integers(s + 1, segments)))
    items = [(start, end, key) for key, (start, end) in enumerate(data.draw(st.lists(spans, max_size=5)))]
    size = data.draw(st.integers(1, 3))
    free = [(1 << size) - 1] * segments
    deepest = max(sum(start <= k < end for start, end, _ in items) for k in range(segments))
    seated = colour(list(free), items)
    assert (seated is not None) is (deepest <= size)
    holes = [mask & ~data.draw(st.integers(0, mask)) for mask in free]
    seated = colour(list(holes), items)
    possible = any(_fits(holes, items, choice) for choice in product(range(size), repeat=len(items)))
    if seated is not None:
        assert _fits(holes, items, tuple(seated[key] for key in range(len(items)))) and possible


def _fits(free: list[int], items: list[tuple[int, int, int]], units: tuple[int, ...]) -> bool:
    left = list(free)
    for (start, end, _), unit in zip(items, units, strict=True):
        for segment in range(start, end):
            if not left[segment] >> unit & 1:
                return False
            left[segment] ^= 1 << unit
    return True


def test_where_pins_block_every_tail_all_others_are_seated_anew() -> None:
    """Cases found by search; nothing that is pinned is moved."""
    solved = 0
    for seed in range(400):
        draw = random.Random(seed)
        ledger = opened(pool(size=3, binding=Binding.ON_DEMAND, fill=Fill.FRESH), segments=5)
        for _ in range(8):
            start = draw.randrange(5)
            answer = hold(ledger, start, min(5, start + draw.randrange(1, 3)))
            if isinstance(answer, events.Held) and draw.random() < 0.3:
                ask(ledger, commands.Pin, answer.order)
        state = ledger.state
        pinned = {order.number: order.units for order in state.live_orders() if order.pinned}
        answer = hold(ledger, 0, 3)
        assert not violations(state) and same(state, replayed(ledger))
        assert all(state.orders[number].units == units for number, units in pinned.items())
        solved += isinstance(answer, events.Held) and bool(answer.moves) and bool(pinned)
    assert solved > 5


def test_a_blocked_unit_is_cleared_by_moving_its_takes_and_displacing_only_whom_no_unit_fits() -> None:
    ledger = opened(pool(size=2), segments=4)
    first, second, third = sold(ledger, 0, 2), sold(ledger, 2, 4), sold(ledger, 1, 4)
    assert [ledger.state.orders[number].units for number in (first, second, third)] == [(0,), (0,), (1,)]
    answer = ask(ledger, commands.Block, "seat", (0,), 0, 4, "broken")
    assert isinstance(answer, events.Blocked)
    assert set(answer.displaced) == {(first, 0), (second, 0)} and answer.moves == ()
    assert ledger.state.orders[first].state is OrderState.DISPLACED
    assert not violations(ledger.state) and same(ledger.state, replayed(ledger))
    assert refused(hold(ledger, 1, 2)).reason is Reason.FULL
    ask(ledger, commands.Unblock, "seat", (0,), 0, 4)
    held(hold(ledger, 0, 4))


def test_who_sits_on_a_unit_that_is_blocked_is_moved_to_a_free_one() -> None:
    ledger = opened(pool(size=3), segments=4)
    order = sold(ledger, 1, 3, count=2)
    answer = ask(ledger, commands.Block, "seat", (0,), 2, 3)
    assert isinstance(answer, events.Blocked) and not answer.displaced
    assert ledger.state.orders[order].units == (2, 1)
    assert not violations(ledger.state) and same(ledger.state, replayed(ledger))


def test_units_can_be_added_and_a_smaller_vehicle_is_a_block() -> None:
    ledger = opened(pool(size=1))
    sold(ledger, 0, 3)
    assert refused(hold(ledger, 0, 1)).reason is Reason.FULL
    ask(ledger, commands.AddUnits, "seat", (Unit("extra"),))
    assert held(hold(ledger, 0, 3)).units == (1,)
    with pytest.raises(BadCommand):
        ask(ledger, commands.AddUnits, "seat", (Unit("extra"),))


def test_a_pool_without_names_counts_and_has_nothing_to_pin_block_or_seal() -> None:
    ledger = opened(Pool("slots", (), 3, Binding.NEVER))
    order = held(hold(ledger, 0, 2, pool="slots", count=2))
    assert order.units == (-1, -1)
    assert refused(hold(ledger, 1, 3, pool="slots", count=2)) == Refusal(Reason.FULL, 1, segment=1)
    for what, words in ((commands.Pin, (1,)), (commands.Block, ("slots", (0,), 0, 1)), (commands.Seal, ("slots",))):
        with pytest.raises(BadCommand):
            ask(ledger, what, *words)
    ask(ledger, commands.AddUnits, "slots", (), 2)
    assert available(ledger.state, "slots", 0, 2, at=AT) == 3
    assert refused(hold(ledger, 0, 2, pool="slots", want=Want(("window",), hard=True))) == Refusal(Reason.WISH, 3)
    held(hold(ledger, 0, 2, pool="slots", count=3, want=Want(("window",))))
    assert len(rows(2)) == 2


def test_a_line_that_rolls_forgets_what_has_passed_and_goes_on_under_the_same_positions() -> None:
    """R1.13: slots of time. What still reaches back is kept until it ends."""
    ledger = opened(pool(size=2), Pool("slots", (), 4, Binding.NEVER), segments=4, origin=100)
    old, long = sold(ledger, 100, 101), sold(ledger, 100, 103)
    sold(ledger, 100, 104, pool="slots", count=3)
    with pytest.raises(BadCommand):
        ask(ledger, commands.Advance, 104, (), (), True)
    ask(ledger, commands.Advance, 102, ("x", "y"), (), True)
    state = ledger.state
    assert (state.origin, state.position, state.segments) == (100, 102, 6)  # somebody is still there since 100
    assert old not in state.orders and long in state.orders
    ask(ledger, commands.Advance, 104, ("z",), (), True)
    assert (state.origin, state.segments) == (104, 3) and not state.orders
    assert not violations(state) and same(state, replayed(ledger))
    assert available(state, "slots", 104, 107, at=AT) == 4
    assert refused(hold(ledger, 104, 107, pool="slots", count=5)).reason is Reason.FULL
    assert held(hold(ledger, 105, 107)).units == (0,)
