"""The audit: every planned moment is accounted for, and what is not is found (P7)."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from shike.app import Shike
from shike.audit import Audited, Report, audit
from shike.call import Task
from shike.clock import MICROS, to_micros
from shike.model import Fate, State, TimetableRow
from shike.operate.backfill import backfill
from shike.operate.schedules import delete, pause, resume
from shike.store.verbs import Move, Retention
from shike.testing import Harness, harness
from shike.trigger import every
from shike.trigger.combine import AnyTrigger

START = datetime(2026, 1, 1, tzinfo=UTC)
DAY = timedelta(days=1)


class Shop:
    """An app with one quick task, driven through virtual time."""

    def __init__(self) -> None:
        self.app = Shike("memory://")
        self.broken = False
        self.task: Task[[], None] = self.app.task(self.tick, name="tick")

    async def tick(self) -> None:
        if self.broken:
            raise ValueError("broken")

    def audit(self, time: Harness, *only: str) -> Report:
        return time.run(audit(time.store, START - DAY, time.now, only=only))


@pytest.fixture
def shop() -> Shop:
    return Shop()


def the_one(report: Report) -> Audited:
    (found,) = report.schedules
    return found


def fates(found: Audited) -> dict[str, int]:
    return {fate: count for fate, count in found.fates.items() if count}


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


# ---------------------------------------------------------------- versions


def edit(time: Harness, shop: Shop, trigger: AnyTrigger, **fields: Any) -> None:
    """The schedule gets another trigger."""
    edited = Shike("memory://")
    edited.schedule(edited.task(shop.tick, name="tick"), trigger, **fields)
    (schedule,) = edited.schedules
    time.run(time.store.put_schedule(schedule, expect=None, plan_at=time.store._tables.now()))


def forget(time: Harness, moment: int) -> None:
    """Planted: a moment's row is gone."""
    del time.store._tables.timetable.rows["default/tick"][moment]


def planned(time: Harness, version: int) -> list[int]:
    """The past moments of one version that have a run."""
    rows = time.store._tables.timetable.rows["default/tick"].values()
    now = time.store._tables.now()
    return sorted(
        row.moment for row in rows if row.version == version and row.fate is Fate.PLANNED and row.moment <= now
    )


def test_the_moments_of_every_version_are_proven(shop: Shop) -> None:
    shop.app.schedule(shop.task, every("10s"))
    with harness(shop.app, start=START) as time:
        time.advance("2m")
        edit(time, shop, every("7s"))
        time.advance("2m")
        edit(time, shop, every("3s"))
        time.advance("2m")
        report = shop.audit(time)
    found = the_one(report)
    assert report.sound, found.first_holes
    assert (found.by_rows, found.note) == (0, "")
    assert found.fates["SUCCESS"] >= 12 + 17 + 40


@pytest.mark.parametrize("version", [1, 2, 3])
def test_a_lost_row_of_any_version_is_a_hole(shop: Shop, version: int) -> None:
    shop.app.schedule(shop.task, every("10s"))
    with harness(shop.app, start=START) as time:
        time.advance("2m")
        edit(time, shop, every("7s"))
        time.advance("2m")
        edit(time, shop, every("3s"))
        time.advance("2m")
        lost = planned(time, version)[3]
        forget(time, lost)
        report = shop.audit(time)
    assert [to_micros(hole.moment) for hole in the_one(report).first_holes] == [lost]
    assert f"version {version}" in the_one(report).first_holes[0].words


def test_a_deleted_schedule_answers_for_what_it_had_before(shop: Shop) -> None:
    shop.app.schedule(shop.task, every("10s"))
    with harness(shop.app, start=START) as time:
        time.advance("1m")
        time.run(delete(time.store, "tick"))
        time.advance("10m")
        sound = shop.audit(time)
        moments = planned(time, 1)
        forget(time, moments[2])
        report = shop.audit(time)
    assert sound.sound
    assert fates(the_one(sound))["SUCCESS"] == len(moments)
    assert "UNPLANNED" not in fates(the_one(sound))
    assert [to_micros(hole.moment) for hole in the_one(report).first_holes] == [moments[2]]


def test_a_schedule_made_anew_does_not_answer_for_the_time_between(shop: Shop) -> None:
    shop.app.schedule(shop.task, every("10s"))
    with harness(shop.app, start=START) as time:
        time.advance("1m")
        time.run(delete(time.store, "tick"))
        time.advance("10m")
        edit(time, shop, every("10s"))
        time.advance("1m")
        sound = shop.audit(time)
        lost = [planned(time, version)[2] for version in (1, 2)]
        for moment in lost:
            forget(time, moment)
        report = shop.audit(time)
    assert sound.sound, the_one(sound).first_holes
    assert 12 <= fates(the_one(sound))["SUCCESS"] <= 14
    assert [to_micros(hole.moment) for hole in the_one(report).first_holes] == lost


