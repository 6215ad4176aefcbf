"""What refunds and changes cost, as the rules that a ticket was sold by say (versioned data, pure functions)."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shike.clock import to_micros
from shike.errors import TradeRefused, UnknownTrain
from shike.rail.ladder import HOUR, Onto, Paid, change_quote, known_ladders, ladder_called, refund_fee
from shike.rail.tariff import in_force

LADDERS = known_ladders()
OLD, NEW = LADDERS
DEPARTS = datetime(2026, 11, 22, 8, tzinfo=UTC)
TICKET = Paid(50_000, to_micros(DEPARTS), DEPARTS.date())


def before(**length: float) -> int:
    return TICKET.departs_at - round(timedelta(**length) / timedelta(microseconds=1))


def onto(cents: int = 50_000, *, days: int = 0) -> Onto:
    at = DEPARTS + timedelta(days=days, hours=1)
    return Onto(cents, to_micros(at), at.date())


@pytest.mark.parametrize(
    ("left", "yuan"),
    [
        ({"days": 20}, 0),
        ({"hours": 192}, 0),
        ({"hours": 192, "microseconds": -1}, 25),
        ({"hours": 48}, 25),
        ({"hours": 48, "microseconds": -1}, 50),
        ({"hours": 24}, 50),
        ({"hours": 24, "microseconds": -1}, 100),
        ({"microseconds": 1}, 100),
    ],
)
def test_the_nearer_the_departure_the_dearer_the_refund(left: dict[str, float], yuan: int) -> None:
    assert refund_fee(TICKET, before(**left), NEW) == yuan * 100


@pytest.mark.parametrize(
    ("price", "fee"),
    [(4_400, 200), (4_480, 200), (4_500, 250), (5_400, 250), (5_500, 300), (300, 200), (200, 200), (150, 150), (0, 0)],
)
def test_fees_are_rounded_to_half_a_yuan_are_two_yuan_at_least_and_never_more_than_the_price(
    price: int, fee: int
) -> None:
    assert refund_fee(TICKET._replace(price_cents=price), before(hours=50), NEW) == fee  # of 5 %


def test_after_the_departure_nothing_is_given_back() -> None:
    for late in (0, -1, -100):
        with pytest.raises(TradeRefused, match="the train has left") as refused:
            refund_fee(TICKET, before(hours=late), NEW)
        assert refused.value.reason == "departed"


def test_a_ticket_keeps_the_rules_of_the_day_it_was_sold() -> None:
    assert refund_fee(TICKET, before(days=20), OLD) == 2_500 and refund_fee(TICKET, before(days=20), NEW) == 0
    assert in_force(LADDERS, date(2019, 12, 31)) is OLD and in_force(LADDERS, date(2026, 1, 1)) is NEW
    assert ladder_called(LADDERS, "cn-2013") is OLD
    with pytest.raises(UnknownTrain, match="there are cn-2013, cn-2020"):
        ladder_called(LADDERS, "cn-1999")


@pytest.mark.parametrize(
    ("left", "days", "fee"),
    [
        ({"hours": 48}, 5, 0),  # in good time: free, to any day
        ({"hours": 47}, 0, 0),  # to the same day or an earlier one: free
        ({"hours": 47}, -1, 0),
        ({"hours": 47}, 1, 2_500),
        ({"hours": 24}, 1, 2_500),
        ({"hours": 23}, 1, 7_500),
        ({"hours": 23}, 0, 0),
        ({"minutes": -30}, 0, 0),  # after the departure: free on the same day, else 40 %
        ({"minutes": -30}, 1, 20_000),
    ],
)
def test_changing_is_free_in_good_time_and_on_the_same_day(left: dict[str, float], days: int, fee: int) -> None:
    if days >= 0:
        quote = change_quote(TICKET, onto(days=days), before(**left), NEW)
    else:
        quote = change_quote(TICKET, onto(days=days), before(hours=36), NEW)
    assert (quote.fee_cents, quote.difference_cents, quote.to_pay_cents, quote.to_get_cents) == (fee, 0, fee, 0)


def test_a_dearer_train_is_paid_for_and_a_cheaper_one_gives_back_less_the_refunds_fee() -> None:
    dearer = change_quote(TICKET, onto(80_000, days=1), before(hours=30), NEW)
    assert (dearer.fee_cents, dearer.to_pay_cents, dearer.to_get_cents) == (2_500, 32_500, 0)  # 5 % of the lower fare
    cheaper = change_quote(TICKET, onto(20_000), before(hours=30), NEW)
    assert (cheaper.difference_fee_cents, cheaper.to_pay_cents, cheaper.to_get_cents) == (3_000, 0, 27_000)
    late = change_quote(TICKET, onto(20_000), before(minutes=-30), NEW)
    assert late.difference_fee_cents == 6_000


def test_a_ticket_is_changed_once_and_never_into_a_train_that_has_left() -> None:
    with pytest.raises(TradeRefused, match="changed once") as refused:
        change_quote(TICKET._replace(changes=1), onto(), before(days=5), NEW)
    assert refused.value.reason == "changed_once"
    with pytest.raises(TradeRefused, match="that train has left") as refused:
        change_quote(TICKET, onto(), before(hours=-1), NEW)
    assert refused.value.reason == "departed"


def test_moving_a_ticket_far_away_and_giving_it_back_is_not_free() -> None:
    changed = TICKET._replace(changes=1, moved_at=before(days=15), moved_from=before(days=15) + 24 * HOUR)
    assert refund_fee(changed, before(days=10), NEW) == 2_500  # it would have been 10 % where it was, and 0 where it is
    in_time = changed._replace(moved_from=before(days=15) + 192 * HOUR)
    assert refund_fee(in_time, before(days=10), NEW) == 0
    near = changed._replace(moved_at=before(hours=100))
    assert refund_fee(near, before(hours=60), NEW) == 2_500


def test_in_the_rush_a_changed_ticket_loses_a_fifth_whenever_it_is_given_back() -> None:
    rush = TICKET._replace(day=date(2026, 2, 2))
    assert refund_fee(rush._replace(changes=1), before(days=20), NEW) == 10_000
    assert refund_fee(rush, before(days=20), NEW) == 0
    assert refund_fee(rush._replace(changes=1, day=date(2026, 2, 1)), before(days=20), NEW) == 0


@given(
    st.integers(0, 10**7),
    st.integers(1, 10**7),
    st.integers(1, 400 * 3600),
    st.integers(0, 3),
    st.sampled_from(LADDERS),
)
def test_whatever_is_asked_for_money_is_neither_made_nor_lost(
    price: int, other: int, seconds: int, days: int, ladder: object
) -> None:
    from shike.rail.ladder import Ladder

    assert isinstance(ladder, Ladder)
    ticket, at = TICKET._replace(price_cents=price), before(seconds=seconds)
    fee = refund_fee(ticket, at, ladder)
    assert 0 <= fee <= price
    assert fee <= refund_fee(ticket, before(microseconds=1), ladder)
    quote = change_quote(ticket, onto(other, days=days), at, ladder)
    assert 0 in (quote.to_pay_cents, quote.to_get_cents)
    assert price + quote.to_pay_cents - quote.to_get_cents == other + quote.fee_cents + quote.difference_fee_cents
    assert quote.to_get_cents <= price
