"""A counter: one desk over one SQLite file, for as long as somebody stands at it. What `shike rail` sells from.

Beside the file lies another, `FILE.desk`: which timetable is sold from, and the key by which people are known. It is
made once, for its owner's eyes alone. Money is paid in cash, that is by the fake gateway; and because nobody waits
behind the counter, holds that are over are looked for whenever somebody comes to it.
"""

from __future__ import annotations

import secrets
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Final
from urllib.parse import quote

import msgspec
from msgspec import Struct

from shike.clock import Clock
from shike.errors import BadFeed, BadOrder, TradeRefused
from shike.rail.composition import known_trains
from shike.rail.desk import Desk
from shike.rail.fake_gateway import FakeGateway
from shike.rail.gtfs import read_feed
from shike.rail.journey import Trade, Wish
from shike.rail.ladder import known_ladders
from shike.rail.order import Order, OrderState
from shike.rail.passenger import Passenger
from shike.rail.refusals import Refused
from shike.rail.seats import ClerkSeats
from shike.rail.sqlite_books import SQLiteBooks
from shike.rail.tail import Tail
from shike.rail.tariff import known_tariffs
from shike.rail.waiting import WaitingList
from shike.reserve.clerk import Clerk
from shike.reserve.journal import open_journal
from shike.reserve.journal.base import Journal

SECRET_BYTES: Final = 32
OWNER_ONLY: Final = 0o600


class Setup(Struct, frozen=True, forbid_unknown_fields=True):
    """What lies beside the file."""

    feed: str
    currency: str
    key: str  # hexadecimal


class Counter:
    """What one needs to sell. Made by `open_counter`."""

    def __init__(
        self, trade: Trade, journal: Journal, clerk: Clerk, books: SQLiteBooks, clock: Clock, key: str
    ) -> None:
        self.trade, self.journal, self.books, self.clock = trade, journal, books, clock
        self.seats = ClerkSeats(clerk)
        secret = secrets.token_bytes(SECRET_BYTES)  # of this gateway, which ends with this process
        self.gateway = FakeGateway(secret)

        async def later(_order: str, _at: int) -> None:
            """`ring_due` looks for it instead."""

        self.desk = Desk(
            trade,
            seats=self.seats,
            orders=books,
            rides=books,
            gateway=self.gateway,
            clock=clock,
            key=bytes.fromhex(key),
            secret=secret,
            later=later,
        )

        self.waits = WaitingList(self.desk, books, Tail(journal))

    async def ring_due(self) -> int:
        """Do what timers would have done, and what a killed process left half done; how many holds are over."""
        count = 0
        await self.waits.look()
        async for order in all_orders(self.books):
            if order.to_do:
                await self._know(order)
                await self.desk.finish(order.id)
            if order.state in (OrderState.HELD, OrderState.WAITING) and order.expires_at <= self.clock.wall():
                await self.desk.ring(order.id)
                count += 1
        await self.gateway.deliver(self.desk.hear)
        await self.waits.look()  # what came free by this may have served somebody
        return count

    async def hold(self, order: str, wish: Wish, people: Sequence[Passenger], seats: Sequence[str] = ()) -> Order:
        """As `Desk.hold` for one train; a refusal is counted."""
        try:
            return await self.desk.hold(order, [wish], people, seats=seats)
        except TradeRefused as error:
            refused = Refused(wish.departure, error.reason, wish.origin, wish.goal)
            await self.books.add_refusals({refused: 1})
            raise

    async def pay(self, order: str) -> Order:
        """In cash: the whole sum, at once. Raises `TradeRefused` for an order that is not held."""
        page = await self.desk.pay(order)
        self.gateway.pay(page.rpartition("/")[2])
        await self.gateway.deliver(self.desk.hear)
        return await self.books.get(order)

    async def refund(self, order: str, part: int, indices: list[int]) -> int:
        """Cents that are handed out. Raises `TradeRefused`, `BadOrder`."""
        await self._know(await self.books.get(order))
        back = await self.desk.refund(order, part, indices)
        await self.gateway.deliver(self.desk.hear)
        return back

    async def know_payments(self, departure: str) -> None:
        """Tell the gateway of what was paid for a departure: it may all go back."""
        for order in await self.books.orders_on(departure):
            await self._know(await self.books.get(order))

    async def _know(self, order: Order) -> None:
        """The gateway of an earlier process is gone; this one is told what it had."""
        for payment in order.payments:
            await self.gateway.open(payment)


async def all_orders(books: SQLiteBooks) -> AsyncIterator[Order]:
    """By their names, a page at a time."""
    after = ""
    while page := await books.orders(after):
        for order in page:
            yield order
        after = page[-1].id


def set_up(file: Path, feed: Path, currency: str) -> None:
    """Say which timetable is sold from a file, once. Raises `BadOrder` where it is another one already."""
    beside, feed = _beside(file), feed.resolve()
    if not known_tariffs(currency):
        raise BadOrder(f"there is no tariff in {currency[:10]!r}: write EUR or CNY")
    if beside.exists():
        known = setup_of(file)
        if (known.feed, known.currency) != (str(feed), currency):
            raise BadOrder(f"{file} sells {known.feed} in {known.currency} already: use another file for this")
        return
    if file.exists():
        raise BadOrder(f"{file} is there, but not {beside.name}, which has the key of its people: bring it back")
    words = msgspec.json.encode(Setup(str(feed), currency, secrets.token_hex(SECRET_BYTES)))
    beside.touch(OWNER_ONLY, exist_ok=False)
    beside.write_bytes(words)


@asynccontextmanager
async def open_counter(file: Path, clock: Clock) -> AsyncIterator[Counter]:
    """Raises `BadOrder` for a file from which nothing was put on sale, `BadFeed` where its timetable is gone."""
    setup = setup_of(file)
    trade = trade_of(setup)
    url = url_of(file)
    async with AsyncExitStack() as stack:
        journal = open_journal(url)
        clerk = await stack.enter_async_context(Clerk(journal))
        stack.push_async_callback(journal.close)
        stack.push_async_callback(clerk.close)
        books = await stack.enter_async_context(SQLiteBooks(url))
        yield Counter(trade, journal, clerk, books, clock, setup.key)


def trade_of(setup: Setup) -> Trade:
    """What is sold from a file. Raises `BadFeed` where its timetable is gone."""
    return Trade(read_feed(Path(setup.feed)).timetable, known_trains(), known_tariffs(setup.currency), known_ladders())


def url_of(file: Path) -> str:
    """What the journal and the books call it."""
    return f"sqlite:///{quote(str(file))}"


def _beside(file: Path) -> Path:
    return file.with_name(f"{file.name}.desk")


def setup_of(file: Path) -> Setup:
    """What lies beside a file. Raises `BadOrder` for one from which nothing was put on sale."""
    beside = _beside(file)
    try:
        return msgspec.json.decode(beside.read_bytes(), type=Setup)
    except FileNotFoundError:
        raise BadOrder(f"nothing was put on sale from {file}: begin with `shike rail open`") from None
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise BadFeed(f"cannot be read: {error}", file=str(beside)) from error
