"""Stations are found by what people type, and near names are offered for what nothing has."""

from __future__ import annotations

from pathlib import Path

import pytest

from shike.errors import BadFeed, UnknownStation
from shike.rail.model import Station
from shike.rail.stations import Stations, read_stations
from tests.unit.rail.feeds import chinese, real

SPOKEN = [
    "Köln Hbf",
    "Köln Messe/Deutz",
    "Düren",
    "Frankfurt(M) Flughafen Fernbf",
    "Łódź Fabryczna",
    "Frankfurt(Main)Hbf",
]
GERMAN = Stations([Station(str(number), name) for number, name in enumerate(SPOKEN)])


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        ("Köln Hbf", "Köln Hbf"),
        ("koln hbf", "Köln Hbf"),
        ("KOELN  HBF", "Köln Hbf"),
        ("dueren", "Düren"),
        ("Du\u0308ren", "Düren"),
        ("lodz", "Łódź Fabryczna"),
        ("flughafen", "Frankfurt(M) Flughafen Fernbf"),
        ("Frankfurt Main", "Frankfurt(Main)Hbf"),
        ("3", "Frankfurt(M) Flughafen Fernbf"),
    ],
)
def test_a_german_station_is_found_as_it_is_typed(typed: str, meant: str) -> None:
    assert GERMAN[GERMAN.one(typed)].name == meant


@pytest.mark.parametrize(
    ("typed", "meant"),
    [("深圳北", "深圳北"), ("shenzhenbei", "深圳北"), ("北京西", "北京西"), ("IOQ", "深圳北"), ("ioq", "深圳北")],
)
def test_a_chinese_station_is_found_by_name_pinyin_and_code(typed: str, meant: str) -> None:
    stations = chinese()
    assert stations[stations.one(typed)].name == meant


def test_the_likeliest_comes_first_and_no_more_than_asked_for() -> None:
    stations = chinese()
    named = [stations[number].name for number in stations.find("beijing", 4)]
    assert named == ["北京", "北井子", "北京东", "北京北"]  # beijing, beijingzi, beijingdong …
    assert [GERMAN[number].name for number in GERMAN.find("fr")] == [
        "Frankfurt(Main)Hbf",
        "Frankfurt(M) Flughafen Fernbf",
    ]
    assert GERMAN.find("  -  ") == []


def test_a_city_is_all_its_stations_and_a_name_alone_is_one() -> None:
    stations = chinese()
    city = {stations[number].name for number in stations.group("北京")}
    assert {"北京", "北京南", "北京西"} <= city and stations.group("beijing") == stations.group("北京")
    assert len(stations.group("北京西")) == 1


def test_a_name_that_may_be_several_is_refused_with_all_of_them() -> None:
    with pytest.raises(UnknownStation, match="say which: Köln Hbf, Köln Messe/Deutz") as refused:
        GERMAN.one("Köln")
    assert refused.value.suggestions == ("Köln Hbf", "Köln Messe/Deutz")


def test_a_slip_of_the_pen_is_answered_with_near_names() -> None:
    stations = real().timetable.stations
    with pytest.raises(UnknownStation, match="did you mean Hamburg Hbf") as refused:
        stations.one("Hamburk Hbf")
    assert refused.value.suggestions[0] == "Hamburg Hbf"
    with pytest.raises(UnknownStation, match=r"^no station is called 'xyzzy'$"):
        stations.one("xyzzy")
    with pytest.raises(UnknownStation):
        stations.one("")


def test_every_station_is_found_by_its_own_name_and_id() -> None:
    for stations in (real().timetable.stations, chinese()):
        assert all(stations.one(station.name) == stations.one(station.id) == at for at, station in enumerate(stations))


@pytest.mark.parametrize(
    ("text", "line", "field"),
    [
        ("name,pinyin\n", 1, "telecode"),
        ("name,telecode\nA,X\nB,X\n", 3, "telecode"),
        ("name,telecode\n ,X\n", 2, "name"),
    ],
)
def test_a_broken_table_of_stations_is_refused(tmp_path: Path, text: str, line: int, field: str) -> None:
    (tmp_path / "stations.csv").write_text(text)
    with pytest.raises(BadFeed) as refused:
        read_stations(tmp_path / "stations.csv")
    assert (refused.value.file, refused.value.line, refused.value.field) == ("stations.csv", line, field)
    with pytest.raises(BadFeed, match="No such file"):
        read_stations(tmp_path / "none.csv")
