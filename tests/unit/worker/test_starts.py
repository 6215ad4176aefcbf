"""How late runs are claimed though there was room: what counts, what does not, and how much is told."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from shike.bounds import BAND_BACKLOG, LOAD_BYTES_MAX, START_RANGES_MAX
from shike.clock import ManualClock
from shike.model import RECORD_VERSION, Load, Manner, Run
from shike.store.verbs import Batch, Claimed, Want
from shike.worker.starts import Starts

SECOND = 1_000_000
NOW = 1_767_225_600 * SECOND
WANTS = (Want("mail", 10, 10),)


def claimed(late_seconds: float = 3.0, *, bucket: int = 5, number: int = 1, **fields: Any) -> Claimed:
    of_claim = {name: fields.pop(name) for name in ("together", "crashes") if name in fields}
    words = {"queue": "mail", "due_at": NOW, "created_at": NOW - 60 * SECOND} | fields
    run = Run(RECORD_VERSION, number << 8 | bucket, "send", **words)
    return Claimed(run, 1, 1, NOW - round(late_seconds * SECOND), **of_claim)


def told(*batches: Batch, virtual_buckets: int = 64, looks: tuple[tuple[Want, ...], ...] = ()) -> dict[int, int]:
    starts = Starts(ManualClock(NOW), virtual_buckets)
    for wants in looks:
        starts.looked(["mail"], wants, NOW - 2 * SECOND)
    for batch in batches:
        starts.claimed(batch, WANTS)
    return load_of(starts).started_late_ms


def load_of(starts: Starts) -> Load:
    return msgspec.json.decode(starts.load(), type=Load)


def answer(*runs: Claimed, **fields: Any) -> Batch:
    return Batch(number=1, now=NOW, runs=list(runs), **fields)


def test_the_latest_run_of_each_range_of_virtual_buckets_is_told() -> None:
    runs = [claimed(2.0), claimed(3.0, number=2), claimed(1.5, bucket=6)]
    assert told(answer(*runs)) == {5: 3_000, 6: 1_500}
    runs = [claimed(2.0, bucket=bucket) for bucket in (4, 5, 8)]
    assert told(answer(*runs), virtual_buckets=256) == {4: 2_000, 8: 2_000}


def test_what_a_beat_makes_up_for_is_not_told() -> None:
    assert told(answer(claimed(1.0), claimed(0.0, number=2))) == {}


def test_what_waited_for_a_place_is_late_only_from_when_there_was_one() -> None:
    assert told(answer(claimed(3.0)), looks=((), WANTS)) == {5: 2_000}
    assert told(answer(claimed(3.0)), looks=(WANTS,)) == {5: 3_000}


def test_what_the_store_was_known_to_have_more_of_does_not_count() -> None:
    assert told(answer(more=True), answer(claimed(3.0))) == {}


@pytest.mark.parametrize(
    "excuse",
    [
        {"together": 4},
        {"crashes": 1},
        {"gate": "permit"},
        {"band": BAND_BACKLOG},
        {"created_at": NOW},
    ],
    ids=lambda excuse: next(iter(excuse)),
)
def test_what_was_late_for_another_reason_does_not_count(excuse: dict[str, Any]) -> None:
    assert told(answer(claimed(3.0, **excuse))) == {}


def test_suspects_do_not_count() -> None:
    assert told(answer(claimed(3.0), manner=Manner.APART)) == {}


def test_all_that_can_be_told_is_a_small_part_of_a_beat() -> None:
    starts = Starts(ManualClock(NOW), 256)
    starts.claimed(answer(*[claimed(3_000.0, bucket=bucket) for bucket in range(256)]), WANTS)
    assert len(load_of(starts).started_late_ms) == START_RANGES_MAX
    assert len(starts.load()) < LOAD_BYTES_MAX / 4


def test_who_is_on_time_tells_nothing() -> None:
    assert Starts(ManualClock(NOW), 64).load() == b"{}"
