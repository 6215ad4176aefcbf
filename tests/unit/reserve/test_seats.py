"""Which unit a take gets (R1.3, R1.7), and the examples of the source that need no railway word (R1.14)."""

from __future__ import annotations

from itertools import pairwise

import pytest

from shike.errors import BadCommand
from shike.reserve import commands
from shike.reserve.model import Fill, Reason, Refusal, Together, Unit, Want
from shike.reserve.query import available, changes, table
from tests.unit.reserve.worlds import AT, held, hold, opened, pool, refused, rows


def left(ledger: object, start: int, end: int, name: str = "seat") -> int:
    return available(ledger.state, name, start, end, at=AT)  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("fill", "units", "whole"),
    [(Fill.BEST, [0, 0, 0], 2), (Fill.FIRST, [0, 0, 0], 2), (Fill.FRESH, [0, 1, 2], 0)],
)
def test_the_three_ways_to_sell_three_units_over_a_to_d(fill: Fill, units: list[int], whole: int) -> None:
    """a–b, b–c and c–d on three units: on one and the same, so that two are left for the whole way; or each on a fresh
    one, and the whole way is gone though every segment has two to spare. Then only a change of units is left."""
    ledger = opened(pool(size=3, fill=fill))
    assert [held(hold(ledger, start, start + 1)).units[0] for start in range(3)] == units
    assert left(ledger, 0, 3) == whole
    if not whole:
        assert refused(hold(ledger, 0, 3)).reason is Reason.FRAGMENTED
        legs = changes(ledger.state, "seat", 0, 3)
        assert [(leg.start, leg.end) for leg in legs] == [(0, 2), (2, 3)]
        for leg in legs:
            assert ledger.state.pools["seat"].free[leg.start] >> leg.unit & 1


@pytest.mark.parametrize(
    ("first", "second", "share"),
    [
        ((0, 2), (2, 4), True),  # apart, or one ends where the other begins
        ((0, 2), (1, 3), False),  # overlapping
        ((0, 4), (1, 2), False),  # one inside the other
        ((1, 3), (1, 3), False),  # the same
    ],
)
def test_the_four_relations_of_two_intervals(first: tuple[int, int], second: tuple[int, int], share: bool) -> None:
    for one, other in ((first, second), (second, first)):
        ledger = opened(pool(size=1), segments=4)
        held(hold(ledger, *one))
        assert left(ledger, *other) == share
        assert bool(hold(ledger, *other)) is share


def test_a_thousand_units_from_a_to_d_sell_one_to_three_thousand_tickets() -> None:
    for section, tickets in (((0, 3),), 1_000), (((0, 1), (1, 2), (2, 3)), 3_000), (((0, 2), (2, 3)), 2_000):
        ledger = opened(pool(size=1_000))
        sold = 0
        for start, end in section:
            while hold(ledger, start, end):
                sold += 1
        assert sold == tickets
        assert table(ledger.state, "seat") == [[0, 0, 0], [0, 0], [0]]


def test_17_positions_and_three_pools_are_408_products() -> None:
    """136 sections each; a new ledger has all units for each, and one whole take lowers every one of its pool."""
    pools = [pool(name, size) for name, size in (("business", 20), ("first", 200), ("second", 500))]
    ledger = opened(*pools, segments=16)
    tables = [table(ledger.state, one.name) for one in pools]
    assert sum(len(row) for rows_ in tables for row in rows_) == 408
    assert {cell for row in tables[0] for cell in row} == {20}
    held(hold(ledger, 0, 16, pool="first"))
    assert {cell for row in table(ledger.state, "first") for cell in row} == {199}
    assert table(ledger.state, "business") == tables[0]


