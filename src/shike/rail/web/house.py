"""What all requests to a railway work at: what is sold, the desk that sells it, who is known, and what was refused."""

from __future__ import annotations

from collections import Counter, OrderedDict
from collections.abc import Awaitable, Callable, Mapping
from typing import Protocol
from zoneinfo import ZoneInfo

from shike.clock import Clock
from shike.errors import NotFound
from shike.ids import Entropy
from shike.rail.desk import Desk
from shike.rail.disruption import Disruption
from shike.rail.fake_gateway import FakeGateway
from shike.rail.journey import Trade
from shike.rail.keeping import Orders, Rides
from shike.rail.model import Departure
from shike.rail.order import Order
from shike.rail.payment import Gateway
from shike.rail.seats import Seats
from shike.rail.web.bounds import REFUSALS_KEPT
from shike.rail.web.sessions import Sessions
from shike.server.opening import Opening


class Books(Orders, Protocol):
    """Orders that can be listed."""

    async def orders(self, after: str = "", most: int = 1_000) -> list[Order]:
        """Those after a name, by their names."""


class Ledgers(Protocol):
    """Which departures have a ledger."""

    async def ledgers(self, after: str = "", most: int = 1_000) -> list[str]:
        """Those after a name, by their names."""


class Refusals:
    """How often holds were refused, by cause and section, since this process began."""

    def __init__(self) -> None:
        self._kept: OrderedDict[str, Counter[tuple[str, str, str]]] = OrderedDict()

    def note(self, departure: str, reason: str, origin: str, goal: str) -> None:
        """One more. The departure that was refused for longest ago is forgotten beyond REFUSALS_KEPT."""
        self._kept.setdefault(departure, Counter())[reason, origin, goal] += 1
        self._kept.move_to_end(departure)
        if len(self._kept) > REFUSALS_KEPT:
            self._kept.popitem(last=False)

    def of(self, departure: str) -> Mapping[tuple[str, str, str], int]:
        """By (reason, from, to)."""
        return self._kept.get(departure, Counter())


class House:
    """Of one process. `is_public`: whoever comes may look and buy; else only who has an access key, and who is on this
    machine where the server listens to it alone."""

    def __init__(
        self,
        trade: Trade,
        *,
        desk: Desk,
        seats: Seats,
        books: Books,
        rides: Rides,
        ledgers: Ledgers,
        gateway: Gateway,
        clock: Clock,
        entropy: Entropy,
        key: bytes,
        opening: Opening,
        is_public: bool = False,
        settle: Callable[[], Awaitable[object]] | None = None,
    ) -> None:
        self.trade, self.desk, self.seats, self.books, self.ledgers = trade, desk, seats, books, ledgers
        self.gateway, self.clock, self.opening, self.is_public = gateway, clock, opening, is_public
        self.disruption = Disruption(seats, books, rides, gateway, clock)
        self.sessions = Sessions(key, clock, entropy)
        self.refusals = Refusals()
        self.zone = ZoneInfo(trade.timetable.zone_name)
        self._entropy = entropy
        self._settle = settle

    def deed(self, what: str) -> str:
        """The id of a command that staff give: each is done once, and none is another's repetition."""
        return f"{what}/{self._entropy.token_hex(8)}"

    def departure(self, key: str) -> Departure:
        """Raises `UnknownTrain`."""
        return self.trade.timetable.by_key(key)

    @property
    def till(self) -> FakeGateway:
        """The gateway that moves no money, whose page is ours. Raises `NotFound` where there is another."""
        if not isinstance(self.gateway, FakeGateway):
            raise NotFound("payments are made elsewhere")
        return self.gateway

    async def settle(self) -> None:
        """See to what deeds have led to elsewhere: callbacks of the gateway, seats for those who wait."""
        if isinstance(self.gateway, FakeGateway):
            await self.gateway.deliver(self.desk.hear)
        if self._settle is not None:
            await self._settle()

    def station(self, departure: Departure, position: int) -> str:
        """What the station of a call is called."""
        return self.trade.timetable.stations[departure.trip.stations[position]].name
