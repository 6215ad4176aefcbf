"""R1.12: two trains where one does not go all the way."""

from __future__ import annotations

from datetime import date

import pytest

from shike.errors import BadTrip, UnknownStation
from shike.rail.bounds import CHANGE_SECONDS_MAX, CHANGE_SECONDS_MIN, TRANSFERS_FOUND
from shike.rail.timetable import Timetable
from shike.rail.transfers import Transfer, transfers
from tests.unit.rail.feeds import real
from tests.unit.rail.shop import DAY, railway

FRIDAY = date(2019, 5, 3)


def told(found: list[Transfer]) -> list[tuple[str, str, str]]:
    stations = railway().timetable.stations
    return [
        (
            one.first.departure.train,
            stations[one.first.departure.trip.stations[one.first.alight]].name,
            one.second.departure.train,
        )
        for one in found
    ]


def test_two_trains_meet_where_there_is_time_to_change() -> None:
    found = transfers(railway().timetable, "A", "G", DAY)
    assert told(found) == [("K1", "D", "K3")]  # K9 arrives as K3 leaves; K5 has left
    assert found[0].wait_seconds == 3600


def test_a_train_that_goes_all_the_way_is_no_transfer() -> None:
    assert transfers(railway().timetable, "A", "D", DAY) == []
    assert transfers(railway().timetable, "G", "A", DAY) == []


def test_places_that_are_none_or_the_same_are_refused() -> None:
    with pytest.raises(BadTrip, match="the same place"):
        transfers(railway().timetable, "A", "A", DAY)
    with pytest.raises(UnknownStation):
        transfers(railway().timetable, "A", "Z", DAY)


def brute(timetable: Timetable, origin: str, goal: str, day: date) -> set[tuple[int, int]]:
    """(leaves, arrives) of all journeys with one change that no other one beats: every train with every other."""
    source, end = timetable.stations.one(origin), timetable.stations.one(goal)
    days = [date.fromordinal(day.toordinal() + number) for number in range(-2, 3)]
    trains = [one for each in days for one in timetable.departures(each)]
    ends = [one for one in trains if end in one.trip.stations]
    pairs = set()
    for first in (one for one in trains if source in one.trip.stations):
        board = len(first.trip.stations) - 1 - first.trip.stations[::-1].index(source)
        if timetable.local_day(first.departs_at(board)) != day or end in first.trip.stations[board:]:
            continue
        for alight in range(board + 1, len(first.trip.stations)):
            for second in ends:
                for change in range(second.trip.stations.index(end)):
                    wait = second.departs_at(change) - first.arrives_at(alight)
                    meets = second.trip.stations[change] == first.trip.stations[alight] and second != first
                    if meets and CHANGE_SECONDS_MIN * 10**6 <= wait <= CHANGE_SECONDS_MAX * 10**6:
                        pairs.add((first.departs_at(board), second.arrives_at(second.trip.stations.index(end))))
    beaten = {one for one in pairs for other in pairs if other != one and other[0] >= one[0] and other[1] <= one[1]}
    return pairs - beaten


@pytest.mark.parametrize(
    ("origin", "goal"), [("Norddeich Mole", "Freiburg(Breisgau) Hbf"), ("Westerland(Sylt)", "Dresden Hbf")]
)
def test_on_the_real_timetable_trying_every_train_with_every_other_finds_the_same(origin: str, goal: str) -> None:
    timetable = real().timetable
    found = transfers(timetable, origin, goal, FRIDAY)
    assert 1 <= len(found) < TRANSFERS_FOUND
    assert {(one.first.departs_at, one.second.arrives_at) for one in found} == brute(timetable, origin, goal, FRIDAY)
    for first, second in found:
        assert first.departure.trip.stations[first.alight] == second.departure.trip.stations[second.board]
        assert CHANGE_SECONDS_MIN * 10**6 <= second.departs_at - first.arrives_at <= CHANGE_SECONDS_MAX * 10**6
