"""Calendars keep or exclude dates, weekdays and hours (R3.12)."""

from __future__ import annotations

from datetime import UTC, datetime
from random import Random
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shike.clock import to_micros
from shike.errors import TriggerError, ZoneError
from shike.trigger import Calendar, calendar

BERLIN = ZoneInfo("Europe/Berlin")
MINUTE = 60_000_000
DAY = 1440 * MINUTE
RULES = ["mon-fri", "fri-mon", "sat,sun", "09:00-17:30", "22:00-06:00", "02:00-03:00", "12:00-24:00"]
RULES += ["2026-03-29", "2026-10-24/2026-10-26", "10-25", "02-29", "01-01"]


def at(year: int, month: int, day: int, hour: int = 0, minute: int = 0) -> int:
    return to_micros(datetime(year, month, day, hour, minute, tzinfo=BERLIN))


def test_office_hours() -> None:
    office = calendar(keep=["mon-fri", "09:00-17:30"], exclude=["12-25", "12:00-13:00"], tz="Europe/Berlin")
    assert office.is_open(at(2026, 11, 23, 9))
    assert not office.is_open(at(2026, 11, 23, 9) - 1)
    assert not office.is_open(at(2026, 11, 23, 17, 30))
    assert not office.is_open(at(2026, 11, 23, 12, 30))
    assert not office.is_open(at(2026, 11, 22, 10))
    assert not office.is_open(at(2026, 12, 25, 10))
    assert office.next_open(at(2026, 11, 20, 17, 30)) == at(2026, 11, 23, 9)
    assert office.next_open(at(2026, 11, 23, 12, 1)) == at(2026, 11, 23, 13)
    assert office.prev_open(at(2026, 11, 23, 8)) == at(2026, 11, 20, 17, 30) - 1


def test_hours_may_cross_midnight() -> None:
    night = calendar(keep="22:00-06:00", tz="Europe/Berlin")
    assert night.is_open(at(2026, 11, 23, 23)) and night.is_open(at(2026, 11, 23, 5, 59))
    assert not night.is_open(at(2026, 11, 23, 6)) and not night.is_open(at(2026, 11, 23, 21, 59))


def test_kept_dates_of_one_year_come_to_an_end() -> None:
    fair = calendar(keep=["2026-05-04/2026-05-06", "mon-tue"])
    assert fair.next_open(to_micros(datetime(2026, 1, 1, tzinfo=UTC))) == to_micros(datetime(2026, 5, 4, tzinfo=UTC))
    assert fair.next_open(to_micros(datetime(2026, 5, 6, tzinfo=UTC))) is None
    assert fair.prev_open(to_micros(datetime(2026, 5, 4, tzinfo=UTC)) - 1) is None


def test_hours_that_the_clock_shows_twice_are_open_twice() -> None:
    new_york = ZoneInfo("America/New_York")
    again = to_micros(datetime(2026, 11, 1, 1, 0, fold=1, tzinfo=new_york))
    late = calendar(keep="01:30-02:00", tz="America/New_York")
    assert late.next_open(again) == again + 30 * MINUTE
    assert late.prev_open(again + 10 * MINUTE) == again - 1
    early = calendar(keep="01:00-01:30", tz="America/New_York")
    assert early.next_open(again - 20 * MINUTE) == again
    berlin = to_micros(datetime(2026, 10, 25, 2, 0, fold=1, tzinfo=BERLIN))
    assert calendar(keep="02:00-02:30", tz="Europe/Berlin").next_open(berlin - 20 * MINUTE) == berlin
    last = calendar(keep=["2026-10-25", "02:00-02:30"], tz="Europe/Berlin")
    assert last.next_open(berlin - 20 * MINUTE) == berlin
    assert last.next_open(berlin + 30 * MINUTE) is None


def test_a_jump_over_the_opening_hours_waits_for_the_next_day() -> None:
    gap_day = at(2026, 3, 29)
    assert calendar(keep="02:00-03:00", tz="Europe/Berlin").next_open(gap_day) == at(2026, 3, 30, 2)


