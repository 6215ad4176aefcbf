"""Reading cron expressions: what each piece of the syntax means, and what is refused (R3.11)."""

from __future__ import annotations

import calendar
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shike.bounds import CRON_CHARS_MAX
from shike.clock import to_datetime, to_micros
from shike.errors import BadInput, CronError, TriggerError, ZoneError
from shike.trigger import Cron, Disabled, cron, decode, encode
from shike.trigger.cron_parse import bits, parse

NEW_YEAR = to_micros(datetime(2026, 1, 1, tzinfo=UTC))
YEAR = 365 * 86_400_000_000


def days_of(expression: str, year: int = 2026) -> list[str]:
    start = to_micros(datetime(year, 1, 1, tzinfo=UTC))
    end = to_micros(datetime(year + 1, 1, 1, tzinfo=UTC))
    return [to_datetime(at).strftime("%m-%d") for at in cron(f"0 0 {expression}").between(start, end)]


@pytest.mark.parametrize(
    ("text", "minutes"),
    [
        ("5", [5]),
        ("1,5,3", [1, 3, 5]),
        ("10-13", [10, 11, 12, 13]),
        ("58-1", [0, 1, 58, 59]),
        ("*/20", [0, 20, 40]),
        ("10-30/10", [10, 20, 30]),
        ("50-10/10", [0, 10, 50]),
        ("55/2", [55, 57, 59]),
        ("*/90", [0]),
        ("007", [7]),
    ],
)
def test_minutes_are_lists_of_ranges_that_wrap_with_steps(text: str, minutes: list[int]) -> None:
    assert list(bits(parse(f"{text} * * * *").minutes)) == minutes


@pytest.mark.parametrize(
    ("text", "weekdays"),
    [
        ("mon-fri", [1, 2, 3, 4, 5]),
        ("fri-mon", [0, 1, 5, 6]),
        ("SAT,sun", [0, 6]),
        ("7", [0]),
        ("5-7", [0, 5, 6]),
        ("7-1", [0, 1]),
        ("7-7", [0]),
        ("0-7", [0, 1, 2, 3, 4, 5, 6]),
        ("*/2", [0, 2, 4, 6]),
        ("7/3", [0, 3, 6]),
    ],
)
def test_weekdays_have_names_and_two_numbers_for_sunday(text: str, weekdays: list[int]) -> None:
    assert list(bits(parse(f"0 0 * * {text}").week_days.mask)) == weekdays


def test_months_have_names_and_wrap_round_the_year() -> None:
    assert list(bits(parse("0 0 1 nov-feb *").months)) == [1, 2, 11, 12]
    assert list(bits(parse("0 0 1 JAN,jul *").months)) == [1, 7]


def test_last_days_and_weekdays_of_the_month() -> None:
    assert days_of("L 1-3 *") == ["01-31", "02-28", "03-31"]
    assert days_of("L 2 *", 2028) == ["02-29"]
    assert days_of("L-3 2 *") == ["02-25"]
    assert days_of("L-28 2 *", 2028) == ["02-01"]
    assert days_of("1,L 2 *") == ["02-01", "02-28"]
    assert days_of("LW 1,2 *") == ["01-30", "02-27"]
    assert days_of("* 1 5L") == ["01-30"]
    assert days_of("* 1 friL") == ["01-30"]
    assert days_of("* 1 mon#2") == ["01-12"]
    assert days_of("* 1-5 6#5") == ["01-31", "05-30"]


@pytest.mark.parametrize(
    ("text", "day"),
    [
        ("15W 8", "08-14"),  # a Saturday: the Friday before
        ("16W 8", "08-17"),  # a Sunday: the Monday after
        ("1W 8", "08-03"),  # a Saturday the 1st: not back into July
        ("31W 5", "05-29"),  # a Sunday the 31st: not on into June
        ("12W 8", "08-12"),
        ("L-1W 5", "05-29"),
    ],
)
def test_w_is_the_nearest_weekday_in_the_same_month(text: str, day: str) -> None:
    assert days_of(f"{text} *") == [day]


def test_a_31w_skips_months_that_have_no_31st() -> None:
    assert [day[:2] for day in days_of("31W * *")] == ["01", "03", "05", "07", "08", "10", "12"]


@given(st.integers(1970, 2100), st.integers(1, 12), st.integers(0, 6), st.integers(1, 5))
def test_nth_and_last_weekdays_are_where_the_stdlib_calendar_has_them(
    year: int, month: int, weekday: int, number: int
) -> None:
    column = [week[(weekday - 1) % 7] for week in calendar.monthcalendar(year, month)]
    having = [day for day in column if day]
    expected = [f"{month:02}-{having[number - 1]:02}"] if number <= len(having) else []
    assert days_of(f"* {month} {weekday}#{number}", year) == expected
    assert days_of(f"* {month} {weekday}L", year) == [f"{month:02}-{having[-1]:02}"]


