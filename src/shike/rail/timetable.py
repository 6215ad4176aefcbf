"""A timetable in memory: which trains go from one station to another on a day, and the departures of each.

A search looks at the trains that call at the station of boarding, keeps those that call at the other one later, and
tests one bit for whether they run: milliseconds for a day of hundreds of trains.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from datetime import date, timedelta
from difflib import get_close_matches
from itertools import combinations
from typing import Final

from shike.errors import BadTrip, UnknownTrain
from shike.rail.bounds import SUGGESTIONS
from shike.rail.model import Departure, Leg, Station, Trip
from shike.rail.stations import Stations
from shike.trigger.zone import zone

DAY_SECONDS: Final = 86_400
SHIFT_SECONDS: Final = 7_200  # clocks are set by at most so much: a train near midnight may be of either day
CLOSE_ENOUGH: Final = 0.5  # of the signs of a train's name: one of "K7"
EPOCH_DAY: Final = date(1970, 1, 1).toordinal()


class Timetable:
    """Stations, trips and the days on which they run, as one time zone counts them. Never changes."""

    def __init__(
        self, *, stations: Sequence[Station], trips: Sequence[Trip], zone_name: str, first_day: date, day_count: int
    ) -> None:
        self.stations = Stations(stations)
        self.trips = tuple(trips)
        self.zone_name = zone_name
        self.first_day = first_day
        self.day_count = day_count
        self._zone = zone(zone_name)
        self._origins = [self._origin(first_day.toordinal() + day) for day in range(day_count)]
        self._boards: list[list[tuple[int, int]]] = [[] for _ in stations]  # (trip, position) of a station
        self._alights: list[dict[int, list[int]]] = [{} for _ in stations]  # trip → positions, of a station
        self._by_train: dict[str, list[int]] = {}
        for number, trip in enumerate(self.trips):
            self._by_train.setdefault(trip.train, []).append(number)
            for position, station in enumerate(trip.stations):
                if trip.boarding >> position & 1 and position < trip.segments:
                    self._boards[station].append((number, position))
                if trip.alighting >> position & 1 and position:
                    self._alights[station].setdefault(number, []).append(position)
        self._trains = {name.upper(): numbers for name, numbers in self._by_train.items()}
        for numbers in self._by_train.values():
            numbers.sort(key=lambda number: (self.trips[number].departs_seconds[0], self.trips[number].id))

    def search(self, origin: str, goal: str, day: date) -> list[Leg]:
        """The trains from a station or city to another that leave on this day of the wall clock, earliest first; of
        each train the shortest ride. Raises `UnknownStation`, and `BadTrip` for one that leads nowhere."""
        sources, goals = self.stations.group(origin), self.stations.group(goal)
        if set(sources) & set(goals):
            raise BadTrip(f"{origin} and {goal} are the same place: name two stations")
        return self.legs(sources, goals, day)

    def legs(self, sources: Collection[int], goals: Collection[int], day: date) -> list[Leg]:
        """As `search`, by the numbers of stations."""
        best: dict[tuple[int, int], tuple[int, int]] = {}
        target = day.toordinal() - self.first_day.toordinal()
        for source in sources:
            for number, board in self._boards[source]:
                alight = min(self._after(number, board, goals), default=0)
                if not alight:
                    continue
                for run_day in self._run_days(self.trips[number], board, target):
                    known = best.get((number, run_day))
                    if known is None or alight - board < known[1] - known[0]:
                        best[number, run_day] = (board, alight)
        found = [
            self._leg(self._departure(number, run_day), board, alight)
            for (number, run_day), (board, alight) in best.items()
        ]
        found.sort(key=lambda leg: leg[:2])
        return found

    def calls_at(self, station: int, day: date) -> Iterator[tuple[Departure, int]]:
        """The departures that passengers may board at a station on a day of the wall clock, with their positions."""
        target = day.toordinal() - self.first_day.toordinal()
        for number, board in self._boards[station]:
            for run_day in self._run_days(self.trips[number], board, target):
                yield self._departure(number, run_day), board

    def legs_to(self, goals: Collection[int], day: date) -> Iterator[Leg]:
        """The rides from every other station to one of these, of trains that arrive on a day of the wall clock or on
        the next two."""
        first = day.toordinal() - self.first_day.toordinal()
        for goal in goals:
            for number, positions in self._alights[goal].items():
                trip, alight = self.trips[number], positions[0]
                arrives = trip.arrives_seconds[alight] // DAY_SECONDS
                for run_day in range(first - arrives - 1, first - arrives + 3):
                    if self._runs(trip, run_day):
                        departure = self._departure(number, run_day)
                        for board in range(alight):
                            if trip.boarding >> board & 1:
                                yield self._leg(departure, board, alight)

    def departures(self, day: date) -> list[Departure]:
        """All of one service day, in the order of the trips."""
        at = (day - self.first_day).days
        return [self._departure(number, at) for number, trip in enumerate(self.trips) if self._runs(trip, at)]

    def departure(self, train: str, day: date, run: int = 1) -> Departure:
        """The departure of a train on a service day. Raises `UnknownTrain`, which tells what there is instead."""
        name, at = " ".join(train.split()).upper(), (day - self.first_day).days
        numbers = self._trains.get(name)
        if numbers is None:
            close = get_close_matches(name, self._trains, n=SUGGESTIONS, cutoff=CLOSE_ENOUGH)
            names = tuple(self.trips[self._trains[one][0]].train for one in close)
            ask = f"; did you mean {' or '.join(names)}?" if names else ""
            raise UnknownTrain(f"no train is called {train[:40]!r}{ask}", suggestions=names)
        running = [number for number in numbers if self._runs(self.trips[number], at)]
        if not running:
            near = self._nearest_days(numbers, at)
            words = f"{train} does not run on {day}" + (f"; it does on {' and '.join(near)}" if near else "")
            raise UnknownTrain(words, suggestions=near)
        if not 1 <= run <= len(running):
            raise UnknownTrain(f"{train} has no run {run} on {day}: there are {len(running)}, counted from 1")
        return self._departure(running[run - 1], at)

    def by_key(self, key: str) -> Departure:
        """The departure of a key such as `ICE 599/2019-05-03/1`. Raises `UnknownTrain`."""
        parts = key.split("/")
        try:
            day, run = date.fromisoformat(parts[1]), int(parts[2])
        except (ValueError, IndexError):
            raise UnknownTrain(f"{key[:60]!r} is no departure; write TRAIN/YYYY-MM-DD/RUN") from None
        return self.departure(parts[0], day, run)

    def section(self, departure: Departure, origin: str, goal: str) -> Leg:
        """The shortest ride on a departure from one station to another. Raises `UnknownStation`, `BadTrip`."""
        boards, alights = self._positions(departure, origin), self._positions(departure, goal)
        trip = departure.trip
        ways = [
            (alight - board, board, alight)
            for board in boards
            for alight in alights
            if board < alight and trip.boarding >> board & trip.alighting >> alight & 1
        ]
        if ways:
            return self._leg(departure, *min(ways)[1:])
        for name, positions in ((origin, boards), (goal, alights)):
            if not positions:
                raise BadTrip(f"{departure.key} does not call at {name}; its stations are {self.way(trip)}")
        if set(boards) == set(alights):
            raise BadTrip(f"{origin} and {goal} are the same place: name two stations")
        if min(boards) > max(alights):
            raise BadTrip(f"{departure.key} calls at {goal} before {origin}: it does not go back")
        raise BadTrip(f"{departure.key} takes up or sets down no passengers there, between {origin} and {goal}")

    def way(self, trip: Trip) -> str:
        """The stations of a trip, in their order."""
        return " – ".join(self.stations[station].name for station in trip.stations)

    def local_day(self, at: int) -> date:
        """The day of the wall clock at an instant (UTC microseconds)."""
        return date.fromordinal(self._local_ordinal(at // 1_000_000))

    def _after(self, number: int, board: int, goals: Iterable[int]) -> Iterator[int]:
        for goal in goals:
            for position in self._alights[goal].get(number, ()):
                if position > board:
                    yield position

    def _run_days(self, trip: Trip, board: int, target: int) -> Iterator[int]:
        """The service days on which a trip leaves a position on a day of the wall clock: nearly always the one that
        its seconds tell; near midnight another, when clocks are set."""
        seconds = trip.departs_seconds[board]
        days, rest = divmod(seconds, DAY_SECONDS)
        first = target - days
        around = [first]
        if rest < SHIFT_SECONDS:
            around.append(first + 1)
        elif rest >= DAY_SECONDS - SHIFT_SECONDS:
            around.append(first - 1)
        ordinal = target + self.first_day.toordinal()
        for day in around:
            if self._runs(trip, day) and self._local_ordinal(self._origins[day] + seconds) == ordinal:
                yield day

    def _runs(self, trip: Trip, day: int) -> bool:
        return 0 <= day < self.day_count and bool(trip.days >> day & 1)

    def _departure(self, number: int, day: int) -> Departure:
        trip, run = self.trips[number], 1
        for other in self._by_train[trip.train]:
            if other == number:
                break
            run += self._runs(self.trips[other], day)
        return Departure(trip.train, self.first_day + timedelta(days=day), run, trip, self._origins[day])

    @staticmethod
    def _leg(departure: Departure, board: int, alight: int) -> Leg:
        return Leg(departure.departs_at(board), departure.arrives_at(alight), departure, board, alight)

    def _positions(self, departure: Departure, name: str) -> list[int]:
        stations = self.stations.group(name)
        return [position for position, station in enumerate(departure.trip.stations) if station in stations]

    def _nearest_days(self, numbers: Iterable[int], at: int) -> tuple[str, ...]:
        """The last day before and the first after `at` on which one of these trips runs."""
        days = 0
        for number in numbers:
            days |= self.trips[number].days
        runs = [day for day in range(self.day_count) if days >> day & 1]
        before = [day for day in runs if day < at][-1:]
        after = [day for day in runs if day > at][:1]
        return tuple((self.first_day + timedelta(days=day)).isoformat() for day in before + after)

    def _local_ordinal(self, second: int) -> int:
        return EPOCH_DAY + (second + self._zone.offset(second)) // DAY_SECONDS

    def _origin(self, ordinal: int) -> int:
        """Noon of the wall clock minus twelve hours: midnight, but on the days when clocks are set."""
        noon = (ordinal - EPOCH_DAY) * DAY_SECONDS + DAY_SECONDS // 2
        guess = noon - self._zone.offset(noon)
        return noon - self._zone.offset(guess) - DAY_SECONDS // 2


def sections(trip: Trip) -> list[tuple[int, int]]:
    """Every ride that a trip offers, as (board, alight): 136 of one with 17 calls."""
    return [
        (board, alight)
        for board, alight in combinations(range(len(trip.stations)), 2)
        if trip.boarding >> board & trip.alighting >> alight & 1
    ]
