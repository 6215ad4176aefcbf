"""What becomes of runs whose predecessor is not over: a table per policy, and a cap that is never passed."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shike.model import Overlap, Schedule, State
from shike.scheduler.overlap import decide, looks_at
from shike.store.base import Gated
from shike.store.guards import Below

HELD = [900, 901, 902]


def schedule(overlap: Overlap, cap: int = 0) -> Schedule:
    return Schedule(name="g/n", task="t", trigger=b"", overlap=overlap, overlap_max=cap)


def due(count: int) -> list[Gated]:
    return [Gated(run_id=number, version=1, gate="overlap/g/n", run_at=number) for number in range(count)]


def decided(overlap: Overlap, holders: int, waiters: int, cap: int = 0) -> dict[str, list[int]]:
    """Which runs are admitted, skipped and stopped; what is not named waits."""
    words = {State.SCHEDULED: "admitted", State.SKIPPED: "skipped", State.CANCELLED: "stopped"}
    found: dict[str, list[int]] = {}
    for move in decide(schedule(overlap, cap), HELD[:holders], due(waiters)):
        found.setdefault(words[move.to], []).append(move.run_id)
    return found


@pytest.mark.parametrize(
    ("overlap", "holders", "waiters", "expected"),
    [
        (Overlap.SKIP, 0, 1, {"admitted": [0]}),
        (Overlap.SKIP, 0, 3, {"admitted": [0], "skipped": [1, 2]}),
        (Overlap.SKIP, 1, 2, {"skipped": [0, 1]}),
        (Overlap.QUEUE_ONE, 1, 1, {}),
        (Overlap.QUEUE_ONE, 1, 3, {"skipped": [1, 2]}),
        (Overlap.QUEUE_ONE, 0, 3, {"admitted": [0], "skipped": [2]}),
        (Overlap.QUEUE_ALL, 1, 3, {}),
        (Overlap.QUEUE_ALL, 0, 3, {"admitted": [0]}),
        (Overlap.REPLACE, 1, 1, {}),
        (Overlap.REPLACE, 1, 3, {"skipped": [0, 1]}),
        (Overlap.REPLACE, 0, 3, {"admitted": [0], "skipped": [1]}),
        (Overlap.CANCEL_PREVIOUS, 1, 1, {"stopped": [900]}),
        (Overlap.CANCEL_PREVIOUS, 1, 3, {"skipped": [0, 1], "stopped": [900]}),
        (Overlap.CANCEL_PREVIOUS, 0, 1, {"admitted": [0]}),
        (Overlap.ALLOW, 3, 3, {"admitted": [0, 1, 2]}),
    ],
)
def test_each_policy_decides_as_its_sentence_says(
    overlap: Overlap, holders: int, waiters: int, expected: dict[str, list[int]]
) -> None:
    assert decided(overlap, holders, waiters) == expected


def test_a_cap_above_one_holds_for_every_policy() -> None:
    assert decided(Overlap.ALLOW, 1, 3, cap=2) == {"admitted": [0]}
    assert decided(Overlap.SKIP, 1, 3, cap=2) == {"admitted": [0], "skipped": [1, 2]}
    assert decided(Overlap.CANCEL_PREVIOUS, 2, 1, cap=2) == {"stopped": [900]}, "the oldest makes room, not both"


@given(st.sampled_from(Overlap), st.integers(0, 5), st.integers(0, 3), st.integers(0, 10))
def test_the_cap_is_never_passed_and_nobody_is_moved_twice(
    overlap: Overlap, cap: int, holders: int, waiters: int
) -> None:
    moves = decide(schedule(overlap, cap), HELD[:holders], due(waiters))
    assert len({move.run_id for move in moves}) == len(moves)
    admitted = [move for move in moves if move.to is State.SCHEDULED]
    if overlap is not Overlap.ALLOW or cap:
        assert holders + len(admitted) <= max(cap or 1, holders)
    for move in admitted:
        (guard,) = move.guards
        assert isinstance(guard, Below) and guard.key == "overlap/g/n" and guard.cap >= holders + len(admitted)
    assert [move.run_id for move in admitted] == list(range(len(admitted))), "the oldest first"


@given(st.sampled_from(Overlap), st.integers(0, 3), st.lists(st.sampled_from(["due", "end", "look"]), max_size=40))
def test_over_time_whoever_waits_is_admitted_or_skipped_with_a_reason(
    overlap: Overlap, cap: int, story: list[str]
) -> None:
    """A gate as the gatekeeper sees it: runs become due, holders end, and each look is decided and carried out."""
    holders: list[int] = []
    waiting: list[int] = []
    over: dict[int, State] = {}
    count = 0
    for act in [*story, *["end"] * 40]:
        if act == "due":
            waiting.append(count)
            count += 1
        elif act == "end" and holders:
            over[holders.pop(0)] = State.SUCCESS
        seen = waiting[: looks_at(schedule(overlap, cap), len(holders))]
        gated = [Gated(run_id=run_id, version=1, gate="overlap/g/n", run_at=run_id) for run_id in seen]
        for move in decide(schedule(overlap, cap), holders, gated):
            assert move.to is State.SCHEDULED or move.reason
            if move.to is State.SCHEDULED:
                waiting.remove(move.run_id)
                holders.append(move.run_id)
            elif move.to is State.SKIPPED:
                waiting.remove(move.run_id)
                over[move.run_id] = State.SKIPPED
            else:
                holders.remove(move.run_id)
                over[move.run_id] = State.CANCELLED
        assert (overlap is Overlap.ALLOW and not cap) or len(holders) <= (cap or 1)
    assert not waiting and sorted([*over, *holders]) == list(range(count)), "P1"
    if overlap in (Overlap.ALLOW, Overlap.QUEUE_ALL):
        assert set(over.values()) <= {State.SUCCESS}, "these policies drop nobody"
