"""R1.7: whoever waits at the desk gets what comes free, once, in their order; nothing is held for who has gone."""

from __future__ import annotations

from itertools import count

import pytest

from shike.clock import MICROS
from shike.errors import BadOrder, TradeRefused
from shike.rail.bounds import HOLD_SECONDS
from shike.rail.order import Order, OrderState
from shike.rail.waiting import WaitingList
from tests.unit.rail.shop import Shop, ToldSeats, person, wish

HOUR = 3600


class WaitingShop(Shop):
    """K1 is sold out in second class: three orders of one seat all the way."""

    def __init__(self) -> None:
        super().__init__()
        told = ToldSeats()
        told.ledgers = self.seats.ledgers
        self.seats = told
        self.revive()
        self.news = told
        self.list = WaitingList(self.desk, self.orders, told)
        for number in range(1, 4):
            self.buy(f"o{number}", "K1 A D")
        assert self.left() == 0

    def wait(self, order: str, ride: str = "K1 A D", *, hours: int = 24, who: str = "") -> Order:
        until = self.clock.wall() + hours * HOUR * MICROS
        return self.do(self.desk.wait(order, wish(ride), [person(who or order)], until=until))

    def look(self) -> int:
        return self.do(self.list.look())

    def give_back(self, order: str) -> None:
        self.do(self.desk.refund(order, 0, [0]))
        self.tell()


@pytest.fixture
def shop() -> WaitingShop:
    return WaitingShop()


def test_a_seat_given_back_is_held_for_who_waited_longest_and_paid_for(shop: WaitingShop) -> None:
    assert shop.wait("w1").state is shop.wait("w2").state is OrderState.WAITING
    assert shop.look() == 0
    shop.give_back("o1")
    assert shop.look() == 1 and shop.look() == 0
    first = shop.get("w1")
    assert first.state is OrderState.HELD and first.expires_at == shop.clock.wall() + HOLD_SECONDS * MICROS
    assert shop.get("w2").state is OrderState.WAITING
    shop.pay("w1")
    assert shop.get("w1").state is OrderState.TICKETED
    shop.check()


def test_what_is_not_paid_for_goes_to_the_next(shop: WaitingShop) -> None:
    shop.wait("w1"), shop.wait("w2")
    shop.give_back("o1")
    shop.look()
    shop.clock.advance(HOLD_SECONDS)
    shop.ring()
    assert shop.get("w1").state is OrderState.EXPIRED
    assert shop.look() == 1 and shop.get("w2").state is OrderState.HELD
    shop.check()


def test_the_time_of_a_wait_ends_it_and_frees_the_people(shop: WaitingShop) -> None:
    shop.wait("w1", hours=1)
    with pytest.raises(TradeRefused, match="is on K1"):
        shop.hold("x", "K9 A D", people=[person("w1")])
    shop.clock.advance(HOUR)
    shop.ring()
    assert shop.get("w1").state is OrderState.EXPIRED
    shop.give_back("o1")
    assert shop.look() == 0 and shop.left() == 1
    assert shop.hold("y", "K1 A D", people=[person("w1")]).state is OrderState.HELD


def test_served_and_gone_in_the_same_moment_leaves_nothing_held(shop: WaitingShop) -> None:
    """The ledger has served before it hears that nobody waits any more, and the desk has not looked."""
    shop.wait("w1")
    shop.give_back("o1")
    assert shop.do(shop.desk.cancel("w1")).state is OrderState.CANCELLED
    assert shop.look() == 0 and shop.left() == 1
    shop.check()


def test_a_wait_again_is_the_same_wait(shop: WaitingShop) -> None:
    assert shop.wait("w1") == shop.wait("w1")
    with pytest.raises(BadOrder, match="give yours another name"):
        shop.wait("w1", who="somebody")
    with pytest.raises(BadOrder, match="has passed"):
        shop.wait("w3", hours=0)
    with pytest.raises(TradeRefused) as refused:
        shop.do(shop.desk.pay("w1"))
    assert refused.value.reason == "waiting"


def test_who_joins_while_the_list_is_read_is_not_passed_over(shop: WaitingShop) -> None:
    shop.wait("w1")
    waiting = shop.orders.waiting

    async def then_another_comes() -> list[str]:
        found = await waiting()
        shop.wait("w2")
        shop.give_back("o1")
        shop.give_back("o2")
        return found

    shop.orders.waiting = then_another_comes  # type: ignore[method-assign]
    assert shop.look() == 2
    assert shop.get("w2").state is OrderState.HELD


class Killed(BaseException):
    """The process ends here."""


class Mortal:
    """Something outside that kills the process at its n-th call from now on: before it is done, or after."""

    def __init__(self, outside: object, calls: count[int], at: int, *, after: bool) -> None:
        self._outside, self._calls, self._at, self._after = outside, calls, at, after

    def __getattr__(self, name: str) -> object:
        verb = getattr(self._outside, name)

        async def call(*words: object, **more: object) -> object:
            dies = next(self._calls) == self._at
            if dies and not self._after:
                raise Killed
            answer = await verb(*words, **more)
            if dies:
                raise Killed
            return answer

        return call


@pytest.mark.parametrize("after", [False, True])
@pytest.mark.parametrize("deed", ["wait", "serve", "cancel", "end"])
def test_a_process_that_dies_anywhere_loses_nobody_and_holds_nothing_for_nobody(deed: str, *, after: bool) -> None:
    """R1.15, at each call to the outside."""
    for at in range(60):
        shop = WaitingShop()
        if deed != "wait":
            shop.wait("w1", hours=1)
        if deed == "serve":
            shop.give_back("o1")
        if deed == "end":
            shop.clock.advance(HOUR)
        calls = count()
        shop.doom(lambda outside, calls=calls, at=at: Mortal(outside, calls, at, after=after))
        lists = WaitingList(shop.desk, shop.orders, shop.news)
        try:
            if deed == "wait":
                shop.wait("w1", hours=1)
            elif deed == "serve":
                shop.do(lists.look())
            elif deed == "cancel":
                shop.do(shop.desk.cancel("w1"))
            else:
                shop.do(shop.desk.ring("w1"))
        except Killed:
            pass
        else:
            return
        again(shop, deed)
    raise AssertionError("it never came to its end")


def again(shop: WaitingShop, deed: str) -> None:
    """Another process goes on; at the end one seat is there for whoever is entitled to it."""
    shop.revive()
    shop.news.read.clear()
    shop.list = WaitingList(shop.desk, shop.orders, shop.news)
    shop.do(shop.desk.finish_all())
    if deed == "wait":
        assert shop.wait("w1", hours=1).state is OrderState.WAITING
    elif deed == "cancel":
        shop.do(shop.desk.cancel("w1"))
    shop.ring()
    if deed != "serve":
        shop.give_back("o1")
    shop.look()
    entitled = deed in ("wait", "serve")
    assert (shop.get("w1").state is OrderState.HELD) is entitled
    assert shop.left() == (0 if entitled else 1)
    shop.check()
