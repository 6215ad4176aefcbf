"""Combined triggers are sets of moments: joined, met, subtracted, filtered by calendars."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shike.errors import TriggerError
from shike.trigger import (
    AnyTrigger,
    all_of,
    any_of,
    calendar,
    cron,
    decode,
    during,
    encode,
    every,
    except_for,
    once,
)

SECOND = 1_000_000
HOUR = 3600 * SECOND
END = 3 * 24 * HOUR

simple = st.one_of(
    st.builds(lambda n, k: every(n * 600, anchor=k * 300 * SECOND), st.integers(1, 20), st.integers(0, 9)),
    st.sampled_from(["*/15 * * * *", "0 * * * *", "30 9-12 * * *", "0 0 * * fri", "5,35 */3 * * *"]).map(cron),
    st.integers(0, 3 * 24 * 12).map(lambda n: once(n * 300 * SECOND)),
)


@pytest.fixture(autouse=True, scope="module")
def short_searches() -> Iterator[None]:
    """No pair of triggers here is apart for longer than a window; the full search only costs time."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("shike.trigger.combine.SEARCH_CANDIDATES", 1_500)
        yield


def listed(trigger: AnyTrigger) -> set[int]:
    return set(trigger.between(0, END))


def backwards(trigger: AnyTrigger) -> set[int]:
    found = set()
    moment = trigger.prev(END)
    while moment is not None:
        found.add(moment)
        moment = trigger.prev(moment)
    return found


def quietly(trigger: AnyTrigger) -> set[int] | None:
    """The moments; None where the trigger says that its parts never meet."""
    try:
        return listed(trigger)
    except TriggerError:
        return None


@given(st.lists(simple, min_size=1, max_size=4))
def test_any_of_is_the_union(parts: list[AnyTrigger]) -> None:
    trigger = any_of(*parts)
    expected = set().union(*map(listed, parts))
    assert listed(trigger) == backwards(trigger) == expected
    assert trigger.count(0, END) == (len(expected), True)


@given(st.lists(simple, min_size=1, max_size=3))
def test_all_of_is_the_intersection(parts: list[AnyTrigger]) -> None:
    expected = set.intersection(*map(listed, parts))
    trigger = all_of(*parts)
    assert quietly(trigger) in (expected, None)
    assert quietly(trigger) is not None or not expected


@given(simple, simple)
def test_except_is_the_difference(base: AnyTrigger, minus: AnyTrigger) -> None:
    trigger = except_for(base, minus)
    assert quietly(trigger) in (listed(base) - listed(minus), None)


@given(simple, st.sampled_from(["thu,fri", "09:00-10:00", "23:00-01:00", "1970-01-02"]))
def test_during_keeps_what_falls_into_open_hours(base: AnyTrigger, rule: str) -> None:
    open_hours = calendar(keep=rule)
    trigger = during(base, open_hours)
    expected = {at for at in listed(base) if open_hours.is_open(at)}
    assert quietly(trigger) in (expected, None)
    assert backwards(trigger) == expected


def test_parts_that_meet_rarely_are_found_backwards_too() -> None:
    trigger = all_of(every("7m", anchor=0), every("11m", anchor=0))
    assert trigger.next(1) == 77 * 60 * SECOND == trigger.prev(78 * 60 * SECOND)
    rest = except_for(every("10m", anchor=0), every("30m", anchor=0))
    assert rest.prev(30 * 60 * SECOND + 1) == 20 * 60 * SECOND


def test_the_last_open_microsecond_may_be_a_moment() -> None:
    trigger = during(every("1h", anchor=HOUR - 1), calendar(keep="09:00-10:00"))
    assert trigger.prev(12 * HOUR) == 10 * HOUR - 1
    assert trigger.next(0) == 10 * HOUR - 1


def test_where_one_part_ends_the_combination_ends() -> None:
    single = once(2 * HOUR)
    assert all_of(single, every("1h", anchor=0)).next(2 * HOUR) is None
    assert all_of(every("1h", anchor=0), single).next(2 * HOUR) is None
    assert all_of(single, every("1h", anchor=0)).prev(2 * HOUR) is None
    assert all_of(every("1h", anchor=0), single).prev(2 * HOUR) is None
    assert all_of(single, every("1h", anchor=0)).prev(2 * HOUR + 1) == 2 * HOUR
    assert during(single, calendar(keep="2026-01-01")).prev(9 * HOUR) is None


