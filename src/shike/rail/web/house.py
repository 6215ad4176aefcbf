"""What all requests to a railway work at: what is sold, the desk that sells it, who is known, and what was refused."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
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
from shike.rail.opening import ONLINE
from shike.rail.order import Order
from shike.rail.payment import Gateway
from shike.rail.refusals import RefusalBook, Refusals
from shike.rail.seats import Seats
from shike.rail.selling import Openings
from shike.rail.web.sessions import Sessions
from shike.reserve.model import NEVER
from shike.reserve.state import State
from shike.server.opening import Opening


class Books(Orders, RefusalBook, Protocol):
    """Orders that can be listed, and what was refused."""

    async def orders(self, after: str = "", most: int = 1_000) -> list[Order]:
        """Those after a name, by their names."""


class Ledgers(Protocol):
    """Which departures have a ledger."""

    async def ledgers(self, after: str = "", most: int = 1_000) -> list[str]:
        """Those after a name, by their names."""


class House:
    """Of one process. `is_public`: whoever comes may look and buy; else only who has an access key, and who is on this
    machine where the server listens to it alone. `openings`: when trains are put on sale by themselves, where they are.
    """

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
        openings: Openings | None = None,
    ) -> None:
        self.trade, self.desk, self.seats, self.books, self.ledgers = trade, desk, seats, books, ledgers
        self.gateway, self.clock, self.opening, self.is_public = gateway, clock, opening, is_public
        self.disruption = Disruption(seats, books, rides, gateway, clock)
        self.sessions = Sessions(key, clock, entropy)
        self.refusals = Refusals(books)
        self.zone = ZoneInfo(trade.timetable.zone_name)
        self._entropy = entropy
        self._settle = settle
        self._openings = openings

    def deed(self, what: str) -> str:
        """The id of a command that staff give: each is done once, and none is another's repetition."""
        return f"{what}/{self._entropy.token_hex(8)}"

    def departure(self, key: str) -> Departure:
        """Raises `UnknownTrain`."""
        return self.trade.timetable.by_key(key)

    def sale_opens_at(self, departure: Departure, state: State) -> int:
        """When the online sale of a train begins; NEVER: nobody has said so. Of one that has no ledger yet, when the
        schedule of openings will have made it one."""
        if state.version or self._openings is None:
            return state.sale(ONLINE).opens_at
        opens = self._openings.opens_at(departure, self.zone)
        return opens if opens > self.clock.wall() else NEVER

    @property
    def till(self) -> FakeGateway:
        """The gateway that moves no money, whose page is ours. Raises `NotFound` where there is another."""
        if not isinstance(self.gateway, FakeGateway):
            raise NotFound("payments are made elsewhere")
        return self.gateway

    async def settle(self) -> None:
        """See to what deeds have led to: refusals are kept, the gateway has something to tell, who waits gets seats."""
        await self.refusals.keep()
        if isinstance(self.gateway, FakeGateway):
            await self.gateway.deliver(self.desk.hear)
        if self._settle is not None:
            await self._settle()

    def station(self, departure: Departure, position: int) -> str:
        """What the station of a call is called."""
        return self.trade.timetable.stations[departure.trip.stations[position]].name
