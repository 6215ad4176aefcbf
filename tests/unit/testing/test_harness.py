"""The harness drives the real engine through virtual time."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest

import shike
from shike.app import Shike
from shike.errors import RunFailed
from shike.model import Live, State
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


def test_a_sync_handler_submits_and_waits_as_in_production(app: Shike) -> None:
    @app.task(name="double")
    def double(n: int) -> int:
        return 2 * n

    @app.task(name="quadruple")
    def quadruple(n: int) -> int:
        return double.submit(double.submit(n).result()).result()

    with harness(app) as h:
        assert h.submit(quadruple.bind(3)).result() == 12


def test_a_sync_handler_hears_what_became_of_its_question(app: Shike) -> None:
    @app.task(name="fail")
    def fail() -> None:
        raise ValueError("no luck")

    @app.task(name="ask")
    def ask() -> str:
        try:
            fail.submit().result()
        except RunFailed as error:
            return error.reason
        return "it went well"

    with harness(app) as h:
        assert h.submit(ask.bind()).result() == "ValueError: no luck"


def test_time_leaps_to_a_moment_far_away_and_hits_it(app: Shike) -> None:
    seen: list[datetime] = []

    @app.task(name="far")
    async def far() -> None:
        seen.append(h.now)

    with harness(app) as h:
        due = h.now + timedelta(days=300)
        far.in_("300d").submit()
        turns = h.turns
        h.advance("299d")
        assert seen == []
        h.advance("1d")
        assert h.now >= due and due <= seen[0] < due + timedelta(milliseconds=5)
        assert h.turns - turns < 1_000  # a turn a second would be 26 million


def test_no_moment_of_a_busy_week_is_leapt_over(app: Shike) -> None:
    moments: list[datetime | None] = []

    @app.task(name="often")
    async def often() -> None:
        moments.append(shike.current().moment)

    app.schedule(often, cron="*/20 * * * *")
    with harness(app) as h:
        begin = h.now
        h.advance("7d")
    assert moments == [begin + timedelta(minutes=20 * n) for n in range(7 * 24 * 3 + 1)]


def test_time_passes_no_further_than_it_was_told_to_though_a_run_goes_on(app: Shike) -> None:
    import asyncio

    @app.task(name="long")
    async def long() -> None:
        for percent in range(100):
            shike.current().progress(percent)
            await asyncio.sleep(60)

    with harness(app) as h:
        begin, handle = h.now, long.submit()
        h.advance("10m")
        assert h.now - begin < timedelta(minutes=10, seconds=1)
        found = h.find(handle)
        assert isinstance(found, Live) and found.progress in (b"9", b"10")


def test_what_nobody_may_take_does_not_stop_the_test(app: Shike) -> None:
    @app.task(name="stuck")
    async def stuck() -> None: ...

    with harness(app) as h:
        h.run(h.store.put("queue/default", b"paused", expect=None))
        handle = h.submit(stuck.bind())
        found = h.find(handle)
        assert isinstance(found, Live) and found.state is State.SCHEDULED


def test_every_queue_that_the_app_names_is_served(app: Shike) -> None:
    async def handler() -> int:
        return 7

    mail = app.task(name="mail", queue="mail")(handler)
    app.schedule(mail.options(queue="night"), every="1h")
    with harness(app) as time:
        assert time.submit(mail).result("0s") == 7
        time.advance("1h1s")
        assert [run.state for run in time.runs(queue="night")][-1] is State.SUCCESS


def test_a_schedule_that_the_program_dropped_is_named(app: Shike, caplog: pytest.LogCaptureFixture) -> None:
    @app.task(name="report")
    async def report() -> None: ...

    other = Shike("memory://")
    dropped = other.schedule(other.task(name="report")(report.function), every="1h", name="dropped")
    app.schedule(report, every="1h", name="kept")
    with harness(app) as h:
        h.run(h.store.put_schedule(dropped, expect=None, plan_at=0))
        h.run(app.store_schedules())
    assert "default/dropped goes on undeclared" in caplog.text
    assert "kept" not in caplog.text


def test_idle_means_that_nothing_is_due_whatever_lies_ahead(app: Shike) -> None:
    import asyncio

    ran: list[int] = []

    @app.task(name="count")
    async def count() -> None:
        ran.append(shike.current().run.ordinal)

    app.schedule(count, every="10s", overlap="skip")
    with harness(app) as h:
        assert h._engine is not None
        h.run(asyncio.wait_for(h._engine.until_idle(), 5))
        assert ran == [1]
        assert h.runs(schedule="default/count")[0].state is State.WAITING


def test_a_list_of_runs_shows_what_ran_and_not_what_lies_ahead(app: Shike) -> None:
    from shike.operate import runs
    from shike.store.base import RunFilter

    @app.task(name="count")
    async def count() -> None: ...

    app.schedule(count, every="10s")
    with harness(app) as h:
        h.advance("25s")
        shown = h.run(runs.listing(app.client, RunFilter(limit=2)))
        assert [run.state for run in shown] == ["SUCCESS", "SUCCESS"]
        everything = h.run(runs.listing(app.client, RunFilter(limit=2), ahead=True))
        assert {run.state for run in everything} == {"SCHEDULED"}
