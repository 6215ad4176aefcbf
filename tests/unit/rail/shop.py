"""A small railway to buy from: three trains, few seats, a gateway that obeys, and a clock that stands still."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Coroutine, Sequence
from datetime import UTC, date, datetime
from typing import Any, TypeVar

from shike.clock import ManualClock
from shike.rail.carriage import Carriage
from shike.rail.composition import Car, Composition, Trains
from shike.rail.desk import Desk
from shike.rail.fake_gateway import FakeGateway
from shike.rail.journey import Trade, Wish
from shike.rail.keeping import MemoryOrders, MemoryRides
from shike.rail.ladder import known_ladders
from shike.rail.model import Station, Trip
from shike.rail.opening import opening
from shike.rail.order import Order, OrderState, TicketState
from shike.rail.passenger import Passenger, passenger
from shike.rail.seats import available
from shike.rail.tariff import Fare, Tariff
from shike.rail.timetable import Timetable
from shike.reserve.commands import AnyCommand
from shike.reserve.events import AnyEvent
from shike.reserve.ledger import Ledger
from shike.reserve.model import Binding, Refusal
from shike.reserve.state import State

T = TypeVar("T")

NOW = datetime(2026, 11, 19, 8, tzinfo=UTC)
DAY = date(2026, 11, 22)
SECRET = b"the gateway's own secret"
KEY = b"the railway's own key, of bytes"
NAMES = "ABCDEFG"
SEATS = 3
HOUR = 3600


def trip(train: str, stops: str, hour: int) -> Trip:
    """A call each hour."""
    at = tuple((hour + number) * HOUR for number in range(len(stops)))
    return Trip(train, train, tuple(NAMES.index(name) for name in stops), at, at, 0b11)


TRIPS = (
    trip("K1", "ABCD", 8),
    trip("K2", "ABCD", 12),
    trip("K3", "DEFG", 12),
    trip("K5", "DEFG", 10),
    trip("K9", "ABCD", 9),
)
TARIFF = Tariff(
    name="t",
    valid_from=date(2026, 1, 1),
    currency="CNY",
    rounding_cents=50,
    minimum_cents=200,
    shares={Fare.ADULT: 1000, Fare.CHILD: 500},
    classes={"second": ((0, 5000),), "first": ((0, 10000),)},
)


def railway() -> Trade:
    stations = [Station(name, name) for name in NAMES]
    timetable = Timetable(stations=stations, trips=TRIPS, zone_name="Asia/Shanghai", first_day=DAY, day_count=2)
    second, first = Carriage("second", (1, 1), "A BF"), Carriage("first", (1, 1), "A F")
    small = Composition("small", (Car("01", second), Car("02", first)))
    kilometres = {one.id: (0.0, 100.0, 200.0, 300.0) for one in TRIPS}
    return Trade(timetable, Trains({"small": small}, {"K": "small"}), (TARIFF,), known_ladders(), kilometres)


class MemorySeats:
    """Ledgers without a journal, decided in this very moment."""

    def __init__(self) -> None:
        self.ledgers: dict[str, Ledger] = {}

    async def ask(self, ledger: str, command: AnyCommand) -> AnyEvent | Refusal:
        known = self.ledgers.setdefault(ledger, Ledger(ledger))
        answer = known.do(command)
        known.fresh.clear()
        return answer

    async def state(self, ledger: str) -> State:
        return self.ledgers[ledger].state if ledger in self.ledgers else State()


class ToldSeats(MemorySeats):
    """Ledgers that remember what happened to them."""

    def __init__(self) -> None:
        super().__init__()
        self.events: dict[str, list[AnyEvent]] = {}
        self.read: dict[str, int] = {}

    async def ask(self, ledger: str, command: AnyCommand) -> AnyEvent | Refusal:
        known = self.ledgers.setdefault(ledger, Ledger(ledger))
        answer = known.do(command)
        self.events.setdefault(ledger, []).extend(known.fresh)
        known.fresh.clear()
        return answer

    async def new(self, ledger: str) -> list[AnyEvent]:
        found = self.events.get(ledger, [])[self.read.get(ledger, 0) :]
        self.read[ledger] = len(self.events.get(ledger, []))
        return found

    def again(self, ledger: str) -> None:
        self.read.pop(ledger, None)


class Shop:
    """The desk with all that is behind it. K9 has no ledger: it is not on sale."""

    def __init__(self, *, binding: Binding = Binding.ON_DEMAND) -> None:
        self.trade, self.clock = railway(), ManualClock(NOW)
        self.seats, self.orders, self.rides = MemorySeats(), MemoryOrders(), MemoryRides()
        self.gateway = FakeGateway(SECRET)
        self.timers: list[tuple[str, int]] = []
        self.revive()
        for departure in self.trade.timetable.departures(DAY):
            if departure.train != "K9":
                command = opening(
                    self.trade.timetable,
                    departure,
                    self.trade.trains.of(departure.train),
                    at=self.clock.wall(),
                    opens_at=self.clock.wall(),
                    binding=binding,
                )
                self.do(self.seats.ask(departure.key, command))

    def revive(self) -> None:
        """A new process at the desk."""
        self.doom(lambda outside: outside)

    def doom(self, mortal: Callable[[Any], Any]) -> None:
        """A new process at the desk, whose calls to the world outside go through `mortal`."""
        self.desk = Desk(
            self.trade,
            seats=mortal(self.seats),
            orders=mortal(self.orders),
            rides=mortal(self.rides),
            gateway=mortal(self.gateway),
            clock=self.clock,
            key=KEY,
            secret=SECRET,
            later=self._later,
        )

    async def _later(self, order: str, at: int) -> None:
        self.timers.append((order, at))

    @staticmethod
    def do(work: Coroutine[Any, Any, T]) -> T:
        return done(work)

    def hold(self, order: str, *rides: str, people: Sequence[Passenger] = (), class_: str = "second") -> Order:
        """Rides are written `K1 A D`."""
        wishes = [wish(ride, class_) for ride in rides]
        return self.do(self.desk.hold(order, wishes, people or [person(order)]))

    def pay(self, order: str, *, times: int = 1) -> str:
        """Ask for a payment, have it paid, and have it told."""
        payment = self.do(self.desk.pay(order)).rpartition("/")[2]
        self.gateway.pay(payment)
        self.tell(times=times)
        return payment

    def buy(self, order: str, *rides: str, people: Sequence[Passenger] = (), class_: str = "second") -> Order:
        self.hold(order, *rides, people=people, class_=class_)
        self.pay(order)
        return self.get(order)

    def tell(self, *, times: int = 1) -> None:
        """Deliver what the gateway has to tell, and what that leads to. What is not taken it will tell again."""
        while self.gateway.outgoing:
            waiting = list(self.gateway.outgoing)
            self.gateway.outgoing.clear()
            try:
                while waiting:
                    for _ in range(times):
                        self.do(self.desk.hear(waiting[0]))
                    del waiting[0]
            finally:
                self.gateway.outgoing.extendleft(reversed(waiting))

    def get(self, order: str) -> Order:
        return self.do(self.orders.get(order))

    def ring(self) -> None:
        """Let all holds run out whose time is over."""
        due = [order for order, at in self.timers if at <= self.clock.wall()]
        for order in due:
            self.do(self.desk.ring(order))

    def left(self, train: str = "K1", start: int = 0, end: int = 3, class_: str = "second") -> int:
        key = f"{train}/{DAY}/1"
        state = self.do(self.seats.state(key))
        return available(state, class_, start, end, at=self.clock.wall(), channel="online")

    def check(self) -> None:
        """Nothing is oversold, nothing is lost: the ledgers, the orders, the people and the money say the same."""
        live: dict[str, int] = {}
        for key, ledger in self.seats.ledgers.items():
            for one in ledger.state.orders.values():
                if one.live:
                    live[key] = live.get(key, 0) + one.count
        good = (TicketState.RESERVED, TicketState.ISSUED)
        expected: dict[str, int] = {}
        for order in self.orders.all():
            assert not order.to_do, order
            for part in order.parts:
                tickets = [ticket for ticket in part.tickets if ticket.state in good]
                if tickets and order.state is not OrderState.WAITING:
                    expected[part.departure] = expected.get(part.departure, 0) + len(tickets)
                for ticket in part.tickets:
                    rides = [ride for ride in self.rides.of(ticket.person) if ride.departure == part.departure]
                    assert ticket.state not in good or rides
            for payment in order.payments:
                assert payment.kept_cents == self.gateway.balance_cents(payment.id), payment
        assert live == expected
        known = {payment.id for order in self.orders.all() for payment in order.payments}
        assert set(self.gateway.payments()) <= known, "money has come that no order knows of"


def person(name: str, fare: str = "adult") -> Passenger:
    number = hashlib.sha256(name.encode()).hexdigest()[:9].upper()
    return passenger("Somebody", "passport", f"0{number}", fare, day=DAY)


def wish(ride: str, class_: str = "second") -> Wish:
    train, origin, goal = ride.split()
    return Wish(f"{train}/{DAY}/1", class_, origin, goal)


def done(work: Coroutine[Any, Any, T]) -> T:
    """Run a coroutine to its end: nothing here really waits, so it takes no event loop."""
    try:
        work.send(None)
    except StopIteration as ended:
        return ended.value  # type: ignore[no-any-return]
    work.close()
    raise AssertionError("it waits for something")
