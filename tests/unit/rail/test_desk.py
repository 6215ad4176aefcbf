"""R1.6, R1.7, R1.15: buying, as a passenger meets it; and nothing oversold, lost or half done, whatever goes wrong."""

from __future__ import annotations

from datetime import timedelta

import pytest
from msgspec.structs import replace

from shike.clock import to_micros
from shike.errors import BadNotice, BadOrder, BadTrip, Conflict, NotFound, TradeRefused, UnknownStation, UnknownTrain
from shike.rail.bounds import HOLD_SECONDS, PAYMENTS_MAX
from shike.rail.order import Order, OrderState, TicketState
from shike.rail.passenger import Passenger
from shike.rail.payment import Heard, PaymentState
from shike.reserve.commands import Release
from tests.unit.rail.shop import DAY, NOW, Shop, person, wish


@pytest.fixture
def shop() -> Shop:
    return Shop()


def states(shop: Shop, order: str) -> list[TicketState]:
    return [ticket.state for part in shop.get(order).parts for ticket in part.tickets]


def reason(refused: pytest.ExceptionInfo[TradeRefused]) -> str:
    return refused.value.reason


def test_seats_are_held_paid_for_and_become_tickets(shop: Shop) -> None:
    held = shop.hold("o", "K1 A D")
    assert (held.state, held.due_cents, held.currency) == (OrderState.HELD, 15_000, "CNY")
    assert held.expires_at == to_micros(NOW) + HOLD_SECONDS * 1_000_000 and shop.timers == [("o", held.expires_at)]
    assert shop.left() == 2
    shop.pay("o")
    assert shop.get("o").state is OrderState.TICKETED and states(shop, "o") == [TicketState.ISSUED]
    assert shop.do(shop.desk.seats_of("o"))[0][0].startswith("01-01")
    shop.check()


def test_the_same_seat_is_sold_to_those_who_follow_each_other(shop: Shop) -> None:
    for ride in ("A B", "B C", "C D"):
        shop.buy(f"o{ride[0]}", f"K1 {ride}")
    assert shop.left() == 2  # R1.3: one seat has been sold three times
    shop.check()


def test_a_group_sits_together_and_a_wish_for_the_window_is_met(shop: Shop) -> None:
    group = [person("a"), person("b"), person("c", "child")]
    held = shop.hold("o", "K1 A D", people=group)
    assert [ticket.price_cents for ticket in held.parts[0].tickets] == [15_000, 15_000, 7_500]
    assert sorted(shop.do(shop.desk.seats_of("o"))[0]) == ["01-01A", "01-01B", "01-01F"]
    alone = shop.do(shop.desk.hold("w", [wish("K2 A D")], [person("w")], seats=["aisle"]))
    assert shop.do(shop.desk.seats_of(alone.id)) == [("01-01B",)]
    with pytest.raises(BadOrder, match="balcony cannot be wished for in second; there are A, B, F, aisle, window"):
        shop.do(shop.desk.hold("x", [wish("K2 A D")], [person("x")], seats=["balcony"]))


def test_unpaid_seats_come_back_when_their_time_is_over_and_not_before(shop: Shop) -> None:
    shop.hold("o", "K1 A D")
    shop.clock.advance(HOLD_SECONDS - 0.001)
    assert shop.do(shop.desk.ring("o")) is OrderState.HELD and shop.left() == 2
    shop.clock.advance(0.001)
    shop.ring()
    assert shop.get("o").state is OrderState.EXPIRED and states(shop, "o") == [TicketState.VOID] and shop.left() == 3
    shop.ring()
    shop.check()


def test_money_that_comes_after_the_time_is_over_goes_back(shop: Shop) -> None:
    shop.hold("o", "K1 A D")
    payment = shop.do(shop.desk.pay("o")).rpartition("/")[2]
    shop.gateway.pay(payment)
    shop.clock.advance(HOLD_SECONDS)
    shop.ring()
    shop.tell(times=2)
    (kept,) = shop.get("o").payments
    assert kept.state is PaymentState.REFUNDED and shop.gateway.balance_cents(payment) == 0
    assert shop.get("o").state is OrderState.EXPIRED
    shop.check()


