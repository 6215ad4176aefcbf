"""From what somebody wishes to the parts of an order, with their prices; and what giving back or changing them costs.
All pure: the desk holds, keeps and pays what is worked out here.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, timedelta
from typing import Final, NamedTuple

from msgspec import Struct

from shike.errors import BadOrder, BadTrip, TradeRefused
from shike.rail.bounds import PRESALE_DAYS
from shike.rail.changing import good_tickets, paid_of
from shike.rail.composition import Trains, class_of
from shike.rail.ladder import ChangeQuote, Ladder, Onto, change_quote, ladder_called, refund_fee
from shike.rail.model import Leg, Trip
from shike.rail.order import Order, Part, Ticket
from shike.rail.tariff import Fare, Tariff, fare_cents, in_force, kilometres_of
from shike.rail.timetable import Timetable
from shike.reserve.model import Reason, Refusal

BY_NAME: Final = "="  # begins a wish that is a seat's name
TRAINS_MAX: Final = 2  # of one order: two trains make a journey, more are several orders


class Wish(NamedTuple):
    """A ride that somebody wants."""

    departure: str
    class_: str
    origin: str
    goal: str


class Trade(Struct, frozen=True):
    """What is sold, and by which rules."""

    timetable: Timetable
    trains: Trains
    tariffs: tuple[Tariff, ...]
    ladders: tuple[Ladder, ...]
    kilometres: dict[str, tuple[float, ...]] = {}  # of a trip, where they are not worked out from the map

    def kilometres_of(self, trip: Trip) -> tuple[float, ...]:
        """How far each call of a trip is from its first."""
        return self.kilometres.get(trip.id) or kilometres_of(self.timetable.stations, trip)

    def tariff(self, at: int) -> Tariff:
        """The one that tickets are sold by at an instant."""
        return in_force(self.tariffs, self.timetable.local_day(at))

    def ladder(self, at: int) -> Ladder:
        """The one that tickets sold at an instant keep."""
        return in_force(self.ladders, self.timetable.local_day(at))


def journey(trade: Trade, wishes: Sequence[Wish], people: Sequence[tuple[str, Fare]], at: int) -> tuple[Part, ...]:
    """The parts of an order for people (references with their fares) at an instant. Raises `BadOrder`, `BadTrip`,
    `UnknownTrain`, `UnknownStation`."""
    if not 1 <= len(wishes) <= TRAINS_MAX:
        raise BadOrder(f"an order is for one train or two, not {len(wishes)}: make another for the rest")
    parts = tuple(_part(trade, wish, people, at) for wish in wishes)
    if len(parts) == TRAINS_MAX and parts[1].departs_at < parts[0].arrives_at:
        raise BadTrip(f"{parts[1].departure} leaves before {parts[0].departure} has arrived")
    return parts


def change_of(trade: Trade, old: Order, wish: Wish, at: int) -> tuple[Part, list[ChangeQuote]]:
    """The part that the good tickets of an order would become, for the same people, and what that costs for each."""
    leg, class_, kilometres = _ride(trade, wish, at)
    tariff, ladder, of = trade.tariff(at), ladder_called(trade.ladders, old.ladder), old.parts[0]
    day = trade.timetable.local_day(leg.departs_at)
    tickets, quotes = [], []
    for ticket in (of.tickets[index] for index in good_tickets(of)):
        price = fare_cents(tariff, class_, kilometres, ticket.fare)
        tickets.append(Ticket(ticket.person, price, ticket.fare))
        onto = Onto(price, leg.departs_at, day)
        quotes.append(change_quote(paid_of(old, of, ticket.price_cents), onto, at, ladder))
    return _placed(leg, class_, day, tuple(tickets)), quotes


def fees_of(trade: Trade, order: Order, part: int, indices: Sequence[int], at: int) -> list[int]:
    """What is kept back of each of these tickets, given back at an instant. Raises `BadOrder`, `TradeRefused`."""
    if not 0 <= part < len(order.parts) or not all(0 <= index < len(order.parts[part].tickets) for index in indices):
        raise BadOrder(f"order {order.id} has no such ticket: name a train and its tickets, counted from 0")
    ladder, of = ladder_called(trade.ladders, order.ladder), order.parts[part]
    return [refund_fee(paid_of(order, of, of.tickets[index].price_cents), at, ladder) for index in indices]


def check_wishes(trade: Trade, parts: Sequence[Part], seats: Sequence[str]) -> None:
    """What nobody can have is not wished for: the ledger would read it over. Seats by name are as many as passengers,
    of one train. Raises `BadOrder`."""
    named = [seat for seat in seats if seat.startswith(BY_NAME)]
    if named and (len(parts) > 1 or len(set(named)) != len(named) or len(named) != len(parts[0].tickets)):
        raise BadOrder("name as many different seats as there are passengers, on one train; or none")
    for part in parts if seats else ():
        composition = trade.trains.of(part.departure.partition("/")[0])
        (pool,) = (pool for pool in composition.pools() if pool.name == part.class_)
        have = {attribute for unit in pool.units for attribute in unit.attributes}
        if not set(named) <= {f"{BY_NAME}{unit.name}" for unit in pool.units}:
            raise BadOrder(f"{', '.join(named)[:60]} are no seats of {part.class_} on this train")
        if not set(seats) - set(named) <= have:
            words = ", ".join(sorted(have)) or "nothing"
            raise BadOrder(f"{', '.join(seats)[:60]} cannot be wished for in {part.class_}; there are {words}")


def section_of(trade: Trade, wish: Wish) -> tuple[str, str, int, int]:
    """What a wish comes to: departure, class, and the positions between which one rides. Raises as `journey`."""
    departure = trade.timetable.by_key(wish.departure)
    leg = trade.timetable.section(departure, wish.origin, wish.goal)
    return departure.key, class_of(trade.trains.of(departure.train), wish.class_), leg.board, leg.alight


def refused(part: Part, refusal: Refusal) -> TradeRefused:
    """The ledger's reason in the words of the railway."""
    reason = str(refusal.reason)
    match refusal.reason:
        case Reason.FULL | Reason.FRAGMENTED | Reason.WISH:
            left = f"{refusal.available} are left" if refusal.available else "none is left"
            words = f"not so many seats of class {part.class_} are free on {part.departure} all the way: {left}"
        case Reason.QUOTA:
            words = f"no more seats of class {part.class_} are for sale on {part.departure} on this section, or here"
        case Reason.NOT_ON_SALE | Reason.UNKNOWN:
            reason, words = "not_on_sale", f"{part.departure} is not on sale yet"
        case Reason.CLOSED | Reason.PASSED:
            words = f"the sale of {part.departure} from that station is over"
        case Reason.PERSON:
            words = f"one of the passengers has a ticket of {part.departure} already"
        case _:
            words = f"the seats of {part.departure} could not be held: {refusal.reason}"
    return TradeRefused(words, reason=reason, opens_at=refusal.opens_at)


