"""R1.6, R1.15: a process dies at any point of a sale, before or after what it did took effect; another one goes on.

Each story is told once for each call that it makes to the world outside, and dies there. Whoever bought asks again
under the same names, or is never seen again; the gateway repeats what it was not thanked for; the timers ring. At the
end ledgers, orders, people and money agree, no hold is left, and no money lies about.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from shike.errors import ShikeError
from shike.rail.bounds import HOLD_SECONDS
from shike.rail.order import OrderState
from tests.unit.rail.shop import Shop, person, wish

Story = Callable[[Shop], None]


class Killed(BaseException):
    """The process is gone: nothing of it runs any more."""


class Mortal:
    """What the desk calls outside, counted; at the call of that number the process dies."""

    def __init__(self, outside: Any, fate: Fate) -> None:
        self._outside, self._fate = outside, fate

    def __getattr__(self, name: str) -> Any:
        method = getattr(self._outside, name)

        async def called(*args: Any, **kwargs: Any) -> Any:
            self._fate.count += 1
            dies = self._fate.count == self._fate.dies_at
            if dies and not self._fate.after:
                raise Killed(name)
            try:
                return await method(*args, **kwargs)
            finally:
                if dies:
                    raise Killed(name)

        return called


class Fate:
    def __init__(self, dies_at: int, *, after: bool) -> None:
        self.count, self.dies_at, self.after = 0, dies_at, after


def doomed(fate: Fate) -> Shop:
    shop = Shop()
    shop.doom(lambda outside: Mortal(outside, fate))
    return shop


def buying(shop: Shop) -> None:
    shop.buy("o", "K1 A D", people=[person("a"), person("b")])


def two_trains(shop: Shop) -> None:
    shop.buy("o", "K1 A D", "K3 D G")


def half_a_journey(shop: Shop) -> None:
    """The second train is full: the first is given back."""
    try:
        shop.hold("full", "K3 D G", people=[person(name) for name in "abc"])
        shop.pay("full")
        shop.hold("o", "K1 A D", "K3 D G")
    except ShikeError:
        pass


def refunding(shop: Shop) -> None:
    shop.buy("o", "K1 A D", people=[person("a"), person("b")])
    shop.do(shop.desk.refund("o", 0, [1]))
    shop.tell()


def changing(shop: Shop) -> None:
    shop.buy("o", "K1 A D")
    shop.do(shop.desk.change("o", "n", wish("K2 A D", "first")))
    shop.pay("n")


def changing_cheaper(shop: Shop) -> None:
    shop.buy("o", "K1 A D", class_="first")
    shop.do(shop.desk.change("o", "n", wish("K2 A D")))
    shop.tell()


def changing_and_not_paying(shop: Shop) -> None:
    shop.buy("o", "K1 A D")
    shop.do(shop.desk.change("o", "n", wish("K2 A D", "first")))
    shop.clock.advance(HOLD_SECONDS)
    shop.ring()


def paying_twice_and_late(shop: Shop) -> None:
    shop.hold("o", "K1 A D")
    pages = [shop.do(shop.desk.pay("o")).rpartition("/")[2] for _ in range(2)]
    for page in pages:
        shop.gateway.pay(page)
    shop.clock.advance(HOLD_SECONDS)
    shop.ring()
    shop.tell()


STORIES = (
    buying,
    two_trains,
    half_a_journey,
    refunding,
    changing,
    changing_cheaper,
    changing_and_not_paying,
    paying_twice_and_late,
)


def calls_of(story: Story) -> int:
    fate = Fate(0, after=False)
    story(doomed(fate))
    return fate.count


def go_on(shop: Shop) -> None:
    """Another process takes up the work: unfinished orders, repeated callbacks, and in the end all timers."""
    shop.revive()
    for _ in range(3):
        shop.do(shop.desk.finish_all())
        shop.tell()
    shop.clock.advance(2 * HOLD_SECONDS)
    shop.ring()
    for _ in range(3):
        shop.do(shop.desk.finish_all())
        shop.tell()


def check_over(shop: Shop) -> None:
    shop.check()
    for order in shop.orders.all():
        assert order.state in (OrderState.TICKETED, OrderState.EXPIRED, OrderState.CANCELLED, OrderState.CLOSED)
        assert not order.changing or shop.get(order.changing).state is OrderState.TICKETED
        if order.state is not OrderState.TICKETED and not any(part.is_confirmed for part in order.parts):
            assert all(shop.gateway.balance_cents(payment.id) == 0 for payment in order.payments)
        for payment in order.payments:
            assert all(refund.is_done for refund in payment.refunds)
    for ledger in shop.seats.ledgers.values():
        assert not any(order.state.value == "held" for order in ledger.state.orders.values())


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("story", STORIES, ids=lambda story: story.__name__)
def test_a_sale_that_dies_anywhere_is_ended_by_another_process(story: Story, after: bool) -> None:
    calls = calls_of(story)
    assert calls > 10
    for dies_at in range(1, calls + 1):
        shop = doomed(Fate(dies_at, after=after))
        with pytest.raises(Killed):
            story(shop)
        go_on(shop)
        check_over(shop)


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("story", [buying, two_trains], ids=lambda story: story.__name__)
def test_a_buyer_who_asks_again_under_the_same_name_gets_the_seats_once(story: Story, after: bool) -> None:
    for dies_at in range(1, calls_of(story) + 1):
        shop = doomed(Fate(dies_at, after=after))
        with pytest.raises(Killed):
            story(shop)
        shop.revive()
        shop.do(shop.desk.finish_all())
        shop.tell()
        if not any(order.state is OrderState.TICKETED for order in shop.orders.all()):
            story(shop)
        assert shop.get("o").state is OrderState.TICKETED
        taken = len(shop.get("o").parts[0].tickets)
        assert shop.left("K1") == 3 - taken
        go_on(shop)
        check_over(shop)