@pytest.mark.parametrize("late_micros", [-1, 0, 1])
def test_payment_and_expiry_in_one_instant_the_ledger_decides_and_the_money_follows(
    shop: Shop, late_micros: int
) -> None:
    held = shop.hold("o", "K1 A D")
    payment = shop.do(shop.desk.pay("o")).rpartition("/")[2]
    shop.gateway.pay(payment)
    shop.clock.step((held.expires_at + late_micros - shop.clock.wall()) / 1e6)
    shop.tell()  # the payment comes first, the timer is late
    shop.ring()
    is_in_time = late_micros < 0
    assert shop.get("o").state is (OrderState.TICKETED if is_in_time else OrderState.EXPIRED)
    assert shop.gateway.balance_cents(payment) == (15_000 if is_in_time else 0)
    assert shop.left() == (2 if is_in_time else 3)
    shop.check()


def test_an_order_that_is_paid_twice_is_paid_once(shop: Shop) -> None:
    shop.hold("o", "K1 A D")
    first, second = (shop.do(shop.desk.pay("o")).rpartition("/")[2] for _ in range(2))
    shop.gateway.pay(second)
    shop.gateway.pay(first)
    shop.tell(times=3)
    assert shop.get("o").paid_with == second
    assert [shop.gateway.balance_cents(payment) for payment in (first, second)] == [0, 15_000]
    shop.check()


def test_a_callback_that_was_lost_is_asked_for(shop: Shop) -> None:
    shop.hold("o", "K1 A D")
    payment = shop.do(shop.desk.pay("o")).rpartition("/")[2]
    shop.do(shop.desk.ask_again("o"))
    assert shop.get("o").state is OrderState.HELD
    shop.gateway.pay(payment)
    shop.gateway.lose()
    shop.do(shop.desk.ask_again("o"))
    assert shop.get("o").state is OrderState.TICKETED
    shop.check()


def test_what_is_no_callback_of_ours_changes_nothing(shop: Shop) -> None:
    shop.hold("o", "K1 A D")
    shop.gateway.pay(shop.do(shop.desk.pay("o")).rpartition("/")[2])
    notice = shop.gateway.outgoing[0]
    with pytest.raises(BadNotice, match="not signed"):
        shop.do(shop.desk.hear(replace(notice, amount_cents=1)))
    other = Shop()
    with pytest.raises(NotFound):
        other.do(other.desk.hear(notice))
    assert shop.get("o").state is OrderState.HELD
    assert shop.do(shop.desk.hear(notice)) is Heard.PAID


def test_a_callback_that_meets_a_payment_on_its_way_to_another_order_is_to_be_told_again(shop: Shop) -> None:
    shop.buy("o", "K1 A D", class_="first")
    shop.do(shop.desk.change("o", "n", wish("K2 A D")))
    (notice,) = shop.gateway.outgoing

    async def of_payment(payment: str) -> Order:
        return await shop.orders.get("o")  # as it was a moment ago

    real, shop.orders.of_payment = shop.orders.of_payment, of_payment  # type: ignore[method-assign]
    with pytest.raises(Conflict, match="tell it again"):
        shop.do(shop.desk.hear(notice))
    shop.orders.of_payment = real  # type: ignore[method-assign]
    assert shop.do(shop.desk.hear(notice)) is Heard.REFUNDED


def test_an_order_is_cancelled_before_it_is_paid_for_and_given_back_after(shop: Shop) -> None:
    shop.hold("o", "K1 A D")
    payment = shop.do(shop.desk.pay("o")).rpartition("/")[2]
    for _ in range(2):
        assert shop.do(shop.desk.cancel("o")).state is OrderState.CANCELLED
    with pytest.raises(BadNotice, match="is closed"):
        shop.gateway.pay(payment)
    shop.buy("p", "K1 A D")
    with pytest.raises(TradeRefused, match="give its tickets back"):
        shop.do(shop.desk.cancel("p"))
    with pytest.raises(TradeRefused, match="there is nothing to pay"):
        shop.do(shop.desk.pay("p"))
    shop.check()


