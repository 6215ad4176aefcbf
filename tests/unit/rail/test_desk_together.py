"""R1.6: several processes at one order in the same moment, in many orders of their steps; one of them wins, whole."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Coroutine
from typing import Any

import pytest

from shike.errors import BadInput, StoreError, TradeRefused
from shike.rail.bounds import HOLD_SECONDS
from shike.rail.deeds import Deeds
from shike.rail.desk import Desk
from shike.rail.order import OrderState, TicketState
from shike.reserve.events import Held
from tests.unit.rail.shop import Shop, person, wish

ORDERS_OF_STEPS = 20

Deed = Callable[[Desk], Coroutine[Any, Any, Any]]


class Hesitant:
    """Before and after each call to the world outside others may do something."""

    def __init__(self, outside: Any, dice: random.Random) -> None:
        self._outside, self._dice = outside, dice

    def __getattr__(self, name: str) -> Any:
        method = getattr(self._outside, name)

        async def called(*args: Any, **kwargs: Any) -> Any:
            await self._wait()
            answer = await method(*args, **kwargs)
            await self._wait()
            return answer

        return called

    async def _wait(self) -> None:
        for _ in range(self._dice.randrange(4)):
            await asyncio.sleep(0)


def together(shop: Shop, dice: random.Random, *deeds: Deed) -> list[Any]:
    """Each deed by a process of its own; what they give, or were refused with."""
    desks = []
    for _ in deeds:
        shop.doom(lambda outside: Hesitant(outside, dice))
        desks.append(shop.desk)
    shop.revive()

    async def all_at_once() -> list[Any]:
        return await asyncio.gather(
            *(deed(desk) for deed, desk in zip(deeds, desks, strict=True)), return_exceptions=True
        )

    found = asyncio.run(all_at_once())
    for one in found:
        if isinstance(one, BaseException) and not isinstance(one, TradeRefused | BadInput | StoreError):
            raise one
    shop.tell()
    return found


@pytest.fixture(params=range(ORDERS_OF_STEPS))
def dice(request: pytest.FixtureRequest) -> random.Random:
    return random.Random(request.param)


@pytest.fixture
def shop() -> Shop:
    return Shop()


def test_a_payment_and_the_end_of_the_hold(shop: Shop, dice: random.Random) -> None:
    shop.hold("o", "K1 A D", "K3 D G")
    page = shop.do(shop.desk.pay("o")).rpartition("/")[2]
    shop.gateway.pay(page)
    shop.clock.advance(HOLD_SECONDS - dice.choice([0, 0.000001]))
    (notice,) = shop.gateway.outgoing
    shop.gateway.outgoing.clear()
    together(shop, dice, lambda desk: desk.hear(notice), lambda desk: desk.ring("o"), lambda desk: desk.hear(notice))
    shop.clock.advance(1)
    shop.ring()
    state, balance = shop.get("o").state, shop.gateway.balance_cents(page)
    assert (state, balance) in ((OrderState.TICKETED, 30_000), (OrderState.EXPIRED, 0))
    shop.check()


def test_two_payments_at_once(shop: Shop, dice: random.Random) -> None:
    shop.hold("o", "K1 A D", "K3 D G")
    for _ in range(2):
        shop.gateway.pay(shop.do(shop.desk.pay("o")).rpartition("/")[2])
    first, second = shop.gateway.outgoing
    shop.gateway.outgoing.clear()
    together(shop, dice, lambda desk: desk.hear(first), lambda desk: desk.hear(second))
    assert shop.get("o").state is OrderState.TICKETED
    assert sorted(shop.gateway.balance_cents(f"o.{number}") for number in (1, 2)) == [0, 30_000]
    shop.check()


def test_a_hold_and_its_end(shop: Shop, dice: random.Random) -> None:
    """The timer rings while the hold is still being made: so long was the machine asleep."""

    async def late(desk: Desk) -> None:
        for _ in range(dice.randrange(20)):
            await asyncio.sleep(0)
        shop.clock.advance(HOLD_SECONDS)
        await desk.ring("o")

    together(shop, dice, lambda desk: desk.hold("o", [wish("K1 A D"), wish("K3 D G")], [person("o")]), late)
    shop.clock.advance(HOLD_SECONDS)
    shop.ring()
    assert (shop.left("K1"), shop.left("K3")) == (3, 3)
    shop.check()


def test_one_ticket_given_back_twice(shop: Shop, dice: random.Random) -> None:
    shop.buy("o", "K1 A D", people=[person("a"), person("b")])
    found = together(shop, dice, *[lambda desk: desk.refund("o", 0, [1])] * 2)
    assert sum(isinstance(one, int) for one in found) == 1 and shop.gateway.balance_cents("o.1") == 15_750
    shop.check()


def test_a_change_and_a_refund(shop: Shop, dice: random.Random) -> None:
    shop.buy("o", "K1 A D", class_="first")
    together(
        shop,
        dice,
        lambda desk: desk.change("o", "n", wish("K2 A D")),
        lambda desk: desk.refund("o", 0, [0]),
        lambda desk: desk.change("o", "m", wish("K2 A D", "first")),
    )
    shop.clock.advance(HOLD_SECONDS)
    shop.ring()
    shop.tell()
    good = [
        ticket
        for order in shop.orders.all()
        for part in order.parts
        for ticket in part.tickets
        if ticket.state is TicketState.ISSUED
    ]
    assert len(good) <= 1
    shop.check()


def test_one_person_on_two_trains_at_once(shop: Shop, dice: random.Random) -> None:
    together(
        shop,
        dice,
        lambda desk: desk.hold("o", [wish("K1 A D")], [person("b"), person("a")]),
        lambda desk: desk.hold("p", [wish("K1 B D")], [person("a"), person("c")]),
        lambda desk: desk.hold("o", [wish("K1 A D")], [person("b"), person("a")]),
    )
    states = [order.state for order in shop.orders.all()]
    assert states.count(OrderState.HELD) <= 1
    shop.check()


def test_the_last_seats_are_held_by_one_of_two(shop: Shop, dice: random.Random) -> None:
    groups = {name: [person(f"{name}{number}") for number in range(2)] for name in "op"}
    deeds: list[Deed] = [
        lambda desk, name=name, group=group: desk.hold(name, [wish("K1 A D")], group) for name, group in groups.items()
    ]
    together(shop, dice, *deeds)
    assert sorted(order.state for order in shop.orders.all()) == [OrderState.CANCELLED, OrderState.HELD]
    assert shop.left() == 1
    shop.check()


def test_a_process_that_slept_through_the_whole_hold_leaves_nothing_held(shop: Shop) -> None:
    """It fell asleep just before it asked the ledger; then the order was over, and the train full for a while."""
    shop.hold("full", "K1 A D", people=[person(name) for name in "abc"])
    with pytest.raises(TradeRefused):
        shop.hold("o", "K1 A D")
    assert shop.get("o").state is OrderState.CANCELLED
    shop.do(shop.desk.cancel("full"))
    sleeper = Deeds(shop.seats, shop.orders, shop.rides, shop.gateway, shop.clock)
    assert isinstance(shop.do(sleeper.hold_part("o", 0)), Held)
    assert shop.left() == 3
    shop.check()
