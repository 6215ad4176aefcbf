"""Fares are data: dated, by class and distance, for adults and others; a longer ride never costs less."""

from __future__ import annotations

from datetime import date
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shike.errors import BadFeed, UnknownTrain
from shike.rail.composition import known_trains
from shike.rail.model import Station, Trip
from shike.rail.tariff import Fare, Tariff, fare_cents, in_force, kilometres_of, known_tariffs, read_rules
from tests.unit.rail.feeds import real

(CNY,) = known_tariffs("CNY")
(EUR,) = known_tariffs("EUR")
ROUND = Tariff(
    name="round",
    currency="XXX",
    valid_from=date(2026, 1, 1),
    rounding_cents=50,
    minimum_cents=200,
    shares={Fare.ADULT: 1000, Fare.CHILD: 500},
    classes={"second": ((0, 5000), (500, 4000))},
)


@pytest.mark.parametrize(
    ("kilometres", "kind", "cents"),
    [
        (100, "adult", 5_000),
        (500, "adult", 25_000),
        (600, "adult", 29_000),  # 500 km at 0.50 and 100 at 0.40
        (600, "child", 14_500),
        (1, "adult", 200),  # the least
        (0, "adult", 200),
        (100.4, "adult", 5_000),  # 50.20 → 50.00
        (100.5, "adult", 5_050),  # 50.25 → 50.50
        (101.4, "adult", 5_050),
        (101.5, "adult", 5_100),  # 50.75 → 51.00
    ],
)
def test_a_fare_goes_by_bands_and_is_rounded(kilometres: float, kind: str, cents: int) -> None:
    assert fare_cents(ROUND, "second", kilometres, Fare(kind)) == cents


@given(st.sampled_from([CNY, EUR, ROUND]), st.data())
def test_a_longer_ride_never_costs_less_and_nobody_pays_more_than_an_adult(tariff: Tariff, data: st.DataObject) -> None:
    class_ = data.draw(st.sampled_from(sorted(tariff.classes)))
    short, long = sorted(data.draw(st.tuples(*[st.floats(0, 12_000)] * 2)))
    assert 0 <= fare_cents(tariff, class_, short) <= fare_cents(tariff, class_, long)
    assert all(fare_cents(tariff, class_, long, kind) <= fare_cents(tariff, class_, long) for kind in tariff.shares)
    assert all(fare_cents(tariff, class_, long, kind) % tariff.rounding_cents == 0 for kind in tariff.shares)


def test_kilometres_rise_along_each_real_train_and_are_near_to_those_of_the_rails() -> None:
    timetable = real().timetable
    for trip in timetable.trips:
        kilometres = kilometres_of(timetable.stations, trip)
        assert kilometres[0] == 0 and all(before <= after for before, after in pairwise(kilometres))
    leg = timetable.search("Hamburg Hbf", "München Hbf", date(2019, 5, 3))[0]
    kilometres = kilometres_of(timetable.stations, leg.departure.trip)
    assert 700 < kilometres[leg.alight] - kilometres[leg.board] < 1_100


def test_a_call_whose_place_is_unknown_lies_evenly_on_the_way() -> None:
    stations = [Station("a", "A", 0.0, 0.0), Station("b", "B"), Station("c", "C", 0.0, 2.0)]
    trip = Trip("t", "T", (0, 1, 2), (0, 1, 2), (0, 1, 2), 1)
    half, whole = kilometres_of(stations, trip)[1:]
    assert whole == pytest.approx(2 * half) and 270 < whole < 285
    with pytest.raises(UnknownTrain, match="its kilometres must be given"):
        kilometres_of(stations, Trip("t", "T", (0, 1), (0, 1), (0, 1), 1))


def test_every_class_of_every_train_has_a_fare() -> None:
    priced = {*CNY.classes, *EUR.classes}
    for composition in known_trains().compositions.values():
        assert {pool.name for pool in composition.pools()} <= priced


def test_a_class_without_a_fare_is_answered_with_those_that_have_one() -> None:
    with pytest.raises(UnknownTrain, match="has no fare of third for adult; it has second"):
        fare_cents(ROUND, "third", 10)
    with pytest.raises(UnknownTrain, match="no fare of second for student"):
        fare_cents(ROUND, "second", 10, Fare.STUDENT)


def test_the_youngest_tariff_that_holds_on_a_day_is_the_one() -> None:
    older = Tariff(
        name="old",
        currency="XXX",
        valid_from=date(2025, 1, 1),
        rounding_cents=1,
        minimum_cents=0,
        shares={},
        classes={},
    )
    assert in_force([ROUND, older], date(2025, 12, 31)).name == "old"
    assert in_force([older, ROUND], date(2026, 1, 1)).name == "round"
    with pytest.raises(UnknownTrain, match="no rules held on 2024-12-31; the first are of 2025-01-01"):
        in_force([ROUND, older], date(2024, 12, 31))


HEAD = 'version = 1\n[[tariffs]]\nname = "a"\ncurrency = "X"\nvalid_from = 2024-01-01\n'
GOOD = f"{HEAD}rounding_cents = 1\nminimum_cents = 0\nshares = {{adult = 1000}}\nclasses = {{second = [[0, 1]]}}\n"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (GOOD.replace("version = 1", "version = 3"), "must begin with version = 1"),
        ("version =", "tariffs.toml"),
        ("version = 1\n", "tariffs"),
        ("version = 1\ntariffs = []\n", "at least one"),
        (GOOD + GOOD.replace("version = 1\n", ""), "a name of its own"),
        (GOOD.replace("[[0, 1]]", "[[1, 1]]"), "must begin at 0 km and rise"),
        (GOOD.replace("[[0, 1]]", "[[0, 1], [0, 2]]"), "must begin at 0 km and rise"),
        (GOOD.replace("[[0, 1]]", "[[0, -1]]"), "no rate below 0"),
        (GOOD.replace("adult = 1000", "adult = 1001"), "0 to 1000"),
        (GOOD.replace("adult", "elder"), "elder"),
        (GOOD.replace("rounding_cents = 1", "rounding_cents = 0"), "at least 1"),
        (GOOD.replace("currency", "curency"), "curency"),
    ],
)
def test_a_broken_tariff_is_refused(text: str, words: str) -> None:
    assert read_rules(GOOD.encode(), Tariff, "tariffs", "tariffs.toml")
    with pytest.raises(BadFeed, match=words):
        read_rules(text.encode(), Tariff, "tariffs", "tariffs.toml")
