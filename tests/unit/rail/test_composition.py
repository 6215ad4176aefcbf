"""R1.4, R1.7: carriages, their seats and berths, and the pools that the ledger is told of."""

from __future__ import annotations

from collections import Counter
from importlib.resources import files
from typing import Any

import pytest

from shike.errors import BadFeed, UnknownTrain
from shike.rail.carriage import Carriage, seat_kinds
from shike.rail.composition import STANDING, Car, Composition, class_of, known_trains, read_trains
from shike.reserve.model import Binding, Pool
from tests.unit.rail.feeds import real

KNOWN = known_trains()


def pool(train: str, name: str) -> Pool:
    return next(pool for pool in KNOWN.of(train).pools() if pool.name == name)


def test_g71_has_20_200_and_500_seats() -> None:
    composition = KNOWN.of("G71")
    assert {one.name: one.size for one in composition.pools()} == {"business": 20, "first": 200, "second": 500}
    assert sum(one.size for one in KNOWN.of("D31").pools()) == 765


def test_a_row_says_who_sits_at_the_window_and_who_on_the_aisle() -> None:
    assert dict(seat_kinds("ABC DF")) == {"A": "window", "B": "middle", "C": "aisle", "D": "aisle", "F": "window"}
    assert dict(seat_kinds("A CF")) == {"A": "window", "C": "aisle", "F": "window"}
    assert dict(seat_kinds("AB")) == {"A": "window", "B": "window"}


def test_places_are_called_as_on_the_ticket_and_stand_in_rows() -> None:
    units = pool("G71", "second").units
    assert [unit.name for unit in units[:6]] == ["06-01A", "06-01B", "06-01C", "06-01D", "06-01F", "06-02A"]
    assert (units[4].area, units[4].row, units[4].attributes) == ("06", "01", ("window", "F"))
    assert len({unit.name for unit in units}) == 500
    per_row = Counter((unit.area, unit.row) for unit in units)
    assert set(per_row.values()) == {5} and Counter(unit.attributes[0] for unit in units)["window"] == 200


def test_berths_stand_above_each_other_in_compartments() -> None:
    units = pool("Z21", "hard_sleeper").units
    assert [unit.name for unit in units[:3]] == ["03-01 lower", "03-01 middle", "03-01 upper"]
    assert set(Counter((unit.area, unit.row) for unit in units).values()) == {6}
    assert Counter(unit.attributes for unit in units) == {("lower",): 66, ("middle",): 66, ("upper",): 66}


def test_numbered_seats_count_through_and_keep_what_the_carriage_is() -> None:
    units = [unit for unit in pool("ICE 599", "second").units if unit.area == "25"]
    assert [unit.name for unit in units[:2]] == ["25-11", "25-12"] and units[-1].name == f"25-{10 + 18 * 4}"
    assert all("quiet" in unit.attributes for unit in units)


def test_who_stands_has_no_number() -> None:
    standing = pool("Z21", STANDING)
    assert (standing.capacity, standing.units, standing.binding) == (40, (), Binding.NEVER)
    assert STANDING not in [one.name for one in KNOWN.of("G71").pools()]


def test_a_trains_own_name_comes_before_its_category() -> None:
    assert KNOWN.of("D31").name == "cr-765" and KNOWN.of("D32").name == "cr-765"
    assert KNOWN.of("G2").name == "cr-720" and KNOWN.of("NJ 491").name == "de-night"
    with pytest.raises(UnknownTrain, match="nothing is known of the carriages of Bus 7"):
        KNOWN.of("Bus 7")


def test_nearly_every_train_of_the_real_timetable_has_carriages() -> None:
    without = {trip.category for trip in real().timetable.trips if trip.category not in KNOWN.trains}
    assert without == {"Bus", "RE", "D", "DZ", "IR"} - set(KNOWN.trains)


def test_a_class_that_is_not_there_is_answered_with_those_that_are() -> None:
    composition = KNOWN.of("G71")
    assert class_of(composition, "second") == "second"
    with pytest.raises(
        UnknownTrain, match="no class 'secnd' on this train; there are business, first, second"
    ) as refused:
        class_of(composition, "secnd")
    assert refused.value.suggestions == ("second",)


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"rows": (0, 3), "letters": "AB"}, "rows 0 to 3"),
        ({"rows": (4, 3), "letters": "AB"}, "rows 4 to 3"),
        ({"rows": (1, 100), "letters": "AB"}, "rows 1 to 100"),
        ({"rows": (1, 3)}, "one of both"),
        ({"rows": (1, 3), "letters": "AB", "tiers": ("lower",)}, "one of both"),
        ({"rows": (1, 3), "letters": "AB A"}, "a place twice"),
        ({"rows": (1, 3), "tiers": ("lower", "lower")}, "a place twice"),
        ({"rows": (1, 3), "letters": "AB", "without": ("03C",)}, "cannot be without 03C"),
    ],
)
def test_a_carriage_that_cannot_be_is_refused(fields: dict[str, Any], words: str) -> None:
    with pytest.raises(UnknownTrain, match=words):
        Carriage("second", **fields)


def test_a_train_has_carriages_of_different_numbers_and_not_too_many() -> None:
    kind = Carriage("second", (1, 20), "ABC DF")
    with pytest.raises(UnknownTrain, match="each with a number of its own"):
        Composition("twice", (Car("01", kind), Car("01", kind)))
    with pytest.raises(UnknownTrain, match="1 to 32 carriages"):
        Composition("none", ())
    with pytest.raises(UnknownTrain, match="larger than a train: 3,100 places"):
        Composition("long", tuple(Car(f"{at:02}", kind) for at in range(31)))


GOOD = '[carriages.a]\nclass = "second"\nrows = [1, 2]\nletters = "AB"\n[compositions.b]\ncars = ["a"]\n'


@pytest.mark.parametrize(
    ("text", "field"),
    [
        ("version = ", ""),
        ("version = 2\n", "version"),
        (f"version = 1\n{GOOD}[trains]\nG1 = 'c'", "trains.G1"),
        (f"version = 1\n{GOOD}".replace('["a"]', '["x"]'), "compositions.b"),
        (f"version = 1\n{GOOD}".replace('["a"]', '"a"'), "compositions.b"),
        (f"version = 1\n{GOOD}".replace('["a"]', "[]"), "compositions.b"),
        (f"version = 1\n{GOOD}".replace("rows = [1, 2]", "rows = 2"), "carriages.a"),
        (f"version = 1\n{GOOD}".replace("rows = [1, 2]", "rows = [2, 1]"), "carriages.a"),
        (f"version = 1\n{GOOD}".replace("letters", "leters"), "carriages.a"),
    ],
)
def test_a_broken_file_of_trains_is_refused_with_the_place(text: str, field: str) -> None:
    with pytest.raises(BadFeed) as refused:
        read_trains(text.encode())
    assert (refused.value.file, refused.value.field) == ("trains.toml", field)


def test_the_example_comes_with_the_package() -> None:
    assert read_trains((files("shike.rail") / "data" / "trains.toml").read_bytes()) == KNOWN
