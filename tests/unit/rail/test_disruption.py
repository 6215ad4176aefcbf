"""A train that does not run, or with other carriages: nobody keeps a seat that is not there; all get their money."""

from __future__ import annotations

import pytest

from shike.errors import TradeRefused
from shike.rail.carriage import Carriage
from shike.rail.composition import Car, Composition
from shike.rail.disruption import Disruption
from shike.rail.order import OrderState, TicketState, kept_cents
from tests.unit.rail.shop import DAY, Shop, person, wish

K1, K2 = f"K1/{DAY}/1", f"K2/{DAY}/1"
FIRST = Car("02", Carriage("first", (1, 1), "A F"))


def disruption(shop: Shop) -> Disruption:
    return Disruption(shop.seats, shop.orders, shop.rides, shop.gateway, shop.clock)


def cancelled(shop: Shop) -> list[str]:
    about = shop.do(disruption(shop).cancel_run(K1, note="snow"))
    shop.tell()
    return about


def second(letters: str) -> Composition:
    return Composition(f"second {letters}", (Car("01", Carriage("second", (1, 1), letters)), FIRST))


def recomposed(shop: Shop, composition: Composition) -> list[str]:
    lost = shop.do(disruption(shop).recompose(K1, composition))
    shop.tell()
    return lost


def test_a_cancelled_run_gives_all_their_money_back_and_sells_nothing_more() -> None:
    shop = Shop()
    shop.buy("paid", "K1 A D", people=[person("p"), person("q")])
    shop.hold("held", "K1 A B")
    shop.do(shop.desk.wait("waits", wish("K1 A D"), [person("w")], until=shop.clock.wall() + 10**9))
    shop.buy("other", "K2 A D")
    shop.clock.advance(3600)  # whatever the ladder would keep by now
    assert cancelled(shop) == ["held", "paid", "waits"]
    assert shop.get("paid").state is OrderState.CLOSED and kept_cents(shop.get("paid")) == 0
    assert shop.get("held").state is shop.get("waits").state is OrderState.CANCELLED
    assert shop.get("other").state is OrderState.TICKETED
    with pytest.raises(TradeRefused):
        shop.hold("late", "K1 A D")
    assert shop.hold("else", "K2 A D", people=[person("p")]).state is OrderState.HELD
    shop.check()
    assert cancelled(shop) == []


def test_of_a_journey_of_two_trains_the_other_stays() -> None:
    shop = Shop()
    bought = shop.buy("both", "K1 A D", "K3 D G")
    cancelled(shop)
    now = shop.get("both")
    assert [part.tickets[0].state for part in now.parts] == [TicketState.REFUNDED, TicketState.ISSUED]
    assert kept_cents(now) == bought.parts[1].tickets[0].price_cents
    shop.check()


def test_a_change_that_was_under_way_is_called_off_first() -> None:
    shop = Shop()
    shop.buy("old", "K1 A B")
    shop.do(shop.desk.change("old", "new", wish("K2 A D")))
    assert shop.get("old").changing == "new"
    cancelled(shop)
    assert shop.get("new").state is OrderState.CANCELLED and kept_cents(shop.get("old")) == 0
    shop.check()


def test_a_payment_on_its_way_for_a_cancelled_run_goes_back() -> None:
    shop = Shop()
    shop.hold("held", "K1 A D")
    page = shop.do(shop.desk.pay("held")).rpartition("/")[2]
    shop.gateway.pay(page, race=True)
    shop.do(disruption(shop).cancel_run(K1))
    shop.tell()
    assert shop.get("held").state is OrderState.CANCELLED and shop.gateway.balance_cents(page) == 0
    shop.check()


def test_who_sat_in_a_carriage_that_is_gone_sits_elsewhere_or_is_paid_back() -> None:
    shop = Shop()
    shop.buy("one", "K1 A B")
    shop.buy("two", "K1 B D")
    assert recomposed(shop, second("A B")) == []  # there are two seats, and two who fit on one
    shop.check()
    shop.buy("three", "K1 A D")
    lost = recomposed(shop, second("A "))
    assert len(lost) in (1, 2) and all(kept_cents(shop.get(order)) == 0 for order in lost)
    kept = {"one", "two", "three"} - set(lost)
    assert kept and all(shop.get(order).state is OrderState.TICKETED for order in kept)
    shop.check()
    assert recomposed(shop, second("A ")) == []


def test_a_held_order_that_lost_a_seat_is_over() -> None:
    shop = Shop()
    shop.hold("held", "K1 A D", people=[person("p"), person("q"), person("r")])
    assert recomposed(shop, second("A B")) == ["held"]
    assert shop.get("held").state is OrderState.CANCELLED and shop.left() == 2
    shop.check()


def test_a_longer_train_sells_more() -> None:
    shop = Shop()
    for number in range(3):
        shop.buy(f"o{number}", "K1 A D")
    assert shop.left() == 0 and recomposed(shop, second("ABC DF")) == []
    assert shop.left() == 2
    shop.buy("more", "K1 A D")
    shop.check()