def _part(trade: Trade, wish: Wish, people: Sequence[tuple[str, Fare]], at: int) -> Part:
    leg, class_, kilometres = _ride(trade, wish, at)
    tariff = trade.tariff(at)
    tickets = (Ticket(person, fare_cents(tariff, class_, kilometres, fare), fare) for person, fare in people)
    return _placed(leg, class_, trade.timetable.local_day(leg.departs_at), tuple(tickets))


def _ride(trade: Trade, wish: Wish, at: int) -> tuple[Leg, str, float]:
    departure = trade.timetable.by_key(wish.departure)
    leg = trade.timetable.section(departure, wish.origin, wish.goal)
    _check_day(trade.timetable, leg, at)
    kilometres = trade.kilometres_of(departure.trip)
    class_ = class_of(trade.trains.of(departure.train), wish.class_)
    return leg, class_, kilometres[leg.alight] - kilometres[leg.board]


def _placed(leg: Leg, class_: str, day: date, tickets: tuple[Ticket, ...]) -> Part:
    return Part(leg.departure.key, 0, class_, leg.board, leg.alight, leg.departs_at, leg.arrives_at, day, tickets)


def _check_day(timetable: Timetable, leg: Leg, at: int) -> None:
    day = timetable.local_day(leg.departs_at)
    if leg.departs_at <= at:
        raise BadTrip(f"that train left on {day}: choose one that leaves later")
    last = timetable.local_day(at) + timedelta(days=PRESALE_DAYS)
    if day > last:
        raise BadTrip(f"{day} is not sold yet: today trains to {last} are")
