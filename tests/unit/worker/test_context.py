"""What a handler is told about its run."""

from __future__ import annotations

from typing import Any

from shike.model import RECORD_VERSION, Run
from shike.operate.runs import again
from shike.worker.context import Context


def key_of(run: Run, attempt: int = 1) -> str:
    return Context(run, 10 * attempt, attempt, 0, 0).idempotency_key


def a_run(run_id: int, **fields: Any) -> Run:
    return Run(RECORD_VERSION, run_id, "pay", **fields)


def test_all_attempts_of_a_run_have_one_idempotency_key() -> None:
    run = a_run(256, key="order-7")
    assert key_of(run, 1) == key_of(run, 2)


def test_a_business_key_that_is_used_again_is_other_work() -> None:
    """It was free: its time was over, or the run that held it was."""
    assert key_of(a_run(256, key="order-7")) != key_of(a_run(512, key="order-7"))
    assert key_of(a_run(256)) != key_of(a_run(512))
    assert key_of(a_run(256, key="512")) != key_of(a_run(512))


def test_a_replay_does_the_same_work_and_so_does_its_own_replay() -> None:
    for first in (a_run(256, key="order-7"), a_run(256), a_run(256, schedule="ops/nightly", moment=7)):
        second = again(first, 512)
        third = again(second, 768)
        assert (second.replay_of, third.replay_of) == (256, 256)
        assert key_of(first) == key_of(second) == key_of(third)


def test_a_moment_is_one_piece_of_work_whoever_does_it() -> None:
    backfilled = a_run(512, schedule="ops/nightly", moment=7)
    assert key_of(a_run(256, schedule="ops/nightly", moment=7)) == key_of(backfilled) == "ops/nightly@7"
