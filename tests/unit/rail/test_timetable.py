"""R1.1, R1.2: which trains go from one place to another on a day, and what one departure is."""

from __future__ import annotations

from datetime import UTC, date, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from shike.errors import BadTrip, UnknownStation, UnknownTrain
from shike.rail.model import Leg
from shike.rail.timetable import Timetable, sections
from tests.unit.rail.feeds import SMALL, read, real

DAY = date(2019, 5, 3)
BERLIN = ZoneInfo("Europe/Berlin")


@pytest.fixture
def small(tmp_path: Path) -> Timetable:
    return read(tmp_path).timetable


def clock(at: int) -> str:
    return datetime.fromtimestamp(at / 1_000_000, UTC).astimezone(BERLIN).strftime("%d %H:%M")


def times(legs: list[Leg]) -> list[str]:
    return [f"{leg.departure.train} {clock(leg.departs_at)} {clock(leg.arrives_at)}" for leg in legs]


def brute(timetable: Timetable, origin: str, goal: str, day: date) -> set[tuple[str, int, int]]:
    """Every train of the days around, looked at from its first call to its last."""
    found = set()
    for number in range(-4, 3):
        for one in timetable.departures(date.fromordinal(day.toordinal() + number)):
            names = [timetable.stations[station].name for station in one.trip.stations]
            ways = [
                (alight - board, board, alight)
                for board, first in enumerate(names)
                for alight, last in enumerate(names)
                if first == origin and last == goal and board < alight
                and datetime.fromtimestamp(one.departs_at(board) / 1e6, UTC).astimezone(BERLIN).date() == day
            ]  # fmt: skip
            if ways:
                found.add((one.key, *min(ways)[1:]))
    return found


@pytest.mark.parametrize(
    ("origin", "goal"),
    [
        ("Berlin Hbf", "Köln Hbf"),
        ("Frankfurt(M) Flughafen Fernbf", "Mannheim Hbf"),
        ("Mannheim Hbf", "Frankfurt(M) Flughafen Fernbf"),
        ("Brest Central", "Warszawa Wschodnia"),
        ("Hamburg-Altona", "Passau Hbf"),
    ],
)
@pytest.mark.parametrize("day", [DAY, date(2019, 3, 31), date(2019, 10, 27), date(2018, 12, 9), date(2019, 12, 15)])
def test_a_search_finds_what_looking_at_every_train_finds(origin: str, goal: str, day: date) -> None:
    timetable = real().timetable
    legs = timetable.search(origin, goal, day)
    assert {(leg.departure.key, leg.board, leg.alight) for leg in legs} == brute(timetable, origin, goal, day)
    assert legs == sorted(legs, key=lambda leg: leg[:2])


def test_a_train_after_midnight_is_found_on_the_day_of_the_wall_clock(small: Timetable) -> None:
    assert times(small.search("Köln", "Aachen", date(2019, 3, 30))) == ["IC 9 30 23:50 31 01:30"]
    assert small.search("Düren", "Aachen", date(2019, 3, 30)) == []
    assert times(small.search("Düren", "Aachen", date(2019, 3, 31))) == ["IC 9 31 00:25 31 01:30"]


def test_on_days_when_clocks_are_set_times_count_from_noon_less_twelve_hours(small: Timetable) -> None:
    assert times(small.search("Aachen", "Berlin", date(2019, 3, 31))) == ["ICE 7 31 08:00 31 13:00"]
    assert times(small.search("Aachen", "Berlin", date(2019, 10, 27))) == ["ICE 7 27 08:00 27 13:00"]
    departure = small.departure("ICE 7", date(2019, 3, 31))
    assert departure.departs_at(0) == datetime(2019, 3, 31, 8, tzinfo=BERLIN).timestamp() * 1_000_000
    assert departure.origin_seconds == datetime(2019, 3, 30, 22, tzinfo=UTC).timestamp()


def test_a_train_near_midnight_of_such_a_day_is_found_by_its_real_day(tmp_path: Path) -> None:
    early = SMALL["stop_times.txt"].replace("u,23:50:00,23:50:00", "u,00:10:00,00:10:00")
    spring = read(tmp_path, stop_times=early.replace("24:", "00:").replace("25:30", "00:30")).timetable
    assert times(spring.search("Köln", "Aachen", date(2019, 3, 30))) == [
        "IC 9 30 00:10 30 00:30",
        "IC 9 30 23:10 30 23:30",
    ]
    late = read(tmp_path).timetable
    assert times(late.search("Köln", "Aachen", date(2019, 10, 26))) == ["IC 9 26 23:50 27 01:30"]
    assert times(late.search("Köln", "Aachen", date(2019, 10, 27))) == ["IC 9 27 23:50 28 01:30"]


