"""The harness drives the real engine through virtual time."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest

import shike
from shike.app import Shike
from shike.errors import RunFailed
from shike.model import State
from shike.testing import Harness, harness
from shike.worker.outcome import Snooze


@pytest.fixture
def app() -> Shike:
    return Shike("memory://")


def test_a_delayed_run_starts_at_its_moment_and_not_before(app: Shike) -> None:
    seen: list[datetime] = []

    @app.task(name="remind")
    async def remind() -> None:
        seen.append(h.now)

    with harness(app) as h:
        due = h.now + timedelta(minutes=30)
        remind.in_("30m").submit()
        h.advance("29m")
        assert seen == []
        h.advance("1m")
        assert seen and due <= seen[0] < due + timedelta(milliseconds=5)


def test_sync_code_submits_and_waits_without_threads(app: Shike) -> None:
    @app.task(name="add")
    def add(a: int, b: int) -> int:
        return a + b

    with harness(app) as h:
        assert h.submit(add.bind(1, b=2)).result() == 3


def test_a_schedule_runs_once_per_moment_for_a_whole_day(app: Shike) -> None:
    moments: list[datetime | None] = []

    @app.task(name="report")
    async def report() -> None:
        moments.append(shike.current().moment)

    app.schedule(report, cron="0 * * * *")
    with harness(app, start=datetime(2026, 1, 1, 0, 30, tzinfo=UTC)) as h:
        h.advance("24h")
    assert moments == [datetime(2026, 1, 1, 1, tzinfo=UTC) + timedelta(hours=n) for n in range(24)]


def test_retries_rest_as_long_as_the_backoff_says(app: Shike) -> None:
    tries: list[datetime] = []

    @app.task(name="flaky", retry=shike.Backoff(attempts=3, growth=shike.Growth.FIXED, base_seconds=60, jitter=0))
    async def flaky() -> None:
        tries.append(h.now)
        raise ValueError("not yet")

    with harness(app) as h:
        handle = h.submit(flaky.bind())
        h.advance("5m")
        assert [round((later - earlier).total_seconds()) for earlier, later in pairwise(tries)] == [
            60,
            60,
        ]
        found = h.find(handle)
        assert found is not None and found.state is State.DEAD
        with pytest.raises(RunFailed, match="not yet"):
            handle.result()


def test_fixed_delay_counts_from_the_end_of_a_run(app: Shike) -> None:
    import asyncio

    starts: list[float] = []

    @app.task(name="poll")
    async def poll() -> None:
        starts.append(h.now.timestamp())
        await asyncio.sleep(20)

    app.schedule(poll, delay="10s")
    with harness(app) as h:
        h.advance("100s")
    gaps = [round(later - earlier) for earlier, later in pairwise(starts)]
    assert gaps == [30] * len(gaps) and len(gaps) >= 2


def test_a_snooze_is_not_an_attempt(app: Shike) -> None:
    attempts: list[int] = []

    @app.task(name="later")
    async def later() -> Snooze | None:
        attempts.append(shike.current().attempt)
        return Snooze(60) if len(attempts) < 3 else None

    with harness(app) as h:
        handle = h.submit(later.bind())
        h.advance("3m")
        found = h.find(handle)
    assert attempts == [1, 1, 1]
    assert found is not None and found.state is State.SUCCESS


def test_the_pytest_fixture_makes_harnesses(app: Shike, shike_harness: Callable[..., Harness]) -> None:
    @app.task(name="hello")
    async def hello() -> str:
        return "hello"

    assert shike_harness(app).submit(hello.bind()).result() == "hello"
