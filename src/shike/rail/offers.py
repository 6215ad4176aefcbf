"""What a passenger may choose from: the trains of a day with what is left of each class and its price (R1.1), and every
ride of one train at once."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import NamedTuple

from shike.errors import UnknownTrain
from shike.rail.composition import Composition
from shike.rail.journey import Trade
from shike.rail.model import Departure, Leg
from shike.rail.opening import ONLINE
from shike.rail.seats import Seats, available, table
from shike.rail.tariff import fare_cents, in_force


class ClassOffer(NamedTuple):
    """One class of one ride. `left` is what a hold would get now; 0 too where the sale is not open."""

    class_: str
    left: int
    price_cents: int


class Offer(NamedTuple):
    """One ride, with the stations along it, and what there is of it, the cheapest class first. Without classes none
    of it is sold."""

    leg: Leg
    stops: tuple[str, ...]
    classes: tuple[ClassOffer, ...]
    currency: str


async def offers(
    trade: Trade, seats: Seats, origin: str, goal: str, day: date, *, at: int, channel: str = ONLINE
) -> list[Offer]:
    """The trains from one place to another on a day, earliest first. Raises `UnknownStation`, `BadTrip`."""
    return [await _offer(trade, seats, leg, at, channel) for leg in trade.timetable.search(origin, goal, day)]


async def offers_of(trade: Trade, seats: Seats, legs: Sequence[Leg], *, at: int, channel: str = ONLINE) -> list[Offer]:
    """The same of rides that were found otherwise: those of a journey with a change."""
    return [await _offer(trade, seats, leg, at, channel) for leg in legs]


async def triangle(trade: Trade, seats: Seats, departure: Departure, class_: str) -> list[tuple[str, str, int, int]]:
    """Every ride of a train in one class: from, to, units left, price. Rules of sale aside; 136 for 17 calls."""
    timetable, trip = trade.timetable, departure.trip
    tariff, kilometres = in_force(trade.tariffs, departure.day), trade.kilometres_of(trip)
    names = [timetable.stations[station].name for station in trip.stations]
    return [
        (
            names[board],
            names[board + 1 + at],
            left,
            fare_cents(tariff, class_, kilometres[board + 1 + at] - kilometres[board]),
        )
        for board, row in enumerate(table(await seats.state(departure.key), class_))
        for at, left in enumerate(row)
    ]


async def _offer(trade: Trade, seats: Seats, leg: Leg, at: int, channel: str) -> Offer:
    trip = leg.departure.trip
    tariff = trade.tariff(at)
    stops = tuple(trade.timetable.stations[station].name for station in trip.stations[leg.board : leg.alight + 1])
    composition = _composition(trade, trip.train)
    if composition is None:
        return Offer(leg, stops, (), tariff.currency)
    kilometres = trade.kilometres_of(trip)
    length, state = kilometres[leg.alight] - kilometres[leg.board], await seats.state(leg.departure.key)
    classes = [
        ClassOffer(
            pool.name,
            available(state, pool.name, leg.board, leg.alight, at=at, channel=channel),
            fare_cents(tariff, pool.name, length),
        )
        for pool in composition.pools()
    ]
    return Offer(leg, stops, tuple(sorted(classes, key=lambda one: one.price_cents)), tariff.currency)


def _composition(trade: Trade, train: str) -> Composition | None:
    try:
        return trade.trains.of(train)
    except UnknownTrain:
        return None
