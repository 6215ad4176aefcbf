"""A railway at work in one process: ledgers, orders and timers over one SQLite file, and its pages in front.

Beside the ledgers and orders the file has a store of Shike: holds that are over are its delayed runs, sales that open
its schedules, and staff's access keys lie there. A shifted clock lets the railway live in another year than its timers.
"""

from __future__ import annotations

import asyncio
import logging
import secrets
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import date
from pathlib import Path
from typing import Final

from shike.app import Shike
from shike.clock import ShiftedClock, SystemClock
from shike.errors import ShikeError
from shike.ids import SystemEntropy
from shike.rail.counter import SECRET_BYTES, setup_of, trade_of, url_of
from shike.rail.desk import Desk
from shike.rail.fake_gateway import FakeGateway
from shike.rail.seats import ClerkSeats, Seats
from shike.rail.selling import Openings, Selling
from shike.rail.sqlite_books import SQLiteBooks
from shike.rail.tail import Tail
from shike.rail.waiting import WaitingList
from shike.rail.web.house import House
from shike.rail.web.routes import ROOT
from shike.reserve.clerk import Clerk
from shike.reserve.journal import open_journal
from shike.reserve.journal.base import Journal
from shike.reserve.spread.bounds import PARTS
from shike.reserve.spread.owners import Owners
from shike.reserve.spread.spread import Spread
from shike.runtime import Runtime
from shike.server.opening import Opening
from shike.server.serving import is_loopback
from shike.store.opening import open_store

log = logging.getLogger("shike.rail")

OWNERS: Final = "rail_owners"  # what their store is called
SETTLE_SECONDS: Final = 1.0  # between two looks at what the gateway and the waiting lists have to tell


class Till(FakeGateway):
    """A gateway that moves no money and outlives its process: what it was asked for stands in the orders."""

    def __init__(self, secret: bytes, books: SQLiteBooks) -> None:
        super().__init__(secret, f"{ROOT}/pay/")
        self._books = books

    async def refund(self, payment: str, key: str, amount_cents: int) -> None:
        for one in (await self._books.of_payment(payment)).payments:
            await self.open(one)
        await super().refund(payment, key, amount_cents)


@asynccontextmanager
async def open_house(
    file: Path,
    clock: SystemClock | ShiftedClock,
    *,
    host: str,
    is_public: bool = False,
    sell: date | None = None,
    spread: str = "",
) -> AsyncIterator[House]:
    """Everything open and running, until the block ends. `sell`: put all trains of that day on sale. `spread`: a Redis
    through which several such processes share the ledgers of the file. Raises `BadOrder` for a file from which nothing
    was put on sale, `BadFeed` where its timetable is gone."""
    setup = setup_of(file)
    trade, url = trade_of(setup), url_of(file)
    shift = clock.shift if isinstance(clock, ShiftedClock) else 0
    app = Shike(f"{url}?shared=yes", name="rail")  # its tables stand beside those of the ledgers
    async with AsyncExitStack() as stack:
        journal = open_journal(url)
        clerk = await stack.enter_async_context(Clerk(journal))
        stack.push_async_callback(journal.close)
        stack.push_async_callback(clerk.close)
        books = await stack.enter_async_context(SQLiteBooks(url))
        seats: Seats = await stack.enter_async_context(_spread(spread, clerk, journal)) if spread else ClerkSeats(clerk)
        secret = secrets.token_bytes(SECRET_BYTES)
        gateway = Till(secret, books)
        openings = Openings()
        selling = Selling(app, trade, seats, openings)

        async def later(order: str, at: int) -> None:
            await selling.later(order, max(0, at - shift))

        desk = Desk(
            trade, seats=seats, orders=books, rides=books, gateway=gateway, clock=clock, key=bytes.fromhex(setup.key),
            secret=secret, later=later,
        )  # fmt: skip
        waits = WaitingList(desk, books, Tail(journal))
        selling.serve(desk, waits)
        stack.push_async_callback(app.client.close)  # after `running`: who stops says good-bye in the store
        await stack.enter_async_context(app.running())
        if sell is not None:
            log.info("%d trains of %s are on sale", await selling.open_day(sell, clock.wall()), sell)
        house = House(
            trade, desk=desk, seats=seats, books=books, rides=books, ledgers=journal, gateway=gateway, clock=clock,
            entropy=app.runtime.entropy, key=bytes.fromhex(setup.key), opening=Opening(app.client, app),
            is_public=is_public or is_loopback(host), settle=waits.look,
            openings=None if shift else openings,
        )  # fmt: skip
        settling = asyncio.create_task(_settle(house), name="rail:settle")
        try:
            yield house
        finally:
            settling.cancel()
            await asyncio.wait([settling])
            await house.opening.close()


@asynccontextmanager
async def _spread(url: str, clerk: Clerk, journal: Journal) -> AsyncIterator[Seats]:
    """The ledgers, each with one writer among all processes that say the same URL."""
    runtime = Runtime(SystemClock(), SystemEntropy())
    separator = "&" if "?" in url else "?"
    where = f"{url}{separator}virtual_buckets={PARTS}"
    store = open_store(where, namespace=OWNERS, clock=runtime.clock)  # it says so, where the driver is missing

    from shike.reserve.spread.redis_post import RedisPost

    post = RedisPost(url, OWNERS)
    await store.open()
    await post.open()
    owners = Owners(store, runtime)
    await owners.start()
    try:
        async with Spread(owners, clerk, journal, post, reply=owners.identity) as seats:
            yield seats
    finally:
        await owners.stop()
        await post.close()
        await store.close()


async def _settle(house: House) -> None:
    """Now and then: what nobody asks for has to happen all the same."""
    while True:
        try:
            await house.settle()
        except ShikeError as error:
            log.warning("what the gateway or the waiting lists tell is looked at again: %s", error)
        await asyncio.sleep(SETTLE_SECONDS)