def test_tickets_are_given_back_one_by_one_less_the_fee(shop: Shop) -> None:
    shop.buy("o", "K1 A D", people=[person("a"), person("b")])
    shop.clock.advance(44 * 3600)  # 20 hours before departure: 20 %
    assert shop.do(shop.desk.refund_quote("o", 0, [1])) == 3_000
    assert shop.do(shop.desk.refund("o", 0, [1])) == 12_000
    shop.tell()
    assert states(shop, "o") == [TicketState.ISSUED, TicketState.REFUNDED] and shop.left() == 2
    assert shop.gateway.balance_cents("o.1") == 18_000
    with pytest.raises(TradeRefused) as refused:
        shop.do(shop.desk.refund("o", 0, [1]))
    assert reason(refused) == "refunded"
    assert shop.do(shop.desk.refund("o", 0, [0])) == 12_000
    shop.tell()
    assert shop.get("o").state is OrderState.CLOSED and shop.gateway.balance_cents("o.1") == 6_000
    shop.hold("again", "K1 A D", people=[person("a"), person("b")])  # they are free to travel
    shop.check()


@pytest.mark.parametrize(("part", "indices"), [(1, [0]), (-1, [0]), (0, [1]), (0, [-1]), (0, []), (0, [0, 0])])
def test_tickets_that_are_not_there_are_not_given_back(shop: Shop, part: int, indices: list[int]) -> None:
    shop.buy("o", "K1 A D")
    with pytest.raises(BadOrder):
        shop.do(shop.desk.refund("o", part, indices))
    assert states(shop, "o") == [TicketState.ISSUED]
    shop.check()


def test_after_departure_nothing_is_given_back(shop: Shop) -> None:
    shop.buy("o", "K1 A D")
    shop.clock.advance(64 * 3600)
    with pytest.raises(TradeRefused) as refused:
        shop.do(shop.desk.refund("o", 0, [0]))
    assert reason(refused) == "departed"


def test_one_person_is_never_on_two_trains_at_once(shop: Shop) -> None:
    shop.buy("o", "K1 A C", people=[person("a")])
    with pytest.raises(TradeRefused, match="is on K1/2026-11-22/1 at that time") as refused:
        shop.hold("p", "K1 B D", people=[person("b"), person("a")])
    assert reason(refused) == "person"
    shop.hold("q", "K1 C D", people=[person("a"), person("b")])
    assert shop.get("p").state is OrderState.CANCELLED and shop.seats.ledgers[f"K1/{DAY}/1"].state.orders_made == 2
    shop.check()


def test_a_journey_with_two_trains_is_held_whole_or_not_at_all(shop: Shop) -> None:
    both = shop.buy("o", "K1 A D", "K3 D G")
    assert both.due_cents == 30_000 and [part.is_confirmed for part in both.parts] == [True, True]
    shop.hold("full", "K3 D G", people=[person("a"), person("b")])
    with pytest.raises(TradeRefused, match=r"K3.* none is left") as refused:
        shop.hold("p", "K1 A D", "K3 D G")
    assert reason(refused) == "full" and shop.left("K1") == 2
    assert shop.get("p").state is OrderState.CANCELLED
    shop.check()
    with pytest.raises(TradeRefused, match="came to nothing"):
        shop.hold("p", "K1 A D", "K3 D G")
    with pytest.raises(BadTrip, match="leaves before K1/2026-11-22/1 has arrived"):
        shop.hold("q", "K1 A D", "K5 D G")


@pytest.mark.parametrize("which", [0, 1])
def test_if_one_of_two_trains_is_not_confirmed_the_other_and_the_money_go_back(shop: Shop, which: int) -> None:
    held = shop.hold("o", "K1 A D", "K3 D G")
    part, other = held.parts[which], held.parts[1 - which]
    shop.do(shop.seats.ask(part.departure, Release("an operator's", shop.clock.wall(), part.number)))
    payment = shop.pay("o")
    assert shop.get("o").state is OrderState.EXPIRED and shop.gateway.balance_cents(payment) == 0
    assert (shop.left("K1"), shop.left("K3")) == (3, 3)
    assert not shop.seats.ledgers[other.departure].state.orphans
    shop.check()


