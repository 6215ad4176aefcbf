"""Pictures of a train for its pages: the triangle of all pairs of calls, the carriages with their seats, the grid of
seats along the line. Pure, but for the letters of carriages."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import groupby, pairwise
from typing import Final, NamedTuple

from shike.rail.model import Departure
from shike.rail.web import shapes
from shike.rail.web.house import House

SHADES: Final = 6  # of a cell of the triangle: from none left to plenty
FEW: Final = (0, 2, 5, 10, 20)  # up to so many are left in each but the last

FREE, PART, TAKEN = "free", "part", "taken"  # for the trip: all the way, somewhere, nowhere


class Cell(NamedTuple):
    """One pair of calls; `shade` from 0, none left, on."""

    board: int
    alight: int
    left: int
    plenty: bool
    price_cents: int
    shade: int


class Seat(NamedTuple):
    """One seat. `name` is within its carriage."""

    name: str
    full_name: str
    kind: str
    taken: str  # a sign for each segment
    state: str
    before_aisle: bool


class Car(NamedTuple):
    """A carriage: rows of seats."""

    number: str
    rows: list[list[Seat]]
    free: int


class Bar(NamedTuple):
    """A stretch of one seat in the grid."""

    seat: int
    start: int
    length: int
    state: str


def triangle(known: shapes.Availability) -> list[list[Cell]]:
    """Row by row: from each call but the last."""
    rows = []
    for _, row in groupby(sorted(known.pairs, key=lambda one: (one.origin, one.goal)), key=lambda one: one.origin):
        rows.append(
            [
                Cell(one.origin, one.goal, one.left, one.plenty, one.price_cents, shade(one.left, one.plenty))
                for one in row
            ]
        )
    return rows


def shade(left: int, plenty: bool) -> int:
    """How much is left, as one of SHADES."""
    return SHADES - 1 if plenty else next(at for at, most in enumerate(FEW) if left <= most)


def cars(house: House, departure: Departure, known: shapes.SeatMap, board: int, alight: int) -> list[Car]:
    """The carriages of a class, with what each seat is to a trip from `board` to `alight`."""
    letters = {car.number: car.carriage.letters for car in house.trade.trains.of(departure.train).cars}
    found = []
    for number, seats in groupby(known.seats, key=lambda one: one.car):
        gaps = _before_gaps(letters.get(number, ""))
        rows = [
            [_seat(one, gaps, board, alight) for one in row] for _, row in groupby(list(seats), key=lambda one: one.row)
        ]
        found.append(Car(number, rows, sum(seat.state == FREE for row in rows for seat in row)))
    return found


def counts(found: Iterable[Car]) -> dict[str, int]:
    """How many seats are free for a trip, in part, and not at all."""
    states = [seat.state for car in found for row in car.rows for seat in row]
    return {state: states.count(state) for state in (FREE, PART, TAKEN)}


def bars(takes: Iterable[shapes.TakeFacts]) -> list[Bar]:
    """Each take as a bar; what is blocked on segments side by side is one."""
    found: list[Bar] = []
    for take in sorted(takes, key=lambda one: (one.seat, one.start)):
        last = found[-1] if found else None
        is_one = last is not None and (last.seat, last.state, last.start + last.length) == (
            take.seat,
            take.state,
            take.start,
        )
        if last is not None and is_one and take.state == "blocked":
            found[-1] = last._replace(length=last.length + take.end - take.start)
        else:
            found.append(Bar(take.seat, take.start, take.end - take.start, take.state))
    return found


def _seat(one: shapes.SeatFacts, gaps: frozenset[str], board: int, alight: int) -> Seat:
    way = one.taken[board:alight]
    state = PART if "0" in way and "1" in way else TAKEN if "1" in way else FREE
    kind = one.attributes[0] if one.attributes else ""
    letter = one.attributes[1] if len(one.attributes) > 1 else ""
    return Seat(one.name.removeprefix(f"{one.car}-"), one.name, kind, one.taken, state, letter in gaps)


def _before_gaps(letters: str) -> frozenset[str]:
    """The letters after which the aisle comes."""
    return frozenset(letter for letter, after in pairwise(letters) if after == " ")
