"""From an end to what its run becomes, and whether a granted run may still start."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shike.bounds import ERROR_CHARS_MAX
from shike.errors import BadInput
from shike.model import NEVER, Attempt, Backoff, Misfire, Options, Run, State
from shike.store.guards import PlanNext
from shike.store.verbs import Claimed
from shike.track import settle

SECOND = 1_000_000
DUE = 1_000 * SECOND


def claimed(*, attempt: int = 1, run_at: int = DUE, **run: object) -> Claimed:
    return Claimed(Run(1, 7, "t", due_at=DUE, **run), 3, attempt, run_at)  # type: ignore[arg-type]


def facts(attempt: int = 1, **run: object) -> settle.Facts:
    return settle.Facts(claimed(attempt=attempt, **run), "s", "w", DUE, DUE + 1, DUE + 2)  # type: ignore[arg-type]


# ---------------------------------------------------------------- may it start?


@pytest.mark.parametrize(
    ("misfire", "late_seconds", "next_due_seconds", "refused"),
    [
        (Misfire.SKIP, 60, 0, False),
        (Misfire.SKIP, 61, 0, True),
        (Misfire.WITHIN, 61, 0, True),
        (Misfire.ALL, 10_000, 30, False),
        (Misfire.ONCE, 61, 0, False),
        (Misfire.ONCE, 61, 61, True),
        (Misfire.ONCE, 61, 62, False),
        (Misfire.ONCE, 59, 30, False),
    ],
)
def test_each_misfire_policy_refuses_what_it_says(
    misfire: Misfire, late_seconds: int, next_due_seconds: int, refused: bool
) -> None:
    words: dict[str, Any] = {"misfire": misfire, "misfire_seconds": 0.0 if misfire is Misfire.ALL else 60.0}
    next_due_at = DUE + next_due_seconds * SECOND if next_due_seconds else NEVER
    granted = claimed(schedule="g/n", next_due_at=next_due_at, **words)
    assert bool(settle.refusal(granted, DUE + late_seconds * SECOND)) == refused


def test_what_expires_may_start_until_then_and_not_at_that_instant() -> None:
    granted = claimed(expires_at=DUE + 10)
    assert not settle.refusal(granted, DUE + 9)
    assert "expired" in settle.refusal(granted, DUE + 10)


@given(
    st.sampled_from(Misfire), st.integers(0, 10**12), st.integers(0, 10**12), st.integers(2, 50), st.integers(1, 10**12)
)
def test_what_comes_back_is_never_too_late(
    misfire: Misfire, now: int, expires_at: int, attempt: int, moved: int
) -> None:
    """It did start in time, or somebody put it off on purpose."""
    words: dict[str, Any] = {
        "misfire": misfire,
        "misfire_seconds": 1.0,
        "expires_at": expires_at,
        "next_due_at": DUE + 1,
    }
    assert not settle.refusal(claimed(attempt=attempt, **words), now)
    assert not settle.refusal(claimed(run_at=DUE + moved, **words), now)


# ---------------------------------------------------------------- how it ends


def test_what_has_not_begun_leaves_no_attempt() -> None:
    granted = claimed(attempt=2)
    for ack in (settle.given_back(granted), settle.skipped(granted, "late"), settle.withdrawn(granted, "asked")):
        assert ack.trace == b"" and ack.token == 3
    assert settle.given_back(granted).run_at == DUE, "it keeps its place"


@given(st.text(), st.text(), st.integers(1, 10))
def test_each_attempt_is_written_down_with_how_it_ended(error: str, traceback: str, attempt: int) -> None:
    policy = Backoff(attempts=5, jitter=0.0)
    ack = settle.failed(facts(attempt), error * 1_000, traceback * 1_000, policy, lambda: 0.5)
    assert ack.state is (State.FAILED if attempt < 5 else State.DEAD)
    row = msgspec.msgpack.decode(ack.trace, type=Attempt)
    assert (row.number, row.token, row.session, row.worker, row.state) == (attempt, 3, "s", "w", ack.state)
    assert (row.claimed_at, row.started_at, row.ended_at) == (DUE, DUE + 1, DUE + 2)
    assert max(len(row.error), len(row.traceback), len(ack.reason)) <= ERROR_CHARS_MAX
    assert (traceback * 1_000).endswith(row.traceback), "the end of a traceback says most"


@pytest.mark.parametrize("ends", [True, False])
def test_the_end_of_a_fixed_delay_run_carries_its_next_moment(ends: bool) -> None:
    options = msgspec.json.encode(Options(repeat_seconds=30.0))
    told = facts(schedule="g/n", schedule_version=4, ordinal=8, options=options)
    ack = settle.succeeded(told, b"") if ends else settle.retried(told, "no", "", 1.0, 0)
    after = settle.with_repeat(ack, told.claimed.run, lambda: 512)
    if not ends:
        assert after is ack, "a retry is not an end"
        return
    (effect,) = after.effects
    assert isinstance(effect, PlanNext)
    assert (effect.schedule, effect.version, effect.delay_seconds) == ("g/n", 4, 30.0)
    assert (effect.entry.run.id, effect.entry.run.ordinal) == (512, 9)


def test_a_run_of_any_other_kind_takes_no_number_for_a_next_one() -> None:
    ack = settle.succeeded(facts(), b"")
    assert settle.with_repeat(ack, facts().claimed.run, lambda: 1 // 0) is ack


@pytest.mark.parametrize("packed", [b"{", b'{"retry":{"growth":"fibonacci"}}', b"\xff", b'"x"'])
def test_options_that_cannot_be_read_are_a_bad_input(packed: bytes) -> None:
    with pytest.raises(BadInput, match="options"):
        settle.options_of(packed)


def test_options_of_a_newer_program_with_more_fields_are_read() -> None:
    assert settle.options_of(b'{"keep_result":false,"colour":"red"}').keep_result is False
