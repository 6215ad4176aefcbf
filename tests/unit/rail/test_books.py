"""Where orders and rides are kept, in memory and on a file: one suite holds both."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack, closing
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from shike.errors import BadStoreURL, Conflict, ForeignStore, NotFound, StoreUnavailable, TradeRefused
from shike.rail.changing import mark
from shike.rail.keeping import MemoryOrders, MemoryRides
from shike.rail.order import Order, give_tickets_back
from shike.rail.passenger import Ride
from shike.rail.payment import Payment
from shike.rail.refusals import MemoryRefusals, Refusals, Refused
from shike.rail.sqlite_books import SQLiteBooks
from tests.unit.rail.test_order import HELD, asked, ticketed

Test = Callable[[Any, Any], Awaitable[None]]


@pytest.fixture(params=["memory", "sqlite"])
def books(request: pytest.FixtureRequest, tmp_path: Path) -> Callable[[Test], None]:
    """Runs a test with (orders, rides)."""

    async def with_books(test: Test) -> None:
        if request.param == "memory":
            await test(MemoryOrders(), MemoryRides())
        else:
            async with SQLiteBooks(f"sqlite:///{tmp_path}/rail.db?synchronous=normal") as found:
                await test(found, found)

    return lambda test: asyncio.run(with_books(test))


def test_an_order_is_read_as_it_was_put_and_its_version_grows(books: Callable[[Test], None]) -> None:
    async def test(orders: Any, _: Any) -> None:
        order: Order = HELD
        for number, changed in enumerate((HELD, asked(), give_tickets_back(ticketed(), 0, (1,), 900).order), start=1):
            order = await orders.put(replace(changed, version=order.version))
            assert order.version == number and await orders.get("o") == order
        for missing in (orders.get("none"), orders.of_payment("none.1")):
            with pytest.raises(NotFound, match="there is no"):
                await missing

    books(test)


def test_who_has_an_older_version_is_refused_and_changes_nothing(books: Callable[[Test], None]) -> None:
    async def test(orders: Any, _: Any) -> None:
        first = await orders.put(HELD)
        await orders.put(replace(first, changes=1))
        for stale in (HELD, first, replace(first, version=7)):
            with pytest.raises(Conflict, match="read it again"):
                await orders.put(replace(stale, payments=(Payment("o.9", "o", 1, "CNY"),)))
        assert (await orders.get("o")).changes == 1
        with pytest.raises(NotFound):
            await orders.of_payment("o.9")

    books(test)


def test_a_payment_belongs_to_the_order_that_was_put_with_it_last(books: Callable[[Test], None]) -> None:
    async def test(orders: Any, _: Any) -> None:
        old = await orders.put(asked())
        assert (await orders.of_payment("o.1")).id == "o"
        await orders.put(replace(asked(), id="n"))
        await orders.put(replace(mark(replace(ticketed(), parts=old.parts[:1], version=1), "n"), payments=()))
        assert (await orders.of_payment("o.1")).id == "n"

    books(test)


def test_what_is_to_do_is_found_until_it_is_done(books: Callable[[Test], None]) -> None:
    async def test(orders: Any, _: Any) -> None:
        order = await orders.put(replace(HELD, to_do=(1,)))
        await orders.put(replace(HELD, id="rests"))
        assert await orders.unfinished() == ["o"]
        await orders.put(replace(order, to_do=()))
        assert await orders.unfinished() == []

    books(test)


def test_a_person_is_claimed_once_for_one_ride_and_never_for_two_at_once(books: Callable[[Test], None]) -> None:
    async def test(_: Any, rides: Any) -> None:
        for _again in range(2):
            await rides.claim("a", Ride(100, 200, "K1"), "o")
        await rides.claim("a", Ride(200, 300, "K2"), "p")
        await rides.claim("b", Ride(100, 200, "K1"), "o")
        for departure in ("K3", "K1"):
            with pytest.raises(TradeRefused, match="the passenger is on K1 at that time"):
                await rides.claim("a", Ride(150, 160, departure), "q")
        await rides.claim("a", Ride(150, 160, "K3"), "q", instead_of="o")
        await rides.free("a", "K1", "o")
        await rides.free("a", "K3", "q")
        await rides.claim("a", Ride(100, 200, "K4"), "r")

    books(test)


def test_what_was_kept_on_a_file_is_there_again_and_two_processes_share_it(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/rail.db"

    async def story() -> None:
        async with AsyncExitStack() as stack:
            one, other = [await stack.enter_async_context(SQLiteBooks(url)) for _ in range(2)]
            await one.put(HELD)
            seen = [await books.get("o") for books in (one, other)]
            found = await asyncio.gather(
                *(
                    books.put(replace(order, changes=number))
                    for number, (books, order) in enumerate(zip((one, other), seen, strict=True))
                ),
                return_exceptions=True,
            )
            assert sorted(type(answer).__name__ for answer in found) == ["Conflict", "Order"]
            claims = (
                books.claim("a", Ride(1, 2, f"K{number}"), f"o{number}") for number, books in enumerate((one, other))
            )
            refused = await asyncio.gather(*claims, return_exceptions=True)
            assert sorted(type(answer).__name__ for answer in refused) == ["NoneType", "TradeRefused"]
        async with SQLiteBooks(url) as again:
            assert (await again.get("o")).version == 2

    asyncio.run(story())


def test_a_file_that_cannot_be_used_is_told_by_its_name(tmp_path: Path) -> None:
    async def story() -> None:
        for url in ("redis://localhost/0", "rail.db"):
            with pytest.raises(BadStoreURL):
                SQLiteBooks(url)
        with pytest.raises(StoreUnavailable, match="is not open; open its books"):
            await SQLiteBooks(f"sqlite:///{tmp_path}/rail.db").get("o")
        async with SQLiteBooks(f"sqlite:///{tmp_path}/rail.db") as books:
            await books.put(HELD)
            with closing(sqlite3.connect(tmp_path / "rail.db")) as db, db:
                db.execute("update rail_orders set body = '{'")
            with pytest.raises(ForeignStore, match=r"rail\.db holds what this program cannot read"):
                await books.get("o")

    asyncio.run(story())


def test_refusals_add_up_over_processes_and_restarts(tmp_path: Path) -> None:
    """What could not be written is not forgotten, and counted once."""
    one, other = Refused("K1/2026-11-22/1", "full", "A", "D"), Refused("K1/2026-11-23/1", "quota", "A", "B")
    day = date(2026, 11, 22)

    async def test(book: Any) -> None:
        here, there = Refusals(book), Refusals(book)
        for _ in range(3):
            here.note(*one)
        there.note(*one)
        there.note(*other)
        await there.keep()
        assert await here.on(one.departure) == {one: 4} and await there.on(other.departure) == {other: 1}
        assert await there.of_day(day) == {one.departure: 4}
        add, book.add_refusals = book.add_refusals, _unavailable
        here.note(*one)
        with pytest.raises(StoreUnavailable):
            await here.keep()
        book.add_refusals = add
        assert await here.on(one.departure) == await here.on(one.departure) == {one: 5}

    async def on_a_file() -> None:
        url = f"sqlite:///{tmp_path}/rail.db?synchronous=normal"
        async with SQLiteBooks(url) as book:
            await test(book)
        async with SQLiteBooks(url) as book:
            assert await book.refusals_on(one.departure) == {one: 5}

    asyncio.run(test(MemoryRefusals()))
    asyncio.run(on_a_file())


async def _unavailable(_counts: object) -> None:
    raise StoreUnavailable("planned")
