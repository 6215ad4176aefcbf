"""The order's table of states and its steps, alone: each asks for what has to be done, and for nothing else."""

from __future__ import annotations

from datetime import date

import pytest
from msgspec.structs import replace

from shike.errors import BadOrder, TradeRefused
from shike.rail.changing import give_up, mark, take_over, unmark
from shike.rail.order import (
    ALLOWED,
    Act,
    ActKind,
    Order,
    OrderState,
    Part,
    Ticket,
    TicketState,
    ask_payment,
    cancel,
    give_tickets_back,
    kept_cents,
    money_came,
    nothing_to_pay,
    part_confirmed,
    part_refused,
    time_over,
    undone,
)
from shike.rail.payment import Payment, PaymentState, Refund

DAY = date(2026, 11, 22)


def part(departure: str, count: int = 2) -> Part:
    tickets = tuple(Ticket(f"person{number}", 1_000) for number in range(count))
    return Part(departure, 7, "second", 0, 3, 1_000, 2_000, DAY, tickets)


HELD = Order("o", (part("K1"), part("K3")), "CNY", "cn-2020", expires_at=900, due_cents=4_000)


def paid(number: int = 1, cents: int = 4_000) -> Payment:
    return Payment(f"o.{number}", "o", cents, "CNY", PaymentState.PAID, received_cents=cents)


def asked(order: Order = HELD, payments: int = 2) -> Order:
    for number in range(1, payments + 1):
        order = ask_payment(order, Payment(f"o.{number}", "o", 4_000, "CNY"))
    return order


def confirming() -> Order:
    return money_came(asked(), paid()).order


def ticketed() -> Order:
    return part_confirmed(part_confirmed(confirming(), 0).order, 1).order


def kinds(acts: tuple[Act, ...]) -> list[str]:
    return [act.kind.value for act in acts]


def test_every_state_is_in_the_table_and_the_last_three_are_final() -> None:
    assert set(ALLOWED) == set(OrderState)
    assert [state for state, after in ALLOWED.items() if not after] == list(OrderState)[-3:]


def test_money_asks_the_ledger_for_each_train_and_issues_the_tickets_with_the_last() -> None:
    step = money_came(asked(), paid())
    assert step.order.state is OrderState.CONFIRMING and step.order.paid_with == "o.1"
    assert step.acts == (Act(ActKind.CONFIRM, 0, payment="o.1"), Act(ActKind.CONFIRM, 1, payment="o.1"))
    half = part_confirmed(step.order, 1)
    assert half.order.state is OrderState.CONFIRMING and half.acts == ()
    assert part_confirmed(half.order, 1).order == half.order
    whole = part_confirmed(half.order, 0)
    assert whole.order.state is OrderState.TICKETED and kinds(whole.acts) == ["close_payment"]
    assert [one.state for one in whole.order.payments] == [PaymentState.PAID, PaymentState.CLOSED]
    assert {ticket.state for one in whole.order.parts for ticket in one.tickets} == {TicketState.ISSUED}


def test_a_second_payment_goes_back_whatever_the_order_is_about() -> None:
    for order in (confirming(), ticketed(), time_over(asked(), 900).order, cancel(asked()).order):
        step = money_came(order, paid(2))
        assert step.order.payments[1].refunds == (Refund("orphan", 4_000),)
        assert step.acts[-1] == Act(ActKind.REFUND_MONEY, payment="o.2", key="orphan", cents=4_000)
        assert step.order.state is order.state


def test_a_refusal_gives_back_what_is_confirmed_what_is_held_and_the_money() -> None:
    half = part_confirmed(confirming(), 0).order
    step = part_refused(half, 1)
    assert step.order.state is OrderState.EXPIRED and step.order.paid_with == "" and kept_cents(step.order) == 0
    assert kinds(step.acts) == [
        "refund_seats",
        "release",
        "free_people",
        "free_people",
        "refund_money",
        "close_payment",
    ]
    assert part_refused(half, 0).order == half  # what is confirmed is not refused any more
    assert part_refused(ticketed(), 1).acts == () == part_confirmed(step.order, 1).acts