def test_a_number_that_runs_twice_on_a_day_is_two_departures() -> None:
    timetable = real().timetable
    first, second = (timetable.departure("nj 491", date(2019, 7, 17), run) for run in (1, 2))
    assert (first.key, second.key) == ("NJ 491/2019-07-17/1", "NJ 491/2019-07-17/2")
    assert first.trip.id != second.trip.id and first.departs_at(0) < second.departs_at(0)
    with pytest.raises(UnknownTrain, match="has no run 3 on 2019-07-17: there are 2"):
        timetable.departure("NJ 491", date(2019, 7, 17), 3)


def test_every_departure_of_a_day_has_a_key_that_leads_back_to_it() -> None:
    timetable = real().timetable
    departures = timetable.departures(DAY)
    assert len({one.key for one in departures}) == len(departures) == 764
    assert [timetable.by_key(one.key) for one in departures] == departures


def test_a_train_that_calls_twice_at_a_station_is_sold_by_position_the_shortest_way() -> None:
    timetable = real().timetable
    trip = next(trip for trip in timetable.trips if trip.id == "266")
    day = next(day for day in range(400) if trip.days >> day & 1)
    departure = timetable.departure(trip.train, date.fromordinal(timetable.first_day.toordinal() + day))
    assert timetable.stations[trip.stations[10]].name == timetable.stations[trip.stations[12]].name
    airport, first, last = (timetable.stations[trip.stations[at]].name for at in (10, 0, -1))
    assert timetable.section(departure, first, airport)[3:] == (0, 10)
    assert timetable.section(departure, airport, last)[3:] == (12, trip.segments)
    assert timetable.section(departure, airport, timetable.stations[trip.stations[11]].name)[3:] == (10, 11)


def test_a_train_of_seventeen_calls_offers_136_rides(small: Timetable) -> None:
    trip = next(trip for trip in real().timetable.trips if len(trip.stations) == 17)
    assert len(sections(trip)) == 136
    assert sections(small.trips[1]) == [(0, 1), (0, 2), (1, 2)]


def test_nobody_boards_where_nobody_may(tmp_path: Path) -> None:
    head, *lines = SMALL["stop_times.txt"].splitlines()
    stops = "\n".join([f"{head},pickup_type", *(f"{line},{'1' if ',c,' in line else '0'}" for line in lines)])
    timetable = read(tmp_path, stop_times=stops).timetable
    assert timetable.search("Düren", "Köln", DAY) == []
    assert sections(timetable.trips[0]) == [(0, 1), (0, 2), (0, 3), (2, 3)]
    with pytest.raises(BadTrip, match="takes up or sets down no passengers"):
        timetable.section(timetable.departure("ICE 7", date(2019, 5, 1)), "Düren", "Köln")


def test_trips_that_lead_nowhere_are_refused_with_what_there_is_instead(small: Timetable) -> None:
    departure = small.departure("ICE 7", date(2019, 5, 1))
    with pytest.raises(UnknownStation, match="did you mean Aachen Hbf"):
        small.search("Aachn Hbf", "Köln", DAY)
    with pytest.raises(BadTrip, match="are the same place"):
        small.search("Köln", "Koeln Hbf", DAY)
    with pytest.raises(BadTrip, match="calls at Aachen before Köln: it does not go back"):
        small.section(departure, "Köln", "Aachen")
    with pytest.raises(BadTrip, match="are the same place"):
        small.section(departure, "Köln", "Köln Hbf")
    with pytest.raises(BadTrip, match="does not call at Berlin; its stations are Köln Hbf – Düren – Aachen Hbf"):
        small.section(small.departure("IC 9", date(2019, 5, 1)), "Köln", "Berlin")
    with pytest.raises(UnknownTrain, match="did you mean ICE 7") as refused:
        small.departure("ICE 77", DAY)
    assert refused.value.suggestions[0] == "ICE 7"
    with pytest.raises(UnknownTrain, match="does not run on 2019-05-03; it does on 2019-05-01 and 2019-10-26"):
        small.departure("ICE 7", DAY)
    for key in ("ICE 7", "ICE 7/tomorrow/1", "ICE 7/2019-05-01/first", ""):
        with pytest.raises(UnknownTrain, match="write TRAIN/YYYY-MM-DD/RUN"):
            small.by_key(key)


def test_before_and_after_the_timetable_nothing_runs(small: Timetable) -> None:
    for day in (date(1970, 1, 1), date(2019, 3, 29), date(2099, 1, 1)):
        assert small.departures(day) == [] == small.search("Aachen", "Köln", day)