def test_there_is_nothing_before_1970_and_no_search_without_end() -> None:
    assert calendar(keep="09:00-10:00").prev_open(8 * 60 * MINUTE) is None
    dropped = calendar(keep=["03-14", "mon", "2026-01-05"])
    assert dropped.prev_open(at(2026, 1, 5) - DAY) is not None


def test_an_empty_calendar_is_always_open() -> None:
    assert calendar().is_open(0) and calendar().next_open(7) == 7 and calendar().prev_open(7) == 7


@pytest.mark.parametrize(
    ("keep", "exclude"),
    [
        (["25:00-26:00"], []),
        (["09:61-10:00"], []),
        (["2026-13-01"], []),
        (["2026-02-30"], []),
        (["02-30"], []),
        (["2026-05-06/2026-05-04"], []),
        (["2026-01-01/2046-01-01"], []),
        (["weekend"], []),
        (["mon-foo"], []),
        ([""], []),
        (["09:00-10:00"], ["08:00-11:00"]),
        (["sat"], ["fri-sun"]),
        ([5], []),
    ],
)
def test_a_rule_that_cannot_be_read_or_leaves_nothing_is_refused(keep: list[str], exclude: list[str]) -> None:
    with pytest.raises(TriggerError, match="calendar"):
        calendar(keep=keep, exclude=exclude)


def test_an_unknown_zone_is_refused() -> None:
    with pytest.raises(ZoneError):
        calendar(tz="Nowhere/Land")


def open_by_oracle(keep: list[str], exclude: list[str], wall: datetime) -> bool:
    """The sentence of `Calendar`, read out loud."""
    kinds = {"hours": r":", "weekdays": r"[a-z]", "dates": r"^[^:a-z]*$"}
    import re

    for pattern in kinds.values():
        rules = [rule for rule in keep if re.search(pattern, rule)]
        if rules and not any(_fits(rule, wall) for rule in rules):
            return False
    return not any(_fits(rule, wall) for rule in exclude)


def _fits(rule: str, wall: datetime) -> bool:
    clock, date = wall.strftime("%H:%M"), wall.strftime("%Y-%m-%d")
    if ":" in rule:
        start, end = rule.split("-")
        return start <= clock < end if start < end else clock >= start or clock < end
    if rule[0].isalpha():
        weeks = {"mon-fri": "12345", "fri-mon": "5671", "sat,sun": "67"}
        return str(wall.isoweekday()) in weeks[rule]
    if "/" in rule:
        first, last = rule.split("/")
        return first <= date <= last
    return date.endswith(rule)


@given(
    st.lists(st.sampled_from(RULES), max_size=4),
    st.lists(st.sampled_from(RULES), max_size=2),
    st.sampled_from([(2026, 3, 27), (2026, 10, 23), (2026, 12, 30), (2028, 2, 27)]),
    st.integers(0, 10_000),
)
def test_openings_are_where_a_scan_finds_them(
    keep: list[str], exclude: list[str], day: tuple[int, int, int], seed: int
) -> None:
    try:
        rules = Calendar("Europe/Berlin", tuple(keep), tuple(exclude))
    except TriggerError:
        return
    start = at(*day)
    scan = []
    for number in range(0, 4 * 1440, 30):
        wall = datetime.fromtimestamp((start + number * MINUTE) // 1_000_000, BERLIN)
        scan.append(open_by_oracle(keep, exclude, wall))
        assert rules.is_open(start + number * MINUTE) == scan[-1], wall
    place = Random(seed).randrange(len(scan))
    opening = rules.next_open(start + place * 30 * MINUTE)
    expected = next((n for n in range(place, len(scan)) if scan[n]), None)
    if expected is not None:
        assert opening == start + expected * 30 * MINUTE
    else:
        assert opening is None or opening >= start + 4 * DAY
    closing = rules.prev_open(start + place * 30 * MINUTE)
    earlier = next((n for n in range(place, -1, -1) if scan[n]), None)
    if earlier == place:
        assert closing == start + place * 30 * MINUTE
    elif earlier is not None:
        assert closing == start + (earlier + 1) * 30 * MINUTE - 1
    else:
        assert closing is None or closing < start