def test_the_timer_ends_what_is_unpaid_and_nothing_else() -> None:
    assert time_over(HELD, 899).order == HELD
    step = time_over(asked(), 900)
    assert step.order.state is OrderState.EXPIRED
    assert kinds(step.acts) == ["expire"] * 2 + ["free_people"] * 2 + ["close_payment"] * 2
    for order in (confirming(), ticketed(), step.order):
        assert time_over(order, 10_000).order == order and time_over(order, 10_000).acts == ()


def test_what_was_refused_by_people_is_not_asked_of_the_ledger() -> None:
    assert "release" in kinds(cancel(HELD).acts) and "release" not in kinds(cancel(HELD, asked=False).acts)
    for order in (confirming(), ticketed()):
        with pytest.raises(TradeRefused, match="give its tickets back"):
            cancel(order)


def test_a_payment_is_of_the_whole_sum_of_an_order_that_is_held() -> None:
    for payment in (Payment("o.1", "o", 3_999, "CNY"), Payment("o.1", "o", 4_000, "EUR")):
        with pytest.raises(BadOrder, match="costs 4000 cents of CNY"):
            ask_payment(HELD, payment)
    with pytest.raises(TradeRefused, match="there is nothing to pay"):
        ask_payment(ticketed(), Payment("o.3", "o", 4_000, "CNY"))
    with pytest.raises(TradeRefused, match="costs 4000 cents"):
        nothing_to_pay(HELD)


def test_money_goes_back_from_the_payments_that_have_it() -> None:
    order = ticketed()
    step = give_tickets_back(order, 0, (0, 1), 1_500)
    assert kept_cents(step.order) == 2_500 and step.order.state is OrderState.TICKETED
    assert step.acts[-1] == Act(ActKind.REFUND_MONEY, payment="o.1", key="o/0/0+1", cents=1_500)
    with pytest.raises(BadOrder, match="2501 cents cannot go back of order o: 2500 are kept"):
        give_tickets_back(step.order, 1, (0,), 2_501)
    last = give_tickets_back(step.order, 1, (0, 1), 2_500)
    assert last.order.state is OrderState.CLOSED and kept_cents(last.order) == 0


def test_a_change_moves_the_money_and_each_half_may_be_done_again() -> None:
    old = replace(ticketed(), parts=ticketed().parts[:1], changing="n")
    new = replace(HELD, id="n", parts=(part("K2"),), due_cents=0, back_cents=500, replaces="o")
    new = part_confirmed(nothing_to_pay(new).order, 0).order
    taken = take_over(new, old)
    assert kept_cents(taken.order) == 3_500 and taken.order.paid_with == "o.1"
    assert {payment.order for payment in taken.order.payments} == {"n"}
    assert take_over(taken.order, old) == (taken.order, ())
    left = give_up(old)
    assert left.order.payments == () and left.order.state is OrderState.CLOSED
    assert give_up(left.order) == (left.order, ())
    assert kinds(left.acts) == ["refund_seats", "free_people"]


def test_only_good_tickets_of_one_train_are_changed_and_by_one_order_at_a_time() -> None:
    good = replace(ticketed(), parts=ticketed().parts[:1])
    assert mark(mark(good, "n"), "n").changing == "n"
    for order, reason in ((mark(good, "m"), "changing"), (HELD, "held"), (ticketed(), "two_trains")):
        with pytest.raises(TradeRefused) as refused:
            mark(order, "n")
        assert refused.value.reason == reason
    assert unmark(mark(good, "n"), "n") == good and unmark(mark(good, "m"), "n").changing == "m"


def test_what_an_order_stands_for_is_all_that_may_be_undone() -> None:
    assert undone(HELD) == () == undone(replace(ticketed(), payments=()))
    assert kinds(undone(confirming())) == ["confirm", "confirm"]
    gone = give_tickets_back(ticketed(), 0, (1,), 900).order
    assert [act for act in undone(gone) if act.kind is not ActKind.CLOSE_PAYMENT] == [
        Act(ActKind.REFUND_SEATS, 0, (1,)),
        Act(ActKind.FREE_PEOPLE, 0, (1,)),
        Act(ActKind.REFUND_MONEY, payment="o.1", key="o/0/1", cents=900),
    ]
    assert kinds(undone(replace(ticketed(), replaces="older")))[0] == "close_old"
    assert kinds(undone(time_over(replace(HELD, replaces="older"), 900).order)) == ["release"] * 2 + [
        "free_people"
    ] * 2 + ["keep_old"]
