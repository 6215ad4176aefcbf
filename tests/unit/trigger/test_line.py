"""The line of a schedule: numbered moments between start and end, stable jitter, stretches as one record."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shike.clock import to_micros
from shike.errors import BadTime
from shike.model import Schedule
from shike.trigger import Line, Stretch, calendar, cron, during, encode, every, once

START = to_micros(datetime(2026, 1, 1, tzinfo=UTC))
SECOND = 1_000_000
MINUTE = 60 * SECOND
HOUR = 60 * MINUTE


def line(trigger: object = None, **fields: object) -> Line:
    return Line(trigger=trigger or every("10s"), spread="mail/report", start_at=START, **fields)  # type: ignore[arg-type]


def test_moments_are_numbered_from_one_and_begin_at_the_start() -> None:
    moments = line().after(None, limit=3)
    assert [moment.at for moment in moments] == [START, START + 10 * SECOND, START + 20 * SECOND]
    assert [moment.ordinal for moment in moments] == [1, 2, 3]
    assert [moment.due_at for moment in moments] == [moment.at for moment in moments]


@given(st.lists(st.integers(1, 7), min_size=1, max_size=20))
def test_walking_in_steps_is_walking_in_one_go(limits: list[int]) -> None:
    schedule = line(cron("*/7 * * * *"), jitter_seconds=30.0)
    cursor, ordinal, walked = 0, 0, []
    for limit in limits:
        step = schedule.after(cursor, ordinal, limit=limit)
        cursor, ordinal = step[-1].at, step[-1].ordinal
        walked += step
    assert walked == schedule.after(None, limit=sum(limits))


@given(st.integers(0, 500), st.integers(0, 500))
def test_neighbouring_stretches_share_no_moment(first: int, second: int) -> None:
    """`until` is the next cursor: (cursor, until] leaves nothing out and takes nothing twice."""
    middle, end = START + first * SECOND, START + (first + second) * SECOND
    whole = line().after(None, limit=1_000, until=end)
    left = line().after(None, limit=1_000, until=middle)
    right = line().after(middle, len(left), limit=1_000, until=end)
    assert left + right == whole


def test_the_end_is_not_a_moment_and_the_count_is_the_last() -> None:
    assert len(line(end_at=START + 30 * SECOND).after(None)) == 3
    assert [moment.ordinal for moment in line(count=2).after(None)] == [1, 2]
    assert line(count=2).after(START + 10 * SECOND, 2) == []
    assert line(end_at=START + 30 * SECOND).latest(START + HOUR) == START + 20 * SECOND


def test_an_end_before_the_start_and_a_negative_jitter_are_refused() -> None:
    with pytest.raises(BadTime, match="end after it starts"):
        line(end_at=START)
    with pytest.raises(BadTime, match="negative"):
        line(jitter_seconds=-1.0)


def test_jitter_is_spread_over_its_length_and_always_the_same() -> None:
    jittered = line(cron("* * * * *"), jitter_seconds=20.0)
    delays = [moment.due_at - moment.at for moment in jittered.after(None, limit=1_000)]
    assert min(delays) >= 0 and max(delays) < 20 * SECOND
    assert abs(sum(delays) / 1_000 - 10 * SECOND) < SECOND
    assert jittered.due_at(START) == START + 9_466_211  # by the published hash, on every machine
    other = Line(trigger=jittered.trigger, spread="mail/other", start_at=START, jitter_seconds=20.0)
    assert other.due_at(START) != jittered.due_at(START)


def test_fixed_delay_gives_its_first_moment_and_then_one_for_each_end() -> None:
    schedule = line(every("10s", delay=True))
    assert schedule.after_end
    assert [moment.at for moment in schedule.after(None)] == [START]
    assert schedule.after(START, 1) == []
    following = schedule.after(START, 1, ended=START + 4 * SECOND)
    assert [(moment.at, moment.ordinal) for moment in following] == [(START + 14 * SECOND, 2)]


def test_a_fixed_delay_anchored_before_its_start_begins_at_the_start() -> None:
    assert line(every("10s", delay=True, anchor=START - HOUR)).after(None)[0].at == START


def test_h_and_intervals_are_bound_to_the_schedule() -> None:
    spread = line(cron("H H * * *")).after(None, limit=1)[0].at
    assert spread == cron("H H * * *", seed="mail/report").next(START - 1)


def test_a_long_absence_is_one_record() -> None:
    absence = line(cron("* * * * * *", seconds="first")).stretch(START, 1, until=START + 72 * HOUR)
    assert absence == Stretch(START + SECOND, START + 72 * HOUR, 72 * 3600, exact=True)
    assert line().stretch(START, 1, until=START + 9 * SECOND) is None
    assert line(every("1m", delay=True)).stretch(START, 1, until=START + HOUR) is None


@given(st.integers(0, 300), st.integers(0, 3_000), st.sampled_from([0, 5, 40]), st.sampled_from([0, 1_500]))
def test_a_stretch_tells_what_a_walk_finds(cursor: int, until: int, count: int, end: int) -> None:
    for trigger in (every("10s"), during(every("10s"), calendar(keep=["00:00-00:10", "00:20-00:30"]))):
        schedule = line(trigger, count=count, end_at=START + end * SECOND if end else 0)
        place = START + cursor * SECOND
        ordinal = len(schedule.after(None, limit=10**6, until=place))
        walked = schedule.after(place, ordinal, limit=10**6, until=START + until * SECOND)
        told = schedule.stretch(place, ordinal, until=START + until * SECOND)
        assert told == (Stretch(walked[0].at, walked[-1].at, len(walked), exact=True) if walked else None)


def test_a_stretch_that_is_too_long_to_count_goes_as_far_as_it_says() -> None:
    schedule = line(during(every("10s"), calendar(keep="00:00-12:00")))
    told = schedule.stretch(None, until=START + 240 * HOUR, cap=100)
    assert told == Stretch(START, START + 990 * SECOND, 100, exact=False)
    counted = line(every("10s"), count=500).stretch(None, until=START + 240 * HOUR, cap=100)
    assert counted == Stretch(START, START + 990 * SECOND, 100, exact=False)


def test_the_latest_moment_is_the_one_that_a_late_start_runs() -> None:
    assert line().latest(START + 25 * SECOND) == START + 20 * SECOND
    assert line().latest(START) == START
    assert line().latest(START - 1) is None


def test_a_stored_schedule_begins_when_it_was_made() -> None:
    stored = Schedule(name="mail/report", task="report", trigger=encode(every("10s")), created_at=START)
    assert [moment.at for moment in Line.of(stored).after(None, limit=2)] == [START, START + 10 * SECOND]
    spread = Schedule(name="a", task="t", trigger=encode(cron("H H * * *")), spread="b", created_at=START)
    assert Line.of(spread).spread == "b"


def test_a_single_moment_that_passed_before_it_was_stored_is_not_lost() -> None:
    stored = Schedule(name="a/b", task="t", trigger=encode(once(START)), created_at=START + 1)
    assert [moment.at for moment in Line.of(stored).after(None)] == [START]