def test_a_change_holds_the_new_seats_first_and_gives_the_old_ones_back_last(shop: Shop) -> None:
    shop.buy("o", "K1 A D")
    quote = shop.do(shop.desk.change_quote("o", wish("K2 A D", "first")))
    assert [(one.fee_cents, one.to_pay_cents) for one in quote] == [(0, 15_000)]
    new = shop.do(shop.desk.change("o", "n", wish("K2 A D", "first")))
    assert (new.state, new.due_cents, new.changes) == (OrderState.HELD, 15_000, 1)
    assert states(shop, "o") == [TicketState.ISSUED] and shop.left("K1") == 2
    for deed in (shop.desk.refund("o", 0, [0]), shop.desk.change("o", "m", wish("K2 A D"))):
        with pytest.raises(TradeRefused, match="is being changed"):
            shop.do(deed)
    shop.pay("n")
    assert states(shop, "o") == [TicketState.CHANGED] and shop.get("o").state is OrderState.CLOSED
    assert shop.get("n").state is OrderState.TICKETED and shop.left("K1") == 3
    assert {payment.id for payment in shop.get("n").payments} == {"n.1", "o.1"}
    assert shop.do(shop.desk.refund("n", 0, [0])) == 28_500  # 5 %, from both payments
    shop.tell()
    assert shop.gateway.balance_cents("o.1") + shop.gateway.balance_cents("n.1") == 1_500
    shop.check()


def test_a_change_into_a_cheaper_train_is_done_at_once_and_gives_money_back(shop: Shop) -> None:
    shop.buy("o", "K1 A D", class_="first")
    new = shop.do(shop.desk.change("o", "n", wish("K2 A D")))
    shop.tell()
    assert new.state is OrderState.TICKETED and states(shop, "o") == [TicketState.CHANGED]
    assert shop.gateway.balance_cents("o.1") == 30_000 - (15_000 - 750)  # the difference, less 5 % of it
    with pytest.raises(TradeRefused, match="changed once"):
        shop.do(shop.desk.change("n", "m", wish("K1 A D")))
    assert shop.do(shop.desk.change("o", "n", wish("K2 A D"))) == shop.get("n")
    shop.check()


def test_a_change_on_the_same_train_is_no_second_ride_of_the_same_person(shop: Shop) -> None:
    shop.buy("o", "K1 A D")
    new = shop.do(shop.desk.change("o", "n", wish("K1 B D")))
    shop.tell()
    assert new.state is OrderState.TICKETED and shop.left("K1") == 2 and shop.left("K1", 0, 1) == 3
    shop.check()


def test_a_change_that_nobody_pays_leaves_the_old_tickets_good(shop: Shop) -> None:
    shop.buy("o", "K1 A D")
    shop.do(shop.desk.change("o", "n", wish("K2 A D", "first")))
    shop.clock.advance(HOLD_SECONDS)
    shop.ring()
    assert shop.get("n").state is OrderState.EXPIRED and states(shop, "o") == [TicketState.ISSUED]
    assert (shop.left("K1"), shop.left("K2", class_="first")) == (2, 2)
    shop.do(shop.desk.change("o", "m", wish("K2 A D")))  # and it may be changed after all
    shop.check()


def test_a_change_into_a_full_train_leaves_all_as_it_was(shop: Shop) -> None:
    shop.buy("o", "K1 A D")
    shop.hold("full", "K2 A D", people=[person(name) for name in "abc"])
    with pytest.raises(TradeRefused, match="none is left"):
        shop.do(shop.desk.change("o", "n", wish("K2 A D")))
    assert shop.get("o").changing == "" and states(shop, "o") == [TicketState.ISSUED]
    shop.buy("other", "K3 D G", people=[person("o")])
    with pytest.raises(TradeRefused) as refused:
        shop.do(shop.desk.change("o", "m", wish("K3 D G")))
    assert reason(refused) == "person" and shop.get("o").changing == ""
    shop.check()


def test_a_journey_with_two_trains_is_not_changed_but_given_back(shop: Shop) -> None:
    shop.buy("o", "K1 A D", "K3 D G")
    with pytest.raises(TradeRefused) as refused:
        shop.do(shop.desk.change("o", "n", wish("K2 A D")))
    assert reason(refused) == "two_trains"
    assert shop.do(shop.desk.refund("o", 1, [0])) == 14_250


