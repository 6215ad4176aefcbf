"""How many buckets: split when late, merge when long calm, and never to and fro."""

from __future__ import annotations

from typing import Any

import pytest

from shike.scheduler.decision import Bounds, Decision, Sight, decide, fewest, packed, unpacked
from shike.scheduler.shares import Range

BOUNDS = Bounds(most=64, least=4)
FOUR: tuple[Range, ...] = ((0, 15), (16, 31), (32, 47), (48, 63))


def sight(
    wanted: tuple[Range, ...] = FOUR,
    late_ms: dict[int, int] | None = None,
    nodes: int = 1,
    since: float = 1e9,
    calm: float = 0.0,
    **more: Any,
) -> Sight:
    late_ms = late_ms or {}
    return Sight(wanted=wanted, late_ms=late_ms, nodes=nodes, seconds_since_last=since, calm_seconds=calm, **more)


def lows(decided: tuple[tuple[Range, ...], str] | None) -> list[int]:
    assert decided is not None
    return [low for low, _ in decided[0]]


def test_on_time_and_not_calm_for_long_nothing_is_decided() -> None:
    assert decide(sight(late_ms={16: 100}), BOUNDS) is None


def test_the_late_bucket_is_cut_in_halves_and_the_reason_says_how_late_it_was() -> None:
    decided = decide(sight(late_ms={16: 900}), BOUNDS)
    assert lows(decided) == [0, 16, 24, 32, 48]
    assert decided is not None and decided[1] == "bucket 16-31 was 900 ms late, more than 250"


def test_a_bucket_whose_runs_begin_late_is_cut_and_the_reason_says_who_saw_it() -> None:
    decided = decide(sight(late_ms={16: 100}, started_late_ms={16: 2_000, 32: 300}), BOUNDS)
    assert lows(decided) == [0, 16, 24, 32, 40, 48]
    told = "runs of bucket 16-31 and 1 more began 2000 ms late, more than 250, where a worker had room for them"
    assert decided is not None and decided[1] == told


def test_a_bucket_of_which_much_is_expected_is_cut_beforehand() -> None:
    decided = decide(sight(expected_per_second={(16, 31): 5_200.0, (0, 15): 2_000.0}), BOUNDS)
    assert lows(decided) == [0, 16, 24, 32, 48]
    assert decided is not None
    assert decided[1] == "bucket 16-31 is expected to have 5,200 runs a second due, more than 2,000"


def test_what_is_late_now_goes_before_what_is_to_come() -> None:
    decided = decide(sight(late_ms={0: 900}, expected_per_second={(16, 31): 5_200.0}), BOUNDS)
    assert lows(decided) == [0, 8, 16, 32, 48]


def test_halves_of_which_much_is_expected_stay_apart() -> None:
    wanted: tuple[Range, ...] = ((0, 15), (16, 31), (32, 47), (48, 63))
    expected = {(0, 15): 600.0, (16, 31): 500.0, (32, 47): 500.0, (48, 63): 500.0}
    decided = decide(sight(wanted, calm=60, expected_per_second=expected), Bounds(most=64))
    assert lows(decided) == [0, 16, 32]


def test_when_all_are_late_all_are_cut_up_to_the_virtual_buckets() -> None:
    wanted, steps = FOUR, 0
    while decided := decide(sight(wanted, {low: 300 + low for low, _ in wanted}), BOUNDS):
        wanted, steps = decided[0], steps + 1
    assert len(wanted) == 64 and steps == 4
    assert decide(sight(wanted, dict.fromkeys(range(64), 9_000)), BOUNDS) is None


def test_the_latest_are_cut_first_where_there_is_not_room_for_all() -> None:
    decided = decide(sight(late_ms={0: 300, 16: 900, 32: 400}), Bounds(most=5))
    assert lows(decided) == [0, 16, 24, 32, 48]


def test_after_a_long_calm_halves_come_together_again() -> None:
    wanted = tuple((at, at) for at in range(64))
    counts = []
    while decided := decide(sight(wanted, calm=60), BOUNDS):
        wanted = decided[0]
        counts.append(len(wanted))
    assert counts == [32, 16, 8, 4] and wanted == FOUR


def test_halves_of_unlike_size_do_not_merge() -> None:
    decided = decide(sight(((0, 15), (16, 23), (24, 31), (32, 63)), calm=60), Bounds(most=64))
    assert lows(decided) == [0, 16, 32]


def test_between_two_decisions_there_is_a_pause() -> None:
    assert decide(sight(late_ms={0: 900}, since=4.9), BOUNDS) is None
    assert decide(sight(calm=60, since=4.9, wanted=tuple((at, at) for at in range(64))), BOUNDS) is None
    assert decide(sight(late_ms={0: 900}, since=5.0), BOUNDS) is not None


def test_what_splits_and_what_merges_lie_far_apart() -> None:
    """Hysteresis: no lateness does both, whatever it is."""
    wanted = tuple((low, low + 7) for low in range(0, 64, 8))
    for late in range(0, 1_000, 10):
        calm = 60.0 if late <= BOUNDS.calm_ms else 0.0
        decided = decide(sight(wanted, {0: late}, calm=calm), BOUNDS)
        expected = 4 if late <= BOUNDS.calm_ms else 9 if late > BOUNDS.late_ms else None
        assert (None if decided is None else len(decided[0])) == expected


@pytest.mark.parametrize(("nodes", "count"), [(1, 1), (2, 4), (3, 8), (5, 16), (40, 64)])
def test_each_node_has_something_to_look_after(nodes: int, count: int) -> None:
    bounds = Bounds(most=64)
    assert fewest(nodes, bounds) == count
    decided = decide(sight(((0, 63),), nodes=nodes, since=0.0), bounds)
    assert (decided is None and nodes == 1) or len(lows(decided)) == count


def test_a_store_of_one_virtual_bucket_is_left_as_it_is() -> None:
    assert decide(sight(((0, 0),), {0: 10_000}, nodes=3, calm=60), Bounds(most=1, least=4)) is None


def test_a_row_of_an_earlier_version_is_read() -> None:
    row = b'{"number":7,"at":1,"lows":[0,32],"reason":"why","nodes":2,"late_ms":{"0":900}}'
    assert unpacked(row) == Decision(number=7, at=1, lows=(0, 32), reason="why", nodes=2, late_ms={0: 900})


def test_a_decision_is_read_as_it_was_written() -> None:
    decision = Decision(number=7, at=1, lows=(0, 32), reason="why", nodes=2, late_ms={0: 900},
        started_late_ms={32: 400}, expected_per_second={0: 1.5})  # fmt: skip
    assert unpacked(packed(decision)) == decision
    assert decision.ranges(64) == ((0, 31), (32, 63))


@pytest.mark.parametrize("row", [b"", b"[]", b'{"number":1}', b"\xff"])
def test_a_row_that_nobody_understands_decides_nothing(row: bytes) -> None:
    assert unpacked(row) is None


@pytest.mark.parametrize("wrong", [(), (1, 32), (0, 32, 32), (0, 40, 30), (0, 64)])
def test_a_layout_that_does_not_fit_the_store_is_none(wrong: tuple[int, ...]) -> None:
    assert Decision(number=1, at=1, lows=wrong, reason="", nodes=1).ranges(64) == ()
