"""R1.14: how many tickets can G71 sell? The claim of the proof against every way there is, on small trains."""

from __future__ import annotations

from itertools import combinations, product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shike.errors import BadTrip
from shike.rail.composition import known_trains
from shike.rail.tickets_possible import sold_out_with, tickets_possible
from tests.unit.rail.trains import g71


def cuttings(segments: int) -> list[int]:
    """In how many tickets one seat can be sold out, for each way of cutting the line."""
    inner = range(1, segments)
    return [1 + len(cuts) for count in range(segments) for cuts in combinations(inner, count)]


@pytest.mark.parametrize(("segments", "seats"), [(1, 1), (1, 3), (2, 2), (3, 1), (3, 3), (4, 3), (5, 2)])
def test_trying_every_way_gives_just_the_numbers_of_the_claim(segments: int, seats: int) -> None:
    found = {sum(ways) for ways in product(cuttings(segments), repeat=seats)}
    assert found == set(tickets_possible(segments, seats))


@given(st.integers(1, 9), st.integers(1, 9), st.data())
def test_each_number_is_reached_by_the_construction_and_fills_every_seat(
    segments: int, seats: int, data: st.DataObject
) -> None:
    possible = tickets_possible(segments, seats)
    tickets = data.draw(st.sampled_from(possible))
    plan = sold_out_with(segments, seats, tickets)
    assert len(plan) == seats and sum(map(len, plan)) == tickets
    for seat in plan:
        assert [at for board, alight in seat for at in range(board, alight)] == list(range(segments))


def test_g71_sells_720_to_11520_tickets() -> None:
    segments = g71()[1].trip.segments
    seats = sum(pool.size for pool in known_trains().of("G71").pools())
    possible = tickets_possible(segments, seats)
    assert (possible[0], possible[-1]) == (720, 11_520)


def test_from_a_to_d_1000_seats_sell_1000_to_3000_tickets() -> None:
    assert tickets_possible(3, 1_000) == range(1_000, 3_001)


def test_what_cannot_be_is_refused() -> None:
    for segments, seats in ((0, 1), (1, 0), (-1, 5)):
        with pytest.raises(BadTrip, match="at least one segment"):
            tickets_possible(segments, seats)
    for tickets in (999, 3_001):
        with pytest.raises(BadTrip, match="sell 1000 to 3000 tickets"):
            sold_out_with(3, 1_000, tickets)
