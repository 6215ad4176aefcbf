"""From the ledgers' waiting lists to the desk: who was served.

A ledger serves by itself, after everything by which something comes free. Whoever has to know reads it in what is
committed, and tells the desk; as often as they like, for only the first time counts.
"""

from __future__ import annotations

from typing import Protocol

from shike.errors import NotFound
from shike.rail.deeds import WAIT
from shike.rail.desk import Desk
from shike.rail.keeping import Orders
from shike.reserve.events import AnyEvent, Joined, Served


class News(Protocol):
    """What is new in ledgers: `tail.Tail`."""

    async def new(self, ledger: str) -> list[AnyEvent]:
        """The events since the last call; the first one gives all."""

    def again(self, ledger: str) -> None:
        """The next call gives all."""


class WaitingList:
    """Looks after the orders that wait. One for each process is enough; several do no harm."""

    def __init__(self, desk: Desk, orders: Orders, news: News) -> None:
        self._desk, self._orders, self._news = desk, orders, news
        self._places: dict[tuple[str, int], str] = {}  # (departure, wait) → order

    async def look(self) -> int:
        """Give those who were served their seats; how many there were."""
        count = 0
        departures = {(await self._orders.get(order)).parts[0].departure for order in await self._orders.waiting()}
        for departure in sorted(departures):
            try:
                for event in await self._news.new(departure):
                    count += await self._take(departure, event)
            except BaseException:
                self._news.again(departure)
                raise
        return count

    async def _take(self, departure: str, event: AnyEvent) -> bool:
        """Who has joined since the orders were asked for may be served already, so everybody counts."""
        if isinstance(event, Joined):
            self._places[departure, event.wait] = event.command.removesuffix(WAIT)
        elif isinstance(event, Served):
            order = self._places.pop((departure, event.wait), "")
            try:
                return bool(order) and await self._desk.serve(order, event)
            except NotFound:  # not one of the desk's
                return False
        return False
