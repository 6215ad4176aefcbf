"""The nouns of the railway's timetable.

Times of a trip are seconds of its *service day*, counted from noon minus twelve hours, so they go past 24:00 and are
no wall clock on the days when clocks are set. Instants are UTC microseconds, as everywhere in Shike. A *position* is
the index of a call in its trip, never a station: a train may call at one station twice.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from typing import NamedTuple

from msgspec import Struct


class Station(Struct, frozen=True, gc=False):
    """A place where trains call."""

    id: str
    name: str
    latitude: float | None = None
    longitude: float | None = None
    city: str = ""  # several stations of one city are searched together
    code: str = ""  # what the railway calls it: a telecode
    pinyin: str = ""
    initials: str = ""


class Call(NamedTuple):
    """A stop of a trip at a station. `station` is its number in the timetable."""

    station: int
    arrives_seconds: int
    departs_seconds: int


class Trip(Struct, frozen=True, gc=False):
    """A way through the stations with its times, run on each day of its service. Columns side by side: a search reads
    one number of each, and a year has a hundred thousand calls."""

    id: str
    train: str  # as passengers call it: "ICE 599", "G71"
    stations: tuple[int, ...]
    arrives_seconds: tuple[int, ...]
    departs_seconds: tuple[int, ...]
    days: int  # a bit for each day of the timetable: whether it runs
    boarding: int = -1  # a bit for each position: whether passengers may get in
    alighting: int = -1

    def calls(self) -> Iterator[Call]:
        return map(Call, self.stations, self.arrives_seconds, self.departs_seconds)

    @property
    def segments(self) -> int:
        """Atomic ones, from each call to the next."""
        return len(self.stations) - 1

    @property
    def category(self) -> str:
        """What kind of train it is: the letters before its number."""
        return self.train.partition(" ")[0].rstrip("0123456789")


class Departure(Struct, frozen=True, gc=False):
    """One train on one service day. A number may run more than once on a day: `run` counts from 1, the earliest first.
    What is sold is sold of a departure."""

    train: str
    day: date
    run: int
    trip: Trip
    origin_seconds: int  # UTC second of noon minus twelve hours of the service day

    @property
    def key(self) -> str:
        """`ICE 599/2019-05-03/1`: what it is called everywhere."""
        return f"{self.train}/{self.day.isoformat()}/{self.run}"

    def departs_at(self, position: int) -> int:
        """UTC microseconds."""
        return (self.origin_seconds + self.trip.departs_seconds[position]) * 1_000_000

    def arrives_at(self, position: int) -> int:
        """UTC microseconds."""
        return (self.origin_seconds + self.trip.arrives_seconds[position]) * 1_000_000


class Leg(NamedTuple):
    """A ride on one departure, from one position to a later one; the times are UTC microseconds."""

    departs_at: int
    arrives_at: int
    departure: Departure
    board: int
    alight: int