def test_what_never_meets_says_so_instead_of_searching_for_ever() -> None:
    even, odd = every(2, anchor=0), every(2, anchor=SECOND)
    with pytest.raises(TriggerError, match="never to meet"):
        all_of(even, odd).next(0)
    with pytest.raises(TriggerError, match="never to meet"):
        except_for(even, every(1, anchor=0)).next(0)
    with pytest.raises(TriggerError, match="never to meet"):
        during(cron("0 3 * * *"), calendar(keep="09:00-10:00")).next(0)
    with pytest.raises(TriggerError, match="never to meet"):
        during(even, calendar(keep="mon"), calendar(keep="tue")).next(0)
    with pytest.raises(TriggerError, match="never to meet"):
        all_of(even, odd).prev(HOUR)
    with pytest.raises(TriggerError, match="never to meet"):
        except_for(even, every(1, anchor=0)).prev(HOUR)
    with pytest.raises(TriggerError, match="never to meet"):
        during(cron("0 3 * * *"), calendar(keep="09:00-10:00")).prev(10**6 * HOUR)
    with pytest.raises(TriggerError, match="at most 64 calendars"):
        during(even, *[calendar(keep="mon")] * 65)


@pytest.mark.parametrize(
    "combine",
    [
        lambda: any_of("* * * * *"),  # type: ignore[arg-type]
        lambda: all_of(every("1h"), None),  # type: ignore[arg-type]
        lambda: except_for(every("1h"), calendar(keep="mon")),  # type: ignore[arg-type]
        lambda: during("* * * * *", calendar(keep="mon")),  # type: ignore[arg-type]
    ],
)
def test_what_is_no_trigger_is_refused_where_it_is_combined(combine: Callable[[], object]) -> None:
    with pytest.raises(TriggerError, match="is no trigger; write cron"):
        combine()


def test_what_is_no_calendar_is_refused_where_it_is_given() -> None:
    with pytest.raises(TriggerError, match="'mon-fri' is no calendar"):
        during(every("1h"), "mon-fri")  # type: ignore[arg-type]


def test_a_fixed_delay_waits_for_the_opening_but_cannot_be_combined() -> None:
    delay = every("10m", delay=True, anchor=9 * HOUR)
    trigger = during(delay, calendar(keep="09:00-10:00"))
    assert trigger.after_end
    assert trigger.next(None) == 9 * HOUR
    assert trigger.next(9 * HOUR, ended=9 * HOUR + HOUR // 2) == 9 * HOUR + HOUR * 2 // 3
    assert trigger.next(9 * HOUR, ended=10 * HOUR) == 33 * HOUR
    for combine in (any_of, all_of):
        with pytest.raises(TriggerError, match="fixed delay"):
            combine(delay)
    with pytest.raises(TriggerError, match="fixed delay"):
        except_for(every("1m"), delay)


def test_combinations_are_bounded() -> None:
    with pytest.raises(TriggerError, match="1 to 64"):
        any_of()
    with pytest.raises(TriggerError, match="1 to 64"):
        any_of(*[once(at) for at in range(65)])
    deep: AnyTrigger = once(0)
    with pytest.raises(TriggerError, match="deeper than 8"):
        for _ in range(20):
            deep = any_of(deep)


def test_binding_reaches_every_part() -> None:
    open_parts = except_for(
        any_of(during(every("1h"), calendar(keep="mon-fri")), all_of(cron("H * * * *"))), cron("H 3 * * *")
    )
    closed = any_of(during(every("1h", anchor=5), calendar(keep="mon-fri")), all_of(cron("H * * * *", seed="s")))
    assert open_parts.bound(5, "s") == except_for(closed, cron("H 3 * * *", seed="s"))


@given(
    st.recursive(simple, lambda parts: st.lists(parts, min_size=1, max_size=3).map(lambda p: any_of(*p)), max_leaves=6)
)
def test_what_is_stored_is_read_back(trigger: AnyTrigger) -> None:
    assert decode(encode(trigger)) == trigger


@pytest.mark.parametrize(
    ("stored", "words"),
    [
        (b"", "no stored trigger"),
        (b"[]", "no stored trigger"),
        (b'{"kind":"lunar"}', "lunar"),
        (b'{"kind":"cron","expression":"0 0 31 2 *"}', "never run"),
        (b'{"kind":"cron","expression":"0 0 1 1 *","tz":"Mars/Base"}', "no time zone"),
        (b'{"kind":"every","interval_micros":0}', "at least 1ms"),
        (b'{"kind":"during","trigger":{"kind":"once","at":1},"calendars":[{"keep":["x"]}]}', "calendar rule"),
        (b'{"kind":"anyof","triggers":[' * 100_000, "no stored trigger"),
    ],
)
def test_a_damaged_row_is_a_trigger_error(stored: bytes, words: str) -> None:
    with pytest.raises(TriggerError, match=words):
        decode(stored)


def test_the_stored_form_stays_the_same() -> None:
    trigger = during(cron("0 9 * * mon-fri", tz="Asia/Shanghai"), calendar(exclude=["01-01"]))
    assert encode(trigger) == (
        b'{"kind":"during","trigger":{"kind":"cron","expression":"0 9 * * mon-fri","tz":"Asia/Shanghai"},'
        b'"calendars":[{"exclude":["01-01"]}]}'
    )
    assert encode(every("1s", delay=True)) == b'{"kind":"every","interval_micros":1000000,"delay":true}'