def test_a_fixed_delay_that_became_a_fixed_rate_is_proven_from_there_on(shop: Shop) -> None:
    shop.app.schedule(shop.task, every("10s", delay=True))
    with harness(shop.app, start=START) as time:
        time.advance("1m")
        edit(time, shop, every("10s"))
        time.advance("1m")
        sound = the_one(shop.audit(time))
        lost = planned(time, 2)[2]
        forget(time, lost)
        report = shop.audit(time)
    assert not sound.holes
    assert 5 <= sound.by_rows <= 7 < sound.moments
    assert "fixed delay" in sound.note
    assert [to_micros(hole.moment) for hole in the_one(report).first_holes] == [lost]


def test_what_an_edit_withdrew_and_a_pause_passed_is_counted_once(shop: Shop) -> None:
    shop.app.schedule(shop.task, every("10s"))
    with harness(shop.app, start=START) as time:
        time.advance("1m")
        edit(time, shop, every("10s"), misfire="skip")
        time.run(pause(time.store, "tick", "stock-taking", None))
        time.advance("10m")
        report = shop.audit(time)
    found = the_one(report)
    assert report.sound, found.first_holes
    assert found.moments in (66, 67)
    assert found.fates["PAUSED"] >= 30  # up to when it was last written down


def test_what_an_edit_withdrew_is_told_beside_a_pause_of_other_moments(shop: Shop) -> None:
    shop.app.schedule(shop.task, every("10s"))
    with harness(shop.app, start=START) as time:
        time.advance("1m")
        edit(time, shop, every("7s"))
        time.run(pause(time.store, "tick", "stock-taking", None))
        time.advance("10m")
        report = shop.audit(time)
    found = the_one(report)
    assert report.sound, found.first_holes
    both = 600 // 70  # each tenth of the old moments, or near it, is one of the new trigger too
    assert abs(found.fates["WITHDRAWN"] - (60 - both)) <= 3


@pytest.mark.parametrize("place", [0, 3])
def test_a_moment_that_was_cancelled_ahead_is_told_by_its_run_in_a_pause(shop: Shop, place: int) -> None:
    """An operator cancels one planned run, and then pauses the schedule."""
    shop.app.schedule(shop.task, every("10s"))
    with harness(shop.app, start=START) as time:
        time.advance("1m")
        rows = time.store._tables.timetable.rows["default/tick"]
        ahead = sorted(moment for moment in rows if moment > time.store._tables.now())
        run_id = rows[ahead[place]].run_id
        time.run(time.store.move([Move(run_id=run_id, version=0, to=State.CANCELLED)]))
        time.run(pause(time.store, "tick", "stock-taking", None))
        time.advance("10m")
        report = shop.audit(time)
    found = the_one(report)
    assert report.sound, (found.first_holes, found.first_doubles)
    assert found.fates["CANCELLED"] == 1
    assert found.moments in (66, 67)


def test_a_count_that_is_used_up_leaves_nothing_to_plan(shop: Shop) -> None:
    shop.app.schedule(shop.task, every("10s"), count=3)
    with harness(shop.app, start=START) as time:
        time.advance("10m")
        sound = the_one(shop.audit(time))
        last = planned(time, 1)[-1]
        forget(time, last)
        report = shop.audit(time)
    assert fates(sound) == {"SUCCESS": 3}
    assert [to_micros(hole.moment) for hole in the_one(report).first_holes] == [last]


def test_a_range_that_reaches_out_of_the_interval_counts_what_is_within(shop: Shop) -> None:
    shop.app.schedule(shop.task, every("10s"))
    with harness(shop.app, start=START) as time:
        time.run(pause(time.store, "tick", "stock-taking", None))
        time.advance("1h")
        report = time.run(audit(time.store, START + timedelta(minutes=11), START + timedelta(minutes=13)))
    assert the_one(report).moments == 12


def test_rows_that_retention_dropped_are_no_holes(shop: Shop) -> None:
    shop.app.schedule(shop.task, every("10s"))
    with harness(shop.app, start=START) as time:
        time.advance("2m")
        keep = Retention(
            success_seconds=60.0, dead_seconds=60.0, receipt_seconds=60.0, session_seconds=60.0, rows_max=1000
        )
        time.run(time.store.purge(keep))
        report = shop.audit(time)
        lost = planned(time, 1)[-2]
        forget(time, lost)
        after = shop.audit(time)
    assert report.sound, the_one(report).first_holes
    assert "not kept" in the_one(report).note
    assert after.holes == 1


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
