"""What a trigger is about to do: moments on two clocks, days of weeks, days on which the clock is set."""

from __future__ import annotations

from datetime import UTC, date, datetime

from shike.clock import to_micros
from shike.operate.outlook import outlook
from shike.trigger import cron, every
from shike.trigger.line import Line

NOW = to_micros(datetime(2026, 3, 4, 12, tzinfo=UTC))


def test_moments_days_and_the_clock_that_is_set() -> None:
    found = outlook(Line(trigger=cron("30 2 * * *", tz="Europe/Berlin"), spread="a", start_at=NOW), NOW)
    assert found.tz == "Europe/Berlin" and found.next[0].there == "2026-03-05 02:30:00" and found.next[0].weekday == 3
    days = [day for week in found.weeks for day in week]
    assert len(days) == 42 and days[0].day == date(2026, 3, 2) and days[0].is_past and not days[0].runs
    assert not days[2].runs, "today's was before now"
    assert sum(day.runs for day in days) == 39
    (spring,) = [day for day in days if day.change is not None]
    assert spring.day == date(2026, 3, 29) and spring.change is not None and spring.change.kind == "gap"
    assert [one.kind for one in found.changes] == ["gap", "repeat"]
    assert found.changes[0].touched == 1 and found.changes[0].runs and not found.changes[1].runs


def test_a_fixed_delay_follows_its_runs_and_a_fixed_rate_has_no_zone() -> None:
    assert outlook(Line(trigger=every("5m", delay=True), spread="a", start_at=NOW), NOW).follows_runs
    found = outlook(Line(trigger=every("12h"), spread="a", start_at=NOW), NOW)
    assert found.tz == "UTC" and [one.at.hour for one in found.next[:2]] == [0, 12]
    ended = outlook(Line(trigger=every("12h"), spread="a", start_at=NOW, end_at=NOW + 1), NOW)
    assert ended.next == () and not any(day.runs for week in ended.weeks for day in week)
