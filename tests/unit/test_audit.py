"""The audit: every planned moment is accounted for, and what is not is found (P7)."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from shike.clock import MICROS
from shike.model import Fate, TimetableRow
from shike.operate.backfill import backfill
from shike.operate.schedules import pause, resume
from shike.testing import harness
from shike.trigger import every
from tests.unit.shop import START, Shop, fates, the_one


@pytest.fixture
def shop() -> Shop:
    return Shop()


def test_a_schedule_that_ran_is_sound(shop: Shop) -> None:
    shop.app.schedule(shop.task, every("10s"))
    with harness(shop.app, start=START) as time:
        time.advance("1m")
        report = shop.audit(time)
    assert report.sound
    assert fates(the_one(report)) == {"SUCCESS": the_one(report).moments}
    assert the_one(report).moments in (6, 7)


def test_what_failed_for_good_is_dead(shop: Shop) -> None:
    shop.broken = True
    shop.app.schedule(shop.task, every("10s"))
    with harness(shop.app, start=START) as time:
        time.advance("1m")
        report = shop.audit(time)
    assert report.sound
    assert fates(the_one(report)).keys() == {"DEAD"}


def test_the_moments_of_a_pause_are_paused_and_those_after_it_run(shop: Shop) -> None:
    shop.app.schedule(shop.task, every("10s"))
    with harness(shop.app, start=START) as time:
        time.advance("1m")
        time.run(pause(time.store, "tick", "stock-taking", None))
        time.advance("10m")
        time.run(resume(time.store, "tick"))
        time.advance("1m")
        report = shop.audit(time)
    found = the_one(report)
    assert report.sound, found.first_holes
    assert 71 <= found.moments <= 73
    assert 59 <= fates(found).get("PAUSED", 0) + fates(found).get("WITHDRAWN", 0) <= 61


def test_a_long_pause_of_a_fast_schedule_leaves_no_hole(shop: Shop) -> None:
    shop.app.schedule(shop.task, every("1s"))
    with harness(shop.app, start=START) as time:
        time.advance("5s")
        time.run(pause(time.store, "tick", "stock-taking", None))
        time.advance("20m")
        time.run(resume(time.store, "tick"))
        time.advance("5s")
        report = shop.audit(time)
    assert report.sound, the_one(report).first_holes[:3]


def test_a_lost_run_is_a_hole(shop: Shop) -> None:
    """Planted: the run of a planned moment is gone without a trace."""
    shop.app.schedule(shop.task, every("10s"))
    with harness(shop.app, start=START) as time:
        time.advance("1m")
        lost = next(iter(time.store._tables.over.rows))
        del time.store._tables.over.rows[lost]
        report = shop.audit(time)
    assert report.holes == 1
    assert str(lost) in the_one(report).first_holes[0].words


def test_a_moment_without_a_row_is_a_hole(shop: Shop) -> None:
    """Planted: the cursor passed a moment, and nothing was written for it."""
    shop.app.schedule(shop.task, every("10s"))
    with harness(shop.app, start=START) as time:
        time.advance("1m")
        rows = time.store._tables.timetable.rows["default/tick"]
        moment = sorted(rows)[2]
        del rows[moment]
        report = shop.audit(time)
    assert report.holes == 1
    assert the_one(report).first_holes[0].moment == START + (moment - min(rows)) * timedelta(microseconds=1) + (
        datetime.fromtimestamp(min(rows) / MICROS, UTC) - START
    )


def test_a_moment_that_ran_inside_a_range_that_did_not_is_a_double(shop: Shop) -> None:
    """Planted: a range row says that moments were missed, and one of them has a run."""
    shop.app.schedule(shop.task, every("10s"))
    with harness(shop.app, start=START) as time:
        time.advance("1m")
        rows = time.store._tables.timetable.rows["default/tick"]
        first, *_, last = sorted(moment for moment in rows if moment < time.store._tables.now())
        row = TimetableRow("default/tick", 1, first - 5, last, 3, Fate.MISSED)
        rows[first - 5] = row
        report = shop.audit(time)
    assert report.doubles >= 2
    assert not report.sound


def test_what_the_planner_has_not_come_to_is_no_hole(shop: Shop) -> None:
    shop.app.schedule(shop.task, every("10s"))
    with harness(shop.app, start=START) as time:
        time.advance("1m")
        time._clock.leap(3600 * MICROS)  # the scheduler sleeps for an hour
        found = the_one(shop.audit(time))
    assert not found.holes
    assert found.fates["UNPLANNED"] + found.fates["PENDING"] in (359, 360)
    assert found.fates["UNPLANNED"] > 200


def test_missed_moments_that_were_backfilled_are_not_missed_any_more(shop: Shop) -> None:
    shop.app.schedule(shop.task, every("10s"))
    with harness(shop.app, start=START) as time:
        time.advance("1m")
        time.run(pause(time.store, "tick", "stock-taking", None))
        time.advance("10m")
        time.run(resume(time.store, "tick"))
        time.advance("1m")
        before = the_one(shop.audit(time))
        done = time.run(backfill(shop.app.client, "tick", START, time.now))
        time.advance("5m")
        report = shop.audit(time)
    found = the_one(report)
    assert report.sound
    assert done.to_run == before.fates["PAUSED"] + before.fates["WITHDRAWN"] > 50
    assert found.fates["BACKFILLED SUCCESS"] == done.to_run
    assert not fates(found).keys() & {"PAUSED", "WITHDRAWN"}


def test_a_fixed_delay_is_counted_by_its_rows(shop: Shop) -> None:
    shop.app.schedule(shop.task, every("10s", delay=True))
    with harness(shop.app, start=START) as time:
        time.advance("1m")
        found = the_one(shop.audit(time))
    assert found.by_rows == found.moments > 4
    assert not found.holes


def test_only_the_named_schedules_are_audited(shop: Shop) -> None:
    shop.app.schedule(shop.task, every("10s"))
    shop.app.schedule(shop.task, every("10s"), name="other")
    with harness(shop.app, start=START) as time:
        time.advance("30s")
        assert [one.schedule for one in shop.audit(time, "default/other").schedules] == ["default/other"]


def test_the_audit_reads_only(shop: Shop) -> None:
    shop.app.schedule(shop.task, every("10s"))
    with harness(shop.app, start=START) as time:
        time.advance("1m")
        before = dict(time.store._tables.timetable.rows["default/tick"])
        shop.audit(time)
        assert time.store._tables.timetable.rows["default/tick"] == before
