"""How a gang comes together: what its row says, and who may flip the go (R2.7)."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from shike.model import Gang
from shike.track import gang as rules
from shike.track.gang import Muster, Place

GANG = Gang("7.0", 4, 3, 10.0)
SECOND = 1_000_000


def placed(*sessions: str, now: int = 5 * SECOND) -> Muster:
    muster = Muster()
    for session in dict.fromkeys(sessions):
        tokens = {str(number): number for number, one in enumerate(sessions) if one == session}
        muster = rules.noted(muster, session, tokens, now)
    return muster


def test_the_go_needs_as_many_slots_as_were_asked_for_of_workers_that_live() -> None:
    assert not rules.with_go(placed("a", "a"), GANG, {"a"}).go
    assert not rules.with_go(placed("a", "a", "dead"), GANG, {"a"}).go
    assert rules.with_go(placed("a", "a", "b"), GANG, {"a", "b"}).go


def test_what_is_noted_already_changes_nothing() -> None:
    once = placed("a")
    assert rules.noted(once, "a", {"0": 0}, 9 * SECOND) is once
    again = rules.noted(once, "b", {"0": 7}, 9 * SECOND)
    assert (again.places, again.since) == ({"0": Place("b", 7)}, once.since)


def test_a_slot_that_is_kept_no_more_does_not_count() -> None:
    two = placed("a", "a", "b")
    left = rules.noted(two, "a", {"1": 1}, 9 * SECOND)
    assert left.places == {"1": Place("a", 1), "2": Place("b", 2)}
    none = rules.noted(rules.noted(left, "a", {}, 9 * SECOND), "b", {}, 9 * SECOND)
    assert (none.places, none.since) == ({}, 0), "the time begins anew with the next slot"
    assert rules.noted(none, "a", {}, 9 * SECOND) is none


def test_its_time_counts_from_the_first_slot_of_a_round_and_ends_with_the_go() -> None:
    waiting = placed("a", now=100 * SECOND)
    assert not rules.is_late(waiting, GANG, 110 * SECOND - 1)
    assert rules.is_late(waiting, GANG, 110 * SECOND)
    assert not rules.is_late(Muster(go=True, since=1), GANG, 1 << 50)
    empty = rules.emptied(waiting, GANG, 110 * SECOND)
    assert (empty.round, empty.places, empty.since) == (1, {}, 0)
    assert not rules.is_late(empty, GANG, 1 << 50)
    assert 2.5 <= rules.put_off_seconds(empty, 110 * SECOND) <= 10.0
    assert rules.put_off_seconds(empty, 121 * SECOND) == 0.0


@given(st.integers(1, 9))
def test_all_of_a_gang_rest_equally_long_and_gangs_differ(round: int) -> None:
    rests = {rules.rest_seconds(Gang(f"{number}.0", 4, 3, 10.0), round) for number in range(64)}
    assert len(rests) > 8
    assert all(2.5 <= rest <= 40.0 for rest in rests)
    assert rules.rest_seconds(GANG, round) == rules.rest_seconds(GANG, round)


def test_a_row_is_read_as_it_was_written() -> None:
    muster = placed("a", "b")
    assert rules.decoded(rules.encoded(muster)) == muster
    assert rules.encoded(Muster()) == b"{}"
    assert rules.decoded(b'{"round":2,"of_tomorrow":1}') == Muster(round=2)
