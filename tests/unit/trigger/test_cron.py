"""Cron as a function of time: its directions agree with one another, and with cronsim where that has the syntax."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from random import Random
from zoneinfo import ZoneInfo

import pytest
from cronsim import CronSim
from hypothesis import given
from hypothesis import strategies as st

from shike.clock import WALL_MAX, to_datetime, to_micros
from shike.errors import BadTime
from shike.trigger import DST, Cron, cron
from tests.unit.trigger.oracle import random_fields

SECOND = 1_000_000
DAY = 86_400 * SECOND
ZONES = ["UTC", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Asia/Shanghai", "Africa/Casablanca"]
instants = st.integers(0, to_micros(datetime(2100, 1, 1, tzinfo=UTC)))


@st.composite
def crons(draw: st.DrawFn) -> Cron:
    text = random_fields(Random(draw(st.integers(0, 10_000)))).text
    if draw(st.booleans()):
        text, seconds = f"{draw(st.sampled_from(['0', '*/7', '59', '13,14', '*']))} {text}", "first"
    else:
        seconds = "none"
    trigger = cron(text, seconds=seconds, tz=draw(st.sampled_from(ZONES)), dst=draw(st.sampled_from(DST)))  # type: ignore[arg-type]
    assert isinstance(trigger, Cron)
    return trigger


@given(crons(), instants)
def test_next_is_later_and_prev_leads_back_to_it(trigger: Cron, at: int) -> None:
    moment = trigger.next(at)
    assert moment is not None and moment > at
    assert trigger.matches(moment)
    assert trigger.prev(moment + 1) == moment
    before = trigger.prev(moment)
    assert before is None or (before <= at and trigger.next(before) == moment)


@given(crons(), instants, st.integers(0, 10 * DAY))
def test_between_and_count_are_repeated_next(trigger: Cron, start: int, length: int) -> None:
    listed = trigger.between(start, start + length, limit=200)
    assert listed == sorted(set(listed))
    assert all(start <= at < start + length for at in listed)
    counted = trigger.count(start, start + length)
    assert counted.exact
    assert counted.moments == len(listed) or (len(listed) == 200 and counted.moments > 200)
    moment, stepped = trigger.next(start - 1), []
    while moment is not None and moment < start + length and len(stepped) < 200:
        stepped.append(moment)
        moment = trigger.next(moment)
    assert stepped == listed


@given(crons(), st.lists(instants, min_size=3, max_size=3).map(sorted))
def test_counts_add_up(trigger: Cron, ends: list[int]) -> None:
    first, middle, last = ends
    parts = trigger.count(first, middle).moments + trigger.count(middle, last).moments
    assert trigger.count(first, last).moments == parts


@given(crons(), instants)
def test_matches_says_what_next_says(trigger: Cron, at: int) -> None:
    at -= at % SECOND
    assert trigger.matches(at) == (trigger.next(at - 1) == at)
    assert not trigger.matches(at + 1)


def test_the_very_first_moment_is_in_1970() -> None:
    assert cron("0 0 * * *").next(None) == 0
    assert cron("0 0 * * *").next(-5 * DAY) == 0
    assert cron("0 0 * * *").prev(0) is None
    assert cron("0 20 * * *", tz="America/New_York").next(None) == 3600 * SECOND
    assert cron("0 20 31 12 *", tz="America/New_York").next(None) == 3600 * SECOND


def test_the_first_evening_of_1970_utc_is_the_last_of_1969_in_the_west() -> None:
    trigger = cron("0 20 31 12 *", tz="America/New_York")
    assert trigger.prev(5 * DAY) == 3600 * SECOND
    assert trigger.prev(3600 * SECOND) is None
    assert trigger.count(0, 5 * DAY) == (1, True)


def test_there_is_an_end_of_time() -> None:
    assert cron("0 0 * * *").next(WALL_MAX) is None
    assert cron("* * * * *", tz="Europe/Berlin").next(WALL_MAX) is None
    assert cron("0 0 * * *").prev(WALL_MAX * 2) == WALL_MAX


def test_a_moment_between_seconds_rounds_to_the_following_one() -> None:
    minute = cron("* * * * *")
    assert minute.next(59 * SECOND + 999_999) == 60 * SECOND
    assert minute.next(60 * SECOND) == 120 * SECOND
    assert minute.prev(60 * SECOND + 1) == 60 * SECOND
    assert minute.prev(60 * SECOND) == 0


@pytest.mark.parametrize(
    ("policy", "gap", "repeat"),
    [
        ("vixie", ["2026-03-29T03:00:00+02:00"], ["2026-10-25T02:30:00+02:00"]),
        ("once", ["2026-03-29T03:00:00+02:00"], ["2026-10-25T02:30:00+02:00"]),
        ("skip", [], ["2026-10-25T02:30:00+02:00"]),
        ("twice", [], ["2026-10-25T02:30:00+02:00", "2026-10-25T02:30:00+01:00"]),
        ("utc", ["2026-03-29T04:30:00+02:00"], ["2026-10-25T03:30:00+01:00"]),
    ],
)
def test_each_policy_treats_half_past_two_in_berlin_as_its_sentence_says(
    policy: str, gap: list[str], repeat: list[str]
) -> None:
    berlin = ZoneInfo("Europe/Berlin")
    trigger = cron("30 2 * * *", tz="Europe/Berlin", dst=policy)
    for day, expected in ((datetime(2026, 3, 29, tzinfo=berlin), gap), (datetime(2026, 10, 25, tzinfo=berlin), repeat)):
        moments = trigger.between(to_micros(day), to_micros(day + timedelta(days=1)))
        assert [to_datetime(at).astimezone(berlin).isoformat() for at in moments] == expected


def test_several_times_in_one_gap_happen_once_at_its_end() -> None:
    day = to_micros(datetime(2026, 3, 29, tzinfo=UTC))
    trigger = cron("0,15,30,45 2,3 * * *", tz="Europe/Berlin")
    assert [to_datetime(at).strftime("%H:%M") for at in trigger.between(day, day + DAY)] == [
        "01:00",
        "01:15",
        "01:30",
        "01:45",
    ]


@pytest.mark.parametrize("seed", range(4))
def test_agrees_with_cronsim_where_both_have_the_syntax(seed: int) -> None:
    random = Random(seed)
    for _ in range(15):
        zone = random.choice(ZONES)
        text = random_fields(random).text
        start = datetime(2026, random.choice([3, 10]), random.randint(1, 28), random.randrange(24), tzinfo=UTC)
        theirs = CronSim(text, start.astimezone(ZoneInfo(zone)))
        ours, moment = cron(text, tz=zone), to_micros(start)
        for _ in range(20):
            following = ours.next(moment)
            assert following is not None
            moment = following
            assert to_datetime(moment) == next(theirs).astimezone(UTC), (text, zone, start)


def test_naive_times_never_reach_a_trigger() -> None:
    with pytest.raises(BadTime, match="no time zone"):
        to_micros(datetime(2026, 1, 1))
