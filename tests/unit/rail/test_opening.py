"""From a departure to the ledger that sells it: R1.2, R1.4, R1.14."""

from __future__ import annotations

import pytest

from shike.errors import BadOrder, BadTrip, UnknownStation
from shike.rail.composition import known_trains
from shike.rail.opening import MICROS, OFFLINE, ONLINE, allotment_rules, line_of, opening, products
from shike.rail.timetable import sections
from shike.reserve.model import Measure, RuleKind
from tests.unit.rail.feeds import real
from tests.unit.rail.trains import D31, d31, g71

KNOWN = known_trains()


def test_g71_sells_136_rides_in_three_classes_408_products() -> None:
    timetable, departure = g71()
    assert len(departure.trip.stations) == 17 and departure.trip.segments == 16
    assert len(sections(departure.trip)) == 136
    assert len(products(departure, KNOWN.of("G71"))) == len(set(products(departure, KNOWN.of("G71")))) == 408
    assert timetable.section(departure, "北京西", "深圳北")[3:] == (0, 16)


def test_the_line_names_the_calls_and_says_until_when_each_may_be_boarded() -> None:
    timetable, departure = g71()
    line = line_of(timetable, departure)
    assert line.segments == 16 and line.labels[0] == "北京西" and line.labels[-1] == "深圳北"
    assert line.times[3] == departure.departs_at(3) - 300 * MICROS
    assert list(line.times) == sorted(line.times)


def test_a_station_that_is_called_at_twice_is_two_places_of_the_line() -> None:
    timetable = real().timetable
    departure = next(
        one
        for number in range(300)
        for one in timetable.departures(type(timetable.first_day).fromordinal(timetable.first_day.toordinal() + number))
        if one.trip.id == "266"
    )
    labels = line_of(timetable, departure).labels
    assert labels[10] == "Frankfurt(M) Flughafen Fernbf" and labels[12] == "Frankfurt(M) Flughafen Fernbf (2)"
    assert len(set(labels)) == len(labels)


def test_every_departure_of_a_real_day_makes_a_line_of_rising_times() -> None:
    timetable = real().timetable
    departures = timetable.departures(timetable.first_day.replace(year=2019, month=3, day=31))
    for departure in departures:
        line = line_of(timetable, departure)
        assert len(line.times) == len(line.labels) == len(set(line.labels))
        assert list(line.times) == sorted(line.times)
    assert len(departures) > 600


def test_the_share_that_is_sold_online_and_the_rest_are_two_rules_that_make_up_the_class() -> None:
    timetable, departure = g71()
    open_ = opening(
        timetable, departure, KNOWN.of("G71"), at=1, opens_at=2, online_permille={"second": 400, "business": 333}
    )
    assert [(rule.channels, rule.count) for rule in open_.rules if rule.pools == ("second",)] == [
        ((ONLINE,), 200),
        ((OFFLINE,), 300),
    ]
    assert [(rule.channels, rule.count) for rule in open_.rules if rule.pools == ("business",)] == [
        ((ONLINE,), 6),
        ((OFFLINE,), 14),
    ]
    assert all((rule.start, rule.end, rule.measure) == (0, 16, Measure.THICKNESS) for rule in open_.rules)
    assert {rule.kind for rule in open_.rules} == {RuleKind.MAX} and len(open_.rules) == 4


def test_opening_is_the_same_command_each_time() -> None:
    timetable, departure = g71()
    first, second = (opening(timetable, departure, KNOWN.of("G71"), at=1, opens_at=2) for _ in range(2))
    assert first == second and first.id == "open/G71/2026-11-22/1"
    assert {(sale.channel, sale.opens_at) for sale in first.sales} == {(ONLINE, 2), (OFFLINE, 2)}


def test_places_to_stand_are_sold_at_stations_unless_shared_out() -> None:
    timetable, departure = g71()
    night = KNOWN.of("Z21")
    rules = opening(timetable, departure, night, at=1, opens_at=2).rules
    assert [(rule.name, rule.count) for rule in rules] == [
        ("online share of standing", 0),
        ("offline share of standing", 40),
    ]
    shared = opening(timetable, departure, night, at=1, opens_at=2, online_permille={"standing": 500}).rules
    assert [rule.count for rule in shared] == [20, 20]


def test_d31_allots_765_seats_to_stations_and_a_station_without_one_boards_nobody() -> None:
    timetable, departure = d31()
    (second,) = KNOWN.of("D31").pools()
    seats = dict(zip(D31, [260, 80, 76, 120, 150, 79], strict=False))
    assert sum(seats.values()) == second.size == 765
    rules = allotment_rules(timetable, departure, second, seats)
    assert [(rule.kind, rule.start, rule.count) for rule in rules] == [
        (RuleKind.BOARD, position, count) for position, count in enumerate(seats.values())
    ]
    few = allotment_rules(timetable, departure, second, {"北京南": 700, "济南西": 65})
    assert [rule.count for rule in few] == [700, 0, 65, 0, 0, 0]
    some = allotment_rules(timetable, departure, second, {"北京南": 260})
    assert [(rule.start, rule.count) for rule in some] == [(0, 260)]


def test_shares_and_allotments_that_cannot_be_are_refused() -> None:
    timetable, departure = d31()
    (second,) = KNOWN.of("D31").pools()
    for shares, words in (
        ({"secnd": 400}, "no class 'secnd'"),
        ({"second": 1001}, "give 0 to 1000"),
        ({"second": -1}, "give 0"),
    ):
        with pytest.raises(BadOrder, match=words):
            opening(timetable, departure, KNOWN.of("D31"), at=1, opens_at=2, online_permille=shares)
    with pytest.raises(BadOrder, match="766 seats cannot be allotted: second has 765"):
        allotment_rules(timetable, departure, second, {"北京南": 700, "济南西": 66})
    with pytest.raises(BadOrder, match="each station 0 or more"):
        allotment_rules(timetable, departure, second, {"北京南": -1})
    with pytest.raises(BadTrip, match="nobody boards D31/2026-11-22/1 at 上海虹桥"):
        allotment_rules(timetable, departure, second, {"上海虹桥": 1})
    with pytest.raises(UnknownStation):
        allotment_rules(timetable, departure, second, {"Atlantis": 1})
    with pytest.raises(BadTrip, match="no class 'first' to allot"):
        opening(timetable, departure, KNOWN.of("D31"), at=1, opens_at=2, allotments={"first": {"北京南": 1}})
