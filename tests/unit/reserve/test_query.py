"""What is left, by brute force on small lines (R1.1, R1.9)."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from shike.reserve import commands, events
from shike.reserve.model import NOWHERE, Binding, Fill, Pool
from shike.reserve.query import available, changes, earliest, table
from tests.unit.reserve.worlds import AT, ask, hold, opened, pool


@settings(max_examples=60, deadline=None)
@given(data=st.data(), fill=st.sampled_from(Fill))
def test_what_is_left_is_what_a_matrix_of_units_and_segments_tells(data: st.DataObject, fill: Fill) -> None:
    segments, size = data.draw(st.integers(1, 5)), data.draw(st.integers(1, 4))
    ledger = opened(pool(size=size, fill=fill), segments=segments)
    matrix = [[True] * segments for _ in range(size)]
    for _ in range(data.draw(st.integers(0, 12))):
        start = data.draw(st.integers(0, segments - 1))
        end = data.draw(st.integers(start + 1, segments))
        answer = hold(ledger, start, end)
        possible = [unit for unit in range(size) if all(matrix[unit][start:end])]
        assert isinstance(answer, events.Held) is bool(possible)
        if isinstance(answer, events.Held):
            assert answer.units[0] in possible
            matrix[answer.units[0]][start:end] = [False] * (end - start)
    told = table(ledger.state, "seat")
    for start in range(segments):
        for end in range(start + 1, segments + 1):
            count = sum(all(row[start:end]) for row in matrix)
            assert available(ledger.state, "seat", start, end, at=AT) == count == told[start][end - start - 1]
            legs = changes(ledger.state, "seat", start, end)
            assert len(legs) == fewest(matrix, start, end)


def fewest(matrix: list[list[bool]], start: int, end: int) -> int:
    """The fewest units that one has to sit on, one after the other; 0 where a segment is full. Tries all ways."""
    best = [0] + [len(matrix[0]) + 1] * (end - start)
    for last in range(start + 1, end + 1):
        for first in range(start, last):
            if any(all(row[first:last]) for row in matrix):
                best[last - start] = min(best[last - start], best[first - start] + 1)
    return best[-1] if best[-1] <= len(matrix[0]) else 0


def test_the_table_of_a_counted_pool_is_its_least_segment() -> None:
    for kind in (pool(size=3, binding=Binding.ON_DEMAND), pool(size=3, binding=Binding.AT_SEAL)):
        ledger = opened(kind)
        hold(ledger, 0, 2)
        hold(ledger, 1, 2)
        assert table(ledger.state, "seat") == [[2, 1, 1], [1, 1], [3]]


def test_the_earliest_stretch_with_enough_left_is_found() -> None:
    ledger = opened(Pool("slots", (), 4, Binding.NEVER), segments=8)
    hold(ledger, 0, 2, pool="slots", count=3)
    hold(ledger, 4, 5, pool="slots", count=4)
    state = ledger.state
    assert earliest(state, "slots", 1, 4) == 0
    assert earliest(state, "slots", 2, 2) == 2
    assert earliest(state, "slots", 2, 3) == 5
    assert earliest(state, "slots", 4, 3, after=6) == NOWHERE
    ask(ledger, commands.Advance, 1)
    assert earliest(state, "slots", 1, 2) == 1


def test_nothing_is_shown_before_the_sale_opens() -> None:
    ledger = opened()
    ask(ledger, commands.SetSale, commands.Sale("", AT + 1))
    assert available(ledger.state, "seat", 0, 1, at=AT) == 0
    assert available(ledger.state, "seat", 0, 1, at=AT + 1) == 3