def test_day_and_weekday_both_restricted_means_either() -> None:
    assert days_of("13 2 fri") == ["02-06", "02-13", "02-20", "02-27"]
    assert days_of("14 2 fri") == ["02-06", "02-13", "02-14", "02-20", "02-27"]


def test_a_field_that_begins_with_a_star_leaves_the_choice_to_the_other() -> None:
    assert days_of("*/2 2 mon") == ["02-09", "02-23"]
    assert days_of("13 2 *") == days_of("13 2 ?") == ["02-13"]
    assert days_of("? 2 mon") == ["02-02", "02-09", "02-16", "02-23"]


@pytest.mark.parametrize(
    ("nickname", "expression"),
    [
        ("@hourly", "0 * * * *"),
        ("@daily", "0 0 * * *"),
        ("@midnight", "0 0 * * *"),
        ("@weekly", "0 0 * * 0"),
        ("@monthly", "0 0 1 * *"),
        ("@yearly", "0 0 1 1 *"),
        ("@Annually", "0 0 1 1 *"),
    ],
)
def test_nicknames_stand_for_expressions(nickname: str, expression: str) -> None:
    assert parse(nickname).fields == parse(expression).fields


def test_seconds_stand_where_they_are_declared() -> None:
    first, last = cron("*/20 * * * * *", seconds="first"), cron("* * * * * */20", seconds="last")
    assert first.between(NEW_YEAR, NEW_YEAR + 60_000_000) == [NEW_YEAR + 20_000_000 * n for n in range(3)]
    assert first.between(NEW_YEAR, NEW_YEAR + YEAR, 50) == last.between(NEW_YEAR, NEW_YEAR + YEAR, 50)


def test_seven_fields_end_with_the_year() -> None:
    trigger = cron("0 0 9 1 1 ? 2027,2030", seconds="first")
    assert [to_datetime(at).year for at in trigger.between(0, NEW_YEAR + 9 * YEAR)] == [2027, 2030]
    assert trigger.next(to_micros(datetime(2031, 1, 1, tzinfo=UTC))) is None
    assert trigger.prev(NEW_YEAR) is None


def test_six_undeclared_fields_are_refused_because_programs_disagree() -> None:
    with pytest.raises(CronError, match="disagree where the seconds stand"):
        cron("0 0 9 * * *")
    with pytest.raises(CronError, match="seconds first and the year last"):
        cron("0 0 9 * * * 2026")


def test_h_spreads_by_the_seed_and_stays_there() -> None:
    places = {cron("H H * * *", seed=f"report {n}").next(NEW_YEAR) for n in range(50)}
    assert len(places) > 40
    assert cron("H H * * *", seed="a").next(NEW_YEAR) == cron("H H * * *", seed="a").next(NEW_YEAR)


@given(st.text(max_size=20))
def test_h_keeps_to_its_range_and_step(seed: str) -> None:
    assert set(bits(parse("H(10-19) * * * *", "none", seed).minutes)) <= set(range(10, 20))
    quarter = list(bits(parse("H/15 * * * *", "none", seed).minutes))
    assert quarter == list(range(quarter[0], 60, 15)) and quarter[0] < 15
    assert set(bits(parse("0 0 H * *", "none", seed).month_days.mask)) <= set(range(1, 29))


def test_h_is_bound_to_a_schedule_once() -> None:
    open_trigger = cron("H * * * *")
    bound = open_trigger.bound(0, "mail/report")
    assert bound == cron("H * * * *", seed="mail/report")
    assert bound.bound(0, "another") == bound
    assert cron("5 * * * *").bound(0, "mail/report") == cron("5 * * * *")


def test_a_minus_disables() -> None:
    trigger = cron(" - ")
    assert trigger == Disabled()
    assert trigger.next(None) is None and trigger.prev(NEW_YEAR) is None and trigger.between(0, NEW_YEAR) == []


