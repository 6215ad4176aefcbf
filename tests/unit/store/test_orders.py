"""Ranks: the deadline as a `run_at` that lies long ago (R2.5)."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from shike.clock import MICROS, WALL_MAX
from shike.model import RECORD_VERSION, Live, Run, State
from shike.store.orders import (
    NO_DEADLINE_SECONDS,
    RANKS_END,
    UNIT_MICROS,
    deadline_of,
    eligible_since,
    is_ranked,
    rank_of,
)
from shike.store.pauses import Note, Paused, pack_note, paused_of, unpack_note
from shike.store.verbs import Claim

instants = st.integers(RANKS_END + MICROS, WALL_MAX)


def run(expires_at: int = 0, due_at: int = 1 << 50, key: str = "") -> Run:
    return Run(RECORD_VERSION, 1 << 8, "mail", due_at=due_at, expires_at=expires_at, key=key)


@given(instants, instants)
def test_ranks_are_in_the_order_of_deadlines_and_all_in_the_past(one: int, other: int) -> None:
    first, second = sorted((one, other))
    assert 0 <= rank_of(run(first)) <= rank_of(run(second)) < RANKS_END
    if second - first >= UNIT_MICROS:
        assert rank_of(run(first)) < rank_of(run(second))


def test_no_rank_is_taken_for_a_time_and_no_time_for_a_rank() -> None:
    assert WALL_MAX // UNIT_MICROS < RANKS_END
    assert not is_ranked(RANKS_END)
    live = Live(run(1 << 51), State.SCHEDULED, rank_of(run(1 << 51)), 3)
    assert eligible_since(live) == live.run.due_at
    live.run_at = (1 << 50) + 5
    assert eligible_since(live) == (1 << 50) + 5


def test_who_has_no_deadline_comes_within_a_day() -> None:
    assert deadline_of(run(0)) == (1 << 50) + round(NO_DEADLINE_SECONDS * MICROS)
    assert deadline_of(run(1 << 51)) == 1 << 51


def test_a_note_without_an_end_reads_as_it_always_did() -> None:
    assert pack_note(Note("for repair")) == b"paused for repair"
    assert unpack_note(b"paused for repair") == Note("for repair")
    timed = Note("for repair", 1 << 51)
    assert unpack_note(pack_note(timed)) == timed


def test_rows_say_what_is_paused_by_kind() -> None:
    rows = ("pause/task/mail", "pause/tag/night", "pause/key/a/b", "pause/else/new", "pause/key/")
    paused = paused_of(rows)
    assert paused == Paused(frozenset({"mail"}), frozenset({"night"}), frozenset({"a/b"}))
    assert paused.holds(run(key="a/b")) and not paused.holds(run())
    tasks = frozenset({"mail", "video", "audio"})
    claim = Claim(session="s", number=1, wants=(), tasks=tasks, tags=(("night", ("video",)), ("day", ("audio",))))
    assert paused.grantable(claim) == {"audio"}
    assert paused_of(()).grantable(claim) is claim.tasks
