"""The audit across edits, pauses, deletions and retention: every version answers for its own moments (P7)."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from shike.audit import audit
from shike.clock import to_micros
from shike.model import State
from shike.operate.schedules import delete, pause
from shike.store.verbs import Move
from shike.testing import Harness, harness
from shike.trigger import every
from tests.unit.shop import START, Shop, edit, fates, forget, planned, retention, the_one


@pytest.fixture
def shop() -> Shop:
    return Shop()


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


def change_ahead(time: Harness, place: int, to: State, **fields: Any) -> None:
    """An operator changes one run that is planned ahead."""
    rows = time.store._tables.timetable.rows["default/tick"]
    ahead = sorted(moment for moment in rows if moment > time.store._tables.now())
    time.run(time.store.move([Move(run_id=rows[ahead[place]].run_id, version=0, to=to, **fields)]))


@pytest.mark.parametrize("place", [0, 3])
@pytest.mark.parametrize("history_seconds", [1.0, 1e9])
def test_a_moment_that_was_cancelled_ahead_is_told_by_its_run_in_a_pause(
    shop: Shop, place: int, history_seconds: float
) -> None:
    shop.app.schedule(shop.task, every("10s"))
    with harness(shop.app, start=START) as time:
        time.advance("1m")
        change_ahead(time, place, State.CANCELLED)
        time.run(pause(time.store, "tick", "stock-taking", None))
        time.advance("10m")
        time.run(time.store.purge(retention(success_seconds=history_seconds)))
        report = shop.audit(time)
    found = the_one(report)
    assert report.sound, (found.first_holes, found.first_doubles)
    assert found.fates["CANCELLED"] == 1
    assert found.moments in (66, 67)


@pytest.mark.parametrize("place", [0, 3])
def test_a_moment_that_was_promoted_is_told_by_its_run_in_a_pause(shop: Shop, place: int) -> None:
    shop.app.schedule(shop.task, every("10s"))
    with harness(shop.app, start=START) as time:
        time.advance("1m")
        change_ahead(time, place, State.SCHEDULED, run_at=time.store._tables.now())
        time.advance("1s")
        time.run(pause(time.store, "tick", "stock-taking", None))
        time.advance("10m")
        report = shop.audit(time)
    found = the_one(report)
    assert report.sound, (found.first_holes, found.first_doubles)
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
        time.run(time.store.purge(retention(success_seconds=60.0, dead_seconds=60.0)))
        report = shop.audit(time)
        lost = planned(time, 1)[-2]
        forget(time, lost)
        after = shop.audit(time)
    assert report.sound, the_one(report).first_holes
    assert "not kept" in the_one(report).note
    assert after.holes == 1