def test_a_touched_unit_is_used_before_an_untouched_one_and_a_hole_is_filled_exactly() -> None:
    ledger = opened(pool(size=4), segments=4)
    assert held(hold(ledger, 0, 1)).units == (0,)
    assert held(hold(ledger, 2, 4)).units == (0,)  # a hole of one segment is left on unit 0 …
    assert held(hold(ledger, 0, 2)).units == (1,)
    assert held(hold(ledger, 1, 2)).units == (0,)  # … and filled, though 2 and 3 are free, too
    assert held(hold(ledger, 2, 3)).units == (1,)


def test_people_are_seated_apart_until_a_share_is_taken_then_packed() -> None:
    ledger = opened(pool(size=10, spread_until=0.4), segments=2)
    apart = [held(hold(ledger, 0, 2)).units[0] for _ in range(4)]
    assert not any(one + 1 == other and one // 5 == other // 5 for one, other in pairwise(sorted(apart)))
    assert held(hold(ledger, 0, 1)).units == (next(unit for unit in range(10) if unit not in apart),)


def test_a_group_sits_side_by_side_in_one_row_and_leaves_nobody_alone() -> None:
    ledger = opened(pool(size=10))
    assert held(hold(ledger, 0, 3, count=3)).units == (0, 1, 2)
    assert held(hold(ledger, 0, 3, count=3)).units == (5, 6, 7)  # 3 and 4 are too few
    assert held(hold(ledger, 0, 3, count=2)).units == (3, 4)


def test_a_group_that_no_row_can_take_sits_as_near_as_it_can_or_not_at_all_where_it_insists() -> None:
    ledger = opened(pool(size=8))
    for unit in (2, 6):
        held(hold(ledger, 0, 3, want=Want(units=(f"u{unit}",), hard=True)))
    hard = Want(together=Together.ROW, hard=True)
    assert refused(hold(ledger, 0, 3, count=3, want=hard)) == Refusal(Reason.WISH, 6)
    assert held(hold(ledger, 0, 3, count=3, want=Want())).units == (0, 1, 3)


def test_an_attribute_is_a_preference_unless_it_is_insisted_on() -> None:
    ledger = opened(pool(size=5))
    window = Want(("window",))
    assert [held(hold(ledger, 0, 3, want=window)).units[0] for _ in range(2)] == [0, 4]
    assert refused(hold(ledger, 0, 3, want=Want(("window",), hard=True))).reason is Reason.WISH
    assert held(hold(ledger, 0, 3, want=window)).units == (1,)
    with pytest.raises(BadCommand, match="'sofa'"):
        hold(ledger, 0, 3, want=Want(("sofa",)))


def test_a_unit_can_be_asked_for_by_its_name() -> None:
    ledger = opened(pool(size=5))
    assert held(hold(ledger, 0, 2, want=Want(units=("u3",), hard=True))).units == (3,)
    assert refused(hold(ledger, 1, 3, want=Want(units=("u3",), hard=True))) == Refusal(Reason.WISH, 4)
    assert held(hold(ledger, 1, 3, want=Want(units=("u3",)))).units != (3,)
    for wrong in (Want(units=("u9",)), Want(units=("u1", "u2"))):
        with pytest.raises(BadCommand):
            hold(ledger, 0, 1, want=wrong)


def test_an_order_gets_all_its_takes_or_none() -> None:
    ledger = opened(pool(size=3))
    held(hold(ledger, 1, 2))
    refusal = refused(hold(ledger, 0, 3, count=3))
    assert (refusal.reason, refusal.available, refusal.segment) == (Reason.FULL, 2, 1)
    assert len(held(hold(ledger, 0, 3, count=2)).units) == 2


def test_units_of_different_rows_or_areas_are_no_neighbours() -> None:
    mixed = (Unit("a", "1", "x"), Unit("b", "1", "y"), Unit("c", "1", "y"), Unit("d"), Unit("e"))
    ledger = opened(commands.Pool("seat", mixed))
    assert held(hold(ledger, 0, 3, count=2)).units == (1, 2)
    assert len(rows(3)) == 3
