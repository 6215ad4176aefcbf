"""A train that does not run, or runs with other carriages: who loses their seats, and gets all their money back.

The ledger hears of it first: nothing is sold any more, or it says who can sit elsewhere and who is displaced. Then each
order is seen to by itself; all of it may be done again, so a process that died in the middle is made up for by asking
once more.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial
from typing import Final

from shike.clock import Clock
from shike.errors import Conflict
from shike.rail.changing import good_tickets
from shike.rail.composition import Composition
from shike.rail.deeds import Deeds
from shike.rail.keeping import Orders, Rides
from shike.rail.order import Order, OrderState, Step, cancel, give_tickets_back, kept_cents
from shike.rail.payment import Gateway
from shike.rail.seats import Seats
from shike.reserve import commands
from shike.reserve.events import Blocked

ROUNDS: Final = 8  # until an order that is being paid for in this moment has come to rest


class Disruption:
    """Over the same ledgers and orders as the desk."""

    def __init__(self, seats: Seats, orders: Orders, rides: Rides, gateway: Gateway, clock: Clock) -> None:
        self._seats, self._orders, self._rides, self._clock = seats, orders, rides, clock
        self._deeds = Deeds(seats, orders, rides, gateway, clock)

    async def cancel_run(self, departure: str, *, note: str = "") -> list[str]:
        """The train does not run: nothing is sold of it any more, who holds or waits for seats gets none, tickets are
        given back at their full price. Of an order of two trains the other one stays. The orders it was about.

        Raises `Conflict` where an order does not come to rest: ask again."""
        await self._seats.ask(departure, commands.Cancel(f"cancel/{departure}", self._clock.wall(), note))
        about: dict[str, None] = {}
        for _ in range(ROUNDS):
            orders = await self._rides.orders_on(departure)
            if not orders:
                return list(about)
            for order in orders:
                about[order] = None
                await self._take_from(order, departure, None)
        raise Conflict(f"some orders of {departure} are being changed all the time: cancel it again")

    async def recompose(self, departure: str, composition: Composition) -> list[str]:
        """The train has other carriages: units that it lost are blocked, those that it has anew are for sale. Whoever
        sat in a lost one sits elsewhere in their class; where there is no seat left, they are given all their money
        back, and an order that is not paid for yet is over. The orders that lost something.

        Carriages are told apart by the names of their seats. Those who stand are not counted anew."""
        state, lost = await self._seats.state(departure), []
        wanted = {pool.name: {unit.name: unit for unit in pool.units} for pool in composition.pools()}
        last = state.origin + state.segments
        for name, pool in list(state.pools.items()):
            if not pool.pool.units:
                continue
            have, now = wanted.get(name, {}), self._clock.wall()
            id = f"{departure}/{composition.name}/{name}"
            known = {unit.name for unit in pool.pool.units}
            added = tuple(unit for unit in have.values() if unit.name not in known)
            if added:
                await self._seats.ask(departure, commands.AddUnits(f"add/{id}", now, name, added))
            gone = tuple(number for number, unit in enumerate(pool.pool.units) if unit.name not in have)
            if gone:
                words = commands.Block(f"block/{id}", now, name, gone, state.origin, last, composition.name)
                told = await self._seats.ask(departure, words)
                if isinstance(told, Blocked):
                    lost += await self._displaced(departure, told.displaced)
        return lost

    async def _displaced(self, departure: str, takes: Iterable[tuple[int, int]]) -> list[str]:
        by_order: dict[int, list[int]] = {}
        for number, index in takes:
            by_order.setdefault(number, []).append(index)
        lost = []
        for order in await self._rides.orders_on(departure):
            known = await self._orders.get(order)
            for part in known.parts:
                if part.departure == departure and part.number in by_order:
                    await self._take_from(order, departure, by_order[part.number])
                    lost.append(order)
        return lost

    async def _take_from(self, order: str, departure: str, indices: list[int] | None) -> None:
        """Take seats of a departure (None: all) from an order, and give back whatever was paid for them."""
        known = await self._deeds.finish(order)
        if known.changing:  # the old tickets are what goes back
            await self._deeds.step(known.changing, _over)
        if known.state in (OrderState.HELD, OrderState.WAITING):
            await self._deeds.step(order, _over)
            return
        for at, part in enumerate(known.parts):
            if part.departure == departure:
                await self._deeds.step(order, partial(_given_back, at=at, indices=indices))


def _over(order: Order) -> Step:
    """Given up, unless it was paid for in this moment: then the next round has it."""
    return cancel(order) if order.state in (OrderState.HELD, OrderState.WAITING) else Step(order)


def _given_back(order: Order, at: int, indices: list[int] | None) -> Step:
    good = good_tickets(order.parts[at])
    chosen = good if indices is None else tuple(index for index in indices if index in good)
    if order.state is not OrderState.TICKETED or order.changing or not chosen:
        return Step(order)
    price = sum(order.parts[at].tickets[index].price_cents for index in chosen)
    return give_tickets_back(order, at, chosen, min(price, kept_cents(order)))