def test_a_name_means_one_order_and_the_same_again_is_the_same(shop: Shop) -> None:
    first = shop.hold("o", "K1 A D")
    assert shop.hold("o", "K1 A D") == first and shop.left() == 2
    with pytest.raises(BadOrder, match="it is another one"):
        shop.hold("o", "K2 A D")
    for name in ("", "a b", "x" * 65, "a/b"):
        with pytest.raises(BadOrder, match="names no order"):
            shop.hold(name, "K1 A D")


BAD_PEOPLE: list[tuple[list[Passenger], str]] = [
    ([], "at least one passenger"),
    ([person(name) for name in "abcdef"], "more than the 5"),
    ([person("a"), person("a")], "named twice"),
    ([person("a", "child")], "with an adult"),
]


@pytest.mark.parametrize(("people", "words"), BAD_PEOPLE)
def test_groups_that_cannot_be_hold_nothing(shop: Shop, people: list[Passenger], words: str) -> None:
    with pytest.raises(BadOrder, match=words):
        shop.do(shop.desk.hold("o", [wish("K1 A D")], people))
    assert shop.left() == 3 and not shop.timers


@pytest.mark.parametrize(
    ("rides", "class_", "error", "words"),
    [
        (["K1 D A"], "second", BadTrip, "it does not go back"),
        (["K1 A A"], "second", BadTrip, "the same place"),
        (["K1 A G"], "second", BadTrip, "does not call at G"),
        (["K1 A Z"], "second", UnknownStation, "no station is called 'Z'"),
        (["K1 A D"], "third", UnknownTrain, "there are second, first"),
        (["K7 A D"], "second", UnknownTrain, "no train is called 'K7'; did you mean"),
        (["K1 A B", "K1 B C", "K1 C D"], "second", BadOrder, "one train or two, not 3"),
        ([], "second", BadOrder, "one train or two, not 0"),
    ],
)
def test_trips_that_cannot_be_hold_nothing(
    shop: Shop, rides: list[str], class_: str, error: type[Exception], words: str
) -> None:
    with pytest.raises(error, match=words):
        shop.hold("o", *rides, class_=class_)
    assert shop.left() == 3 and not shop.timers


def test_past_trains_and_far_days_are_not_sold(shop: Shop) -> None:
    shop.clock.advance(timedelta(days=3).total_seconds())
    with pytest.raises(BadTrip, match="that train left on 2026-11-22"):
        shop.hold("o", "K1 A D")
    early = Shop()
    early.clock.step(-timedelta(days=15).total_seconds())
    with pytest.raises(BadTrip, match="2026-11-22 is not sold yet: today trains to 2026-11-19 are"):
        early.hold("o", "K1 A D")


def test_a_train_without_a_ledger_is_not_on_sale_and_one_before_its_hour_says_when(shop: Shop) -> None:
    with pytest.raises(TradeRefused) as refused:
        shop.hold("o", "K9 A D")
    assert (refused.value.reason, refused.value.opens_at) == ("not_on_sale", 0)
    shop.clock.step(-1)
    with pytest.raises(TradeRefused) as refused:
        shop.hold("p", "K1 A D")
    assert (refused.value.reason, refused.value.opens_at) == ("not_on_sale", to_micros(NOW))
    shop.check()


def test_five_minutes_before_departure_the_sale_ends(shop: Shop) -> None:
    left_at = shop.trade.timetable.departure("K1", DAY).departs_at(0)
    shop.clock.step((left_at - shop.clock.wall()) / 1e6 - 299)
    with pytest.raises(TradeRefused, match="is over"):
        shop.hold("o", "K1 A D")
    shop.hold("p", "K1 B D")  # an hour later it can still be boarded there
    shop.check()


def test_tries_to_pay_are_counted(shop: Shop) -> None:
    shop.hold("o", "K1 A D")
    for _ in range(PAYMENTS_MAX):
        shop.do(shop.desk.pay("o"))
    with pytest.raises(TradeRefused, match="8 times"):
        shop.do(shop.desk.pay("o"))
