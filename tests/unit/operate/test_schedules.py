"""What operators do with schedules: look ahead, pause, backfill, simulate a day."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from shike.app import Shike
from shike.call import Task
from shike.clock import to_micros
from shike.errors import BadInput, BadTime, NotFound, StoreUnavailable, TooLarge
from shike.model import Ended, Live, Planned, Schedule, State
from shike.operate import backfill as backfilling
from shike.operate import schedules
from shike.operate.backfill import backfill, preview
from shike.operate.simulate import day_of, picture, simulate
from shike.testing import harness
from shike.trigger import cron, encode, every
from shike.worker.context import current

START = datetime(2026, 1, 1, tzinfo=UTC)
HOUR = timedelta(hours=1)


class Shop:
    """A task that notes the moments it ran for."""

    def __init__(self) -> None:
        self.app = Shike("memory://")
        self.moments: list[datetime | None] = []
        self.task: Task[[], None] = self.app.task(self.report, name="report")

    async def report(self) -> None:
        self.moments.append(current().moment)


@pytest.fixture
def shop() -> Shop:
    return Shop()


def test_the_next_moments_say_which_are_planned_already(shop: Shop) -> None:
    shop.app.schedule(shop.task, cron("*/10 * * * *"))
    with harness(shop.app, start=START) as time:
        time.advance("1m")
        ahead = time.run(schedules.following(time.store, "report", 4))
    assert [moment.moment for moment in ahead] == [START + timedelta(minutes=10 * n) for n in (1, 2, 3, 4)]
    assert [moment.planned for moment in ahead] == [True, False, False, False]
    assert [moment.ordinal for moment in ahead] == [2, 3, 4, 5]


def test_a_schedule_with_a_count_has_no_more_moments_than_that(shop: Shop) -> None:
    shop.app.schedule(shop.task, cron("*/10 * * * *"), count=3)
    with harness(shop.app, start=START) as time:
        time.advance("11m")
        ahead = time.run(schedules.following(time.store, "report", 9))
        assert [moment.ordinal for moment in ahead] == [3]
        time.advance("1h")
        assert time.run(schedules.following(time.store, "report", 9)) == []
    assert len(shop.moments) == 3


def test_an_unknown_schedule_is_named_with_its_neighbours(shop: Shop) -> None:
    shop.app.schedule(shop.task, every("1m"))
    with harness(shop.app, start=START) as time, pytest.raises(NotFound, match="default/report"):
        time.run(schedules.find(time.store, "raport"))


def test_a_pause_has_a_reason_and_may_end_by_itself(shop: Shop) -> None:
    shop.app.schedule(shop.task, cron("*/10 * * * *"))
    with harness(shop.app, start=START) as time:
        time.advance("1m")
        with pytest.raises(BadInput, match="why"):
            time.run(schedules.pause(time.store, "report", "", None))
        with pytest.raises(BadTime):
            time.run(schedules.pause(time.store, "report", "stock-taking", START))
        time.run(schedules.pause(time.store, "report", "stock-taking", START + HOUR))
        (one,) = time.run(schedules.listing(time.store))
        assert (one.paused, one.reason, one.resume_at) == (True, "stock-taking", START + HOUR)
        assert one.next == START + HOUR + timedelta(minutes=10)
        time.advance("30m")
        assert len(shop.moments) == 1
        time.run(schedules.resume(time.store, "report"))
        time.advance("15m")
    assert shop.moments == [START, START + timedelta(minutes=40)]


def test_a_deleted_schedule_runs_no_more(shop: Shop) -> None:
    shop.app.schedule(shop.task, cron("*/10 * * * *"))
    with harness(shop.app, start=START) as time:
        time.advance("1m")
        time.run(schedules.delete(time.store, "report"))
        time.advance("1h")
        assert time.run(schedules.listing(time.store)) == []
    assert shop.moments == [START]


def test_a_backfill_runs_the_moments_before_the_schedule_was_made_and_knows_them(shop: Shop) -> None:
    shop.app.schedule(shop.task, cron("0 0 * * *"))
    with harness(shop.app, start=START + HOUR) as time:
        span = (START - timedelta(days=5), time.now)
        assert time.run(preview(time.store, "report", *span)).to_run == 6
        assert shop.moments == []
        done = time.run(backfill(shop.app.client, "report", *span))
        time.run_due()
        assert (done.moments, done.to_run, done.left_out) == (6, 6, 0)
        assert shop.moments == [START - timedelta(days=days) for days in (5, 4, 3, 2, 1, 0)]


def test_a_second_backfill_finds_nothing_left(shop: Shop) -> None:
    shop.app.schedule(shop.task, cron("0 0 * * *"))
    with harness(shop.app, start=START + HOUR) as time:
        span = (START - timedelta(days=5), time.now)
        time.run(backfill(shop.app.client, "report", *span, limit=2))
        again = time.run(backfill(shop.app.client, "report", *span))
        assert (again.left_out, again.to_run) == (2, 4)
        assert time.run(backfill(shop.app.client, "report", *span)).to_run == 0
        time.run_due()
    assert len(shop.moments) == len(set(shop.moments)) == 6


def test_a_backfill_that_died_before_its_runs_can_be_repeated(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    async def die(*_: object) -> None:
        raise StoreUnavailable("killed")

    shop.app.schedule(shop.task, cron("0 0 * * *"))
    with harness(shop.app, start=START + HOUR) as time:
        span = (START - timedelta(days=5), time.now)
        with monkeypatch.context() as patched, pytest.raises(StoreUnavailable):
            patched.setattr(shop.app.client, "deliver", die)
            time.run(backfill(shop.app.client, "report", *span))
        assert time.run(backfill(shop.app.client, "report", *span)).to_run == 6
        time.run_due()
    assert len(shop.moments) == 6


def test_a_backfill_whose_runs_are_forgotten_is_not_repeated_while_the_key_stands(shop: Shop) -> None:
    shop.app.schedule(shop.task, cron("0 0 * * *"))
    with harness(shop.app, start=START + HOUR) as time:
        span = (START - timedelta(days=5), time.now)
        time.run(backfill(shop.app.client, "report", *span))
        time.run_due()
        time.store._tables.over.rows.clear()
        again = time.run(backfill(shop.app.client, "report", *span))
        time.run_due()
    assert (again.to_run, again.left_out) == (0, 6)
    assert len(shop.moments) == 6


def test_moments_that_ran_are_left_out_and_those_ahead_are_the_planners(shop: Shop) -> None:
    shop.app.schedule(shop.task, cron("*/10 * * * *"))
    with harness(shop.app, start=START) as time:
        time.advance("35m")
        done = time.run(backfill(shop.app.client, "report", START - HOUR, START + 9 * HOUR))
        time.run_due()
    assert (done.moments, done.left_out, done.to_run) == (10, 4, 6)
    assert sorted(filter(None, shop.moments)) == [START + timedelta(minutes=10 * n) for n in range(-6, 4)]


def test_where_overlap_is_not_allowed_a_backfill_runs_one_by_one_and_all_of_it(shop: Shop) -> None:
    shop.app.schedule(shop.task, cron("0 0 * * *"), overlap="skip")
    with harness(shop.app, start=START + HOUR) as time:
        time.run(backfill(shop.app.client, "report", START - timedelta(days=4), time.now))
        time.advance("1m")
    assert len(shop.moments) == 5


def test_backfilled_runs_come_last_and_never_expire(shop: Shop) -> None:
    shop.app.schedule(shop.task, cron("0 0 * * *"), expires="1m", misfire="skip")
    with harness(shop.app, start=START + HOUR) as time:
        time.run(backfill(shop.app.client, "report", START - timedelta(days=2), time.now))
        waiting = [known for known in time.runs(schedule="default/report") if known.run.key]
        assert {known.run.band for known in waiting} == {7}
        time.run_due()
        assert all(isinstance(known, Ended) and known.state is State.SUCCESS for known in time.runs() if known.run.key)


def test_a_fixed_delay_cannot_be_backfilled(shop: Shop) -> None:
    shop.app.schedule(shop.task, every("1m", delay=True))
    with harness(shop.app, start=START) as time, pytest.raises(BadInput, match="fixed delay"):
        time.run(preview(time.store, "report", START - HOUR, START))


def test_a_backfill_is_bounded(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(backfilling, "MOMENTS_MAX", 100)
    shop.app.schedule(shop.task, cron("* * * * *"))
    with harness(shop.app, start=START) as time:
        with pytest.raises(TooLarge, match="in parts"):
            time.run(preview(time.store, "report", START - 2 * HOUR, START))
        with pytest.raises(BadInput, match="between 1 and"):
            time.run(preview(time.store, "report", START - HOUR, START, limit=0))
        with pytest.raises(BadInput, match="earlier to a later"):
            time.run(preview(time.store, "report", START, START - HOUR))


def test_a_replayed_moment_keeps_its_moment(shop: Shop) -> None:
    from shike.operate.runs import retry

    shop.app.schedule(shop.task, cron("*/10 * * * *"))
    with harness(shop.app, start=START) as time:
        time.advance("1m")
        ahead = next(known for known in time.runs() if isinstance(known, Live))
        time.run(shop.app.client.cancel(ahead.run.id, "not today"))
        time.run(retry(shop.app.client, ahead.run.id))
        time.run_due()
    assert shop.moments[-1] == START + timedelta(minutes=10)


def _planned(name: str, expression: str, **more: object) -> Planned:
    trigger = encode(cron(expression, tz="UTC"))
    return Planned(schedule=Schedule(name=name, task="t", trigger=trigger, version=1, **more))  # type: ignore[arg-type]


def _day(time: datetime) -> tuple[datetime, datetime]:
    return time, time + timedelta(days=1)


def test_a_simulated_day_counts_what_each_minute_starts() -> None:
    found = simulate([_planned("a", "0 * * * *"), _planned("b", "*/30 * * * *")], *_day(START))
    assert found.runs == 24 + 48
    assert found.at_full_hour == 24 + 24
    assert (found.per_minute[0], found.per_minute[30], found.per_minute[31]) == (2, 1, 0)
    assert found.busiest == {"b": 48, "a": 24}
    assert found.herds == []


def test_a_herd_at_midnight_is_shown() -> None:
    many = [_planned(f"s{number}", "0 0 * * *") for number in range(40)]
    found = simulate(many, *_day(START))
    (herd,) = found.herds
    assert (herd.at, herd.runs, herd.schedules) == (START, 40, 40)
    assert "herd at" in picture(found)


def test_jitter_spreads_the_herd_and_keeps_every_run() -> None:
    many = [_planned(f"s{number}", "0 6 * * *", jitter_seconds=3600.0) for number in range(200)]
    found = simulate(many, *_day(START))
    assert found.runs == 200
    assert max(found.per_minute) < 20
    assert sum(found.per_minute[360:420]) == 200


def test_start_and_end_of_a_schedule_bound_its_day() -> None:
    noon = to_micros(START + 12 * HOUR)
    one = _planned("a", "0 * * * *", start_at=noon, end_at=to_micros(START + 15 * HOUR))
    assert simulate([one], *_day(START)).runs == 3


def test_a_fixed_delay_is_named_and_not_guessed(shop: Shop) -> None:
    shop.app.schedule(shop.task, every("1m", delay=True))
    with harness(shop.app, start=START) as time:
        found = simulate(time.run(time.store.schedules()), *_day(START))
    assert (found.runs, found.not_listed) == (0, ["default/report"])


def test_the_picture_has_a_line_an_hour() -> None:
    found = simulate([_planned("a", "* * * * *")], *day_of(START.astimezone()))
    lines = picture(found).splitlines()
    assert sum("▏" in line for line in lines) in (23, 24, 25)
    assert lines[1].count("█") == 60