@pytest.mark.parametrize(
    ("expression", "field", "words"),
    [
        ("60 * * * *", "minute", "0 to 59"),
        ("* 24 * * *", "hour", "0 to 23"),
        ("* * 0 * *", "day of month", "1 to 31"),
        ("* * 32 * *", "day of month", "1 to 31"),
        ("* * * 13 *", "month", "1 to 12"),
        ("* * * * 8", "day of week", "0 to 7"),
        ("* * * foo *", "month", "JAN to DEC"),
        ("* * * * mo", "day of week", "SUN to SAT"),
        ("*/0 * * * *", "minute", "a step is a number from 1"),
        ("1,,2 * * * *", "minute", "not a number"),
        ("1- * * * *", "minute", "not a number"),
        ("L * * * *", "minute", "not a number"),
        ("? * * * *", "minute", "not a number"),
        ("٣ * * * *", "minute", "not a number"),
        ("* * L-31 * *", "day of month", "no month has so many days"),
        ("* * 32W * *", "day of month", "1 to 31"),
        ("* * * * mon#6", "day of week", "#1 to #5"),
        ("* * * * mon#0", "day of week", "#1 to #5"),
        ("* * * * L", "day of week", "5L or FRIL"),
        ("H(9-3) * * * *", "minute", "does not wrap"),
        ("1+2 * * * *", "minute", "not a number, a name, a range or a step"),
        ("0 0 31 2 *", "day of month", "never run"),
        ("0 0 30 feb *", "day of month", "never run"),
        ("0 0 31 4,6,9,11 *", "day of month", "never run"),
        ("0 0 30,31 2 ?", "day of month", "never run"),
        ("0 0 L-29 2 *", "day of month", "never run"),
        ("0 0 31W 2 *", "day of month", "never run"),
        ("@reboot", "", "when your program starts"),
        ("@every 5m", "", "every\\('10m'\\)"),
        ("@fortnightly", "", "no nickname"),
        ("* * * *", "", "has 4 fields"),
        ("*", "", "has 1 field"),
        ("", "", "is empty"),
        ("* * * * * * * *", "", "has 8 fields"),
        ("0 " * CRON_CHARS_MAX, "", "at most 1000 characters"),
    ],
)
def test_what_cannot_be_read_or_never_comes_is_refused_by_name(expression: str, field: str, words: str) -> None:
    with pytest.raises(CronError, match=words) as caught:
        cron(expression)
    assert caught.value.field == field


@pytest.mark.parametrize(
    ("year", "words"), [("2030-2026", "do not wrap"), ("H", "does not spread"), ("1969", "1970 to")]
)
def test_years_neither_wrap_nor_spread(year: str, words: str) -> None:
    with pytest.raises(CronError, match=words):
        cron(f"0 0 0 1 1 ? {year}", seconds="first")


def test_a_leap_day_in_years_without_one_is_refused() -> None:
    with pytest.raises(CronError, match="never run"):
        cron("0 0 0 29 2 ? 2026,2027", seconds="first")
    assert cron("0 0 0 29 2 ? 2026-2028", seconds="first").next(NEW_YEAR) is not None


def test_rare_days_are_found_over_the_century_without_a_leap_year() -> None:
    leap = cron("30 2 29 2 *")
    after_2096 = leap.next(to_micros(datetime(2096, 3, 1, tzinfo=UTC)))
    assert after_2096 == to_micros(datetime(2104, 2, 29, 2, 30, tzinfo=UTC))
    fifth_monday = cron("0 0 * feb mon#5")
    found = fifth_monday.next(to_micros(datetime(2072, 3, 1, tzinfo=UTC)))
    assert found == to_micros(datetime(2112, 2, 29, tzinfo=UTC))


def test_wrong_kinds_of_arguments_are_bad_input() -> None:
    with pytest.raises(ZoneError, match="Europe/Berlin"):
        cron("* * * * *", tz="Europe/Berln")
    with pytest.raises(TriggerError, match="'vixie', 'once', 'skip', 'twice', 'utc'"):
        cron("* * * * *", dst="summer")
    with pytest.raises(CronError, match="'none', 'first' or 'last'"):
        cron("* * * * *", seconds="middle")  # type: ignore[arg-type]
    with pytest.raises(CronError, match="is text"):
        cron(5)  # type: ignore[arg-type]


@given(st.text(max_size=60))
def test_any_text_is_read_or_refused(text: str) -> None:
    _read_or_refuse(text)


@given(st.lists(st.text(alphabet="0123456789*/-,LW#H()?@ SUNJA", max_size=8), min_size=5, max_size=7).map(" ".join))
def test_any_text_that_looks_like_cron_is_read_or_refused(text: str) -> None:
    _read_or_refuse(text)


def _read_or_refuse(text: str) -> None:
    for seconds in ("none", "first", "last"):
        try:
            trigger = cron(text, seconds=seconds, tz="Europe/Berlin")
        except CronError:
            continue
        except BadInput as error:  # pragma: no cover - the assertion says which
            raise AssertionError(f"{text!r} raised {error!r}, not a CronError") from error
        if not isinstance(trigger, Cron):
            assert text.strip() == "-"
            continue
        assert decode(encode(trigger)) == trigger
        moment = trigger.next(NEW_YEAR)
        assert moment is None or moment > NEW_YEAR
        assert moment is not None or trigger.parsed.years
        assert trigger.describe() and trigger.describe("zh")


def test_the_search_for_a_day_that_a_policy_always_drops_ends() -> None:
    # The second Sunday of March at 02:30 is in the gap every year since 2007.
    dropped = cron("30 2 * 3 sun#2", tz="America/New_York", dst="skip")
    assert dropped.next(NEW_YEAR) is None
    assert timedelta(microseconds=NEW_YEAR - (dropped.prev(NEW_YEAR) or 0)) > timedelta(days=365 * 18)
