"""Journeys with one change of trains (R1.12): for when no train goes all the way, or none has seats.

For each train from the one place, and each station it comes to, the next train on to the other place is looked up; of
what is found only those are told that no other one beats (leaves later and arrives earlier, or is as good).
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator
from datetime import date
from typing import NamedTuple

from shike.errors import BadTrip
from shike.rail.bounds import CHANGE_SECONDS_MAX, CHANGE_SECONDS_MIN, TRANSFERS_FOUND
from shike.rail.model import Leg
from shike.rail.timetable import Timetable

MICROS = 1_000_000


class Transfer(NamedTuple):
    """Two rides with a change between them."""

    first: Leg
    second: Leg

    @property
    def wait_seconds(self) -> int:
        return (self.second.departs_at - self.first.arrives_at) // MICROS


def transfers(
    timetable: Timetable, origin: str, goal: str, day: date, *, most: int = TRANSFERS_FOUND
) -> list[Transfer]:
    """The journeys that leave on a day of the wall clock, with 10 minutes to 4 hours to change; those that arrive first
    come first. Raises `UnknownStation`, and `BadTrip` for one that leads nowhere."""
    sources, goals = set(timetable.stations.group(origin)), set(timetable.stations.group(goal))
    if sources & goals:
        raise BadTrip(f"{origin} and {goal} are the same place: name two stations")
    onward: dict[int, list[Leg]] = {}
    for leg in timetable.legs_to(goals, day):
        onward.setdefault(leg.departure.trip.stations[leg.board], []).append(leg)
    for legs in onward.values():
        legs.sort(key=lambda leg: leg[:2])
    found = [
        Transfer(first, second)
        for first in _first_legs(timetable, sources, day)
        for second in _next(onward.get(first.departure.trip.stations[first.alight], ()), first)
        if second.departure != first.departure and not goals & set(first.departure.trip.stations[first.board :])
    ]
    return _best(found)[:most]


def _first_legs(timetable: Timetable, sources: set[int], day: date) -> Iterator[Leg]:
    for source in sources:
        for departure, board in timetable.calls_at(source, day):
            trip = departure.trip
            for alight in range(board + 1, len(trip.stations)):
                if trip.stations[alight] in sources:
                    break  # it can be boarded there, later
                if trip.alighting >> alight & 1:
                    yield Leg(departure.departs_at(board), departure.arrives_at(alight), departure, board, alight)


def _next(legs: list[Leg] | tuple[()], first: Leg) -> Iterator[Leg]:
    """The trains that leave early enough and arrive earlier than any that leaves before them."""
    earliest = first.arrives_at + CHANGE_SECONDS_MIN * MICROS
    best = None
    for leg in legs[bisect_left(legs, earliest, key=lambda leg: leg.departs_at) :]:
        if leg.departs_at > first.arrives_at + CHANGE_SECONDS_MAX * MICROS:
            return
        if best is None or leg.arrives_at < best:
            best = leg.arrives_at
            yield leg


def _best(found: list[Transfer]) -> list[Transfer]:
    """Those that no other one beats, by arrival; of several equal ones that with the longest wait at the change."""
    found.sort(key=lambda one: (one.second.arrives_at, -one.first.departs_at, -one.wait_seconds))
    kept: list[Transfer] = []
    latest = -1
    for one in found:
        if one.first.departs_at > latest:
            latest = one.first.departs_at
            kept.append(one)
    return kept
