"""The desk over a clerk and its journal on a file: what was sold is there after the process is gone; and who has not
opened a ledger sells nothing of it."""

from __future__ import annotations

import asyncio
from pathlib import Path

from shike.clock import ManualClock
from shike.rail.desk import Desk
from shike.rail.fake_gateway import FakeGateway
from shike.rail.keeping import MemoryOrders, MemoryRides
from shike.rail.offers import offers
from shike.rail.opening import opening
from shike.rail.order import OrderState
from shike.rail.seats import ClerkSeats, table, units_of
from shike.reserve.clerk import Clerk
from shike.reserve.journal import open_journal
from tests.unit.rail.shop import DAY, KEY, NOW, SECRET, person, railway, wish

TRADE = railway()
K1 = TRADE.timetable.departure("K1", DAY)


def test_what_was_sold_is_there_when_the_journal_is_read_again(tmp_path: Path) -> None:
    async def story() -> None:
        clock, gateway, orders = ManualClock(NOW), FakeGateway(SECRET), MemoryOrders()

        async def later(order: str, at: int) -> None: ...

        url = f"sqlite:///{tmp_path}/rail.db"
        journal = open_journal(url)
        async with Clerk(journal) as clerk:
            seats = ClerkSeats(clerk)
            found = await offers(TRADE, seats, "A", "D", DAY, at=clock.wall())
            assert [one.left for offer in found for one in offer.classes] == [0] * 6
            assert table(await seats.state(K1.key), "second") == []
            command = opening(TRADE.timetable, K1, TRADE.trains.of("K1"), at=clock.wall(), opens_at=clock.wall())
            await seats.ask(K1.key, command)
            desk = Desk(
                TRADE,
                seats=seats,
                orders=orders,
                rides=MemoryRides(),
                gateway=gateway,
                clock=clock,
                key=KEY,
                secret=SECRET,
                later=later,
            )
            await asyncio.gather(*(desk.hold(name, [wish("K1 A D")], [person(name)]) for name in "ab"))
            gateway.pay((await desk.pay("a")).rpartition("/")[2])
            await gateway.deliver(desk.hear)
            assert (await orders.get("a")).state is OrderState.TICKETED
            seat = await desk.seats_of("a")
        await journal.close()
        again = open_journal(url)
        async with Clerk(again) as clerk:
            state = await ClerkSeats(clerk).state(K1.key)
            assert table(state, "second")[0] == [1, 1, 1]
            assert [order.state.value for order in state.orders.values()] == ["confirmed", "held"]
            assert [units_of(state, (await orders.get("a")).parts[0].number)] == seat
        await again.close()

    asyncio.run(story())
