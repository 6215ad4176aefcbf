"""The one table of moves (P6), and the nouns' own rules."""

from __future__ import annotations

import pytest

from shike.model import ALLOWED, IN_LANE, TERMINAL, State, may_move

# Written out once more by hand: a row of the table, in the order of `State`, x where the move is allowed.
#              WAI SCH PEN ASS RUN SUC FAI DEA CAN SKI
MOVES = {
    "WAITING":   "x x . . . . . x x x",
    "SCHEDULED": "x x x x x . . x x x",
    "PENDING":   "x x . x x . . x x x",
    "ASSIGNED":  ". x . x x . . x x x",
    "RUNNING":   ". x . . . x x x x x",
    "SUCCESS":   ". . . . . . . . . .",
    "FAILED":    ". x x x x . . x x x",
    "DEAD":      ". . . . . . . . . .",
    "CANCELLED": ". . . . . . . . . .",
    "SKIPPED":   ". . . . . . . . . .",
}  # fmt: skip


@pytest.mark.parametrize("old", State)
@pytest.mark.parametrize("new", State)
def test_the_table_allows_these_moves_and_no_others(old: State, new: State) -> None:
    assert may_move(old, new) is (MOVES[old.name].split()[new] == "x")


def test_every_state_has_its_row() -> None:
    assert set(ALLOWED) == set(State)


def test_what_is_over_stays_over() -> None:
    assert {state for state in State if not ALLOWED[state]} == TERMINAL


def test_success_and_failure_are_reported_by_who_ran_it() -> None:
    for new in (State.SUCCESS, State.FAILED):
        assert [old for old in State if may_move(old, new)] == [State.RUNNING]


def test_a_run_starts_from_a_lane() -> None:
    assert {old for old in State if may_move(old, State.RUNNING)} == IN_LANE | {State.ASSIGNED}


def test_every_run_can_come_to_each_end() -> None:
    for end in TERMINAL:
        for start in State:
            if start not in TERMINAL:
                assert end in reachable(start)


def reachable(start: State) -> set[State]:
    found, rest = {start}, [start]
    while rest:
        new = ALLOWED[rest.pop()] - found
        found |= new
        rest += new
    return found


def test_states_keep_their_numbers() -> None:
    """Stores keep them: a new state is appended."""
    assert [(state.name, state.value) for state in State] == [
        ("WAITING", 0),
        ("SCHEDULED", 1),
        ("PENDING", 2),
        ("ASSIGNED", 3),
        ("RUNNING", 4),
        ("SUCCESS", 5),
        ("FAILED", 6),
        ("DEAD", 7),
        ("CANCELLED", 8),
        ("SKIPPED", 9),
    ]
