"""A payment's states: callbacks are taken once, however often and late they come, and no money is forgotten."""

from __future__ import annotations

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from shike.errors import BadNotice, BadOrder
from shike.rail.fake_gateway import FakeGateway
from shike.rail.payment import (
    ALLOWED,
    ORPHAN,
    Heard,
    Notice,
    NoticeKind,
    Payment,
    PaymentState,
    Refund,
    close,
    give_back,
    hear,
    orphan,
    signed,
    verify,
)

SECRET = b"the gateway's own secret"
OPEN = Payment("o.1", "o", 5_000, "CNY")


def told(kind: str = "paid", cents: int = 5_000, *, id: str = "n1", currency: str = "CNY", refund: str = "") -> Notice:
    return Notice(id, "o.1", NoticeKind(kind), cents, currency, refund)


def paid() -> Payment:
    return hear(OPEN, told())[0]


def test_a_payment_that_comes_in_time_is_the_orders() -> None:
    payment, heard = hear(OPEN, told())
    assert (payment.state, heard, payment.kept_cents) == (PaymentState.PAID, Heard.PAID, 5_000)


@pytest.mark.parametrize("id", ["n1", "n2"])
def test_a_repeated_callback_changes_nothing_under_the_same_id_or_another(id: str) -> None:
    again, heard = hear(paid(), told(id=id))
    assert heard is Heard.REPEATED and again == paid()


def test_a_late_callback_of_a_closed_payment_goes_back_in_the_same_step() -> None:
    late, heard = hear(close(OPEN), told())
    assert (late.state, heard) == (PaymentState.ORPHANED, Heard.ORPHANED)
    assert late.refunds == (Refund(ORPHAN, 5_000),) and late.kept_cents == 0


@pytest.mark.parametrize(("cents", "currency"), [(4_999, "CNY"), (5_001, "CNY"), (5_000, "EUR")])
def test_a_wrong_sum_or_currency_goes_back(cents: int, currency: str) -> None:
    wrong, heard = hear(OPEN, told(cents=cents, currency=currency))
    assert heard is Heard.ORPHANED and wrong.refunds == (Refund(ORPHAN, cents),)


def test_a_failed_payment_may_still_come_and_a_paid_one_does_not_fail() -> None:
    failed, heard = hear(OPEN, told("failed", 0))
    assert (failed.state, heard) == (PaymentState.FAILED, Heard.FAILED)
    assert hear(failed, told(id="n2"))[0].state is PaymentState.PAID
    assert hear(paid(), told("failed", 0, id="n2"))[0].state is PaymentState.PAID
    assert close(failed).state is PaymentState.CLOSED and close(paid()).state is PaymentState.PAID


def test_money_goes_back_once_for_each_key_and_never_more_than_is_kept() -> None:
    part = give_back(paid(), "a", 2_000)
    assert part.kept_cents == 3_000 and give_back(part, "a", 2_000) == part
    assert give_back(part, "b", 0) == part
    for key, cents, words in (
        ("a", 1_000, "was of 2000 cents"),
        ("b", 3_001, "3000 are kept"),
        ("b", -1, "cannot go back"),
    ):
        with pytest.raises(BadOrder, match=words):
            give_back(part, key, cents)


def test_all_of_an_orphan_goes_back_also_what_is_left_after_a_refund() -> None:
    part = orphan(give_back(paid(), "a", 2_000))
    assert part.refunds == (Refund("a", 2_000), Refund(ORPHAN, 3_000)) and orphan(part) == part
    half, heard = hear(part, told("refunded", 2_000, id="n2", refund="a"))
    assert (half.state, heard) == (PaymentState.ORPHANED, Heard.REFUNDED)
    whole, _ = hear(half, told("refunded", 3_000, id="n3", refund=ORPHAN))
    assert whole.state is PaymentState.REFUNDED
    assert hear(whole, told("refunded", 3_000, id="n4", refund=ORPHAN))[1] is Heard.REPEATED


def test_a_refund_that_nobody_asked_for_is_no_news_but_an_alarm() -> None:
    for cents, key in ((2_000, "b"), (1, "a")):
        with pytest.raises(BadNotice, match="that nobody asked for"):
            hear(give_back(paid(), "a", 2_000), told("refunded", cents, id="n2", refund=key))
    with pytest.raises(BadNotice, match="a payment of nothing"):
        hear(OPEN, told(cents=0))
    with pytest.raises(BadNotice, match=r"about payment 'o\.1', not 'o\.2'"):
        hear(replace(OPEN, id="o.2"), told())


def test_a_callback_must_be_signed_and_unchanged() -> None:
    good = signed(told(), SECRET)
    verify(good, SECRET)
    for bad in (
        told(),
        replace(good, amount_cents=1),
        replace(good, id="n2"),
        replace(good, refund="x"),
        replace(good, signature="ü"),
    ):
        with pytest.raises(BadNotice, match="not signed by the gateway"):
            verify(bad, SECRET)
    with pytest.raises(BadNotice, match="not signed"):
        verify(good, SECRET[::-1])
    with pytest.raises(BadNotice, match="16 bytes or more"):
        signed(told(), b"short")
    with pytest.raises(BadNotice, match="less than nothing"):
        verify(signed(told(cents=-1), SECRET), SECRET)


NOTICES = st.builds(
    lambda kind, cents, id, currency, refund: told(kind, cents, id=f"n{id}", currency=currency, refund=refund),
    st.sampled_from([kind.value for kind in NoticeKind]),
    st.sampled_from([5_000, 5_000, 1_000, 0]),
    st.integers(1, 8),
    st.sampled_from(["CNY", "CNY", "EUR"]),
    st.sampled_from(["", "a", "b", ORPHAN]),
)
DEEDS = st.one_of(
    NOTICES, st.sampled_from(["close", "orphan"]), st.tuples(st.sampled_from("ab"), st.integers(0, 5_000))
)


@given(st.lists(DEEDS, max_size=25))
def test_whatever_comes_in_whatever_order_only_allowed_moves_are_made_and_money_adds_up(deeds: list[object]) -> None:
    payment = OPEN
    for deed in deeds:
        before = payment
        try:
            if isinstance(deed, Notice):
                payment, _ = hear(payment, deed)
            elif isinstance(deed, tuple):
                payment = give_back(payment, *deed)
            else:
                payment = close(payment) if deed == "close" else orphan(payment)
        except (BadNotice, BadOrder):
            assert payment == before
        assert payment.state is before.state or payment.state in ALLOWED[before.state]
        assert payment.received_cents == before.received_cents or not before.received_cents  # it comes once
        assert 0 <= payment.kept_cents <= payment.received_cents
        assert set(payment.refunds) >= {refund for refund in before.refunds if refund.is_done}
        assert len({refund.key for refund in payment.refunds}) == len(payment.refunds)
        if payment.state in (PaymentState.ORPHANED, PaymentState.REFUNDED):
            assert payment.kept_cents == 0
        if payment.state in (PaymentState.OPEN, PaymentState.FAILED, PaymentState.CLOSED):
            assert payment.received_cents == 0 and not payment.refunds


def test_the_fake_gateway_pays_once_and_tells_when_told_to() -> None:
    async def story() -> None:
        gateway, heard = FakeGateway(SECRET), []

        async def receive(notice: Notice) -> None:
            verify(notice, SECRET)
            heard.append(notice.kind)

        assert await gateway.open(OPEN) == await gateway.open(OPEN) == "https://pay.example/o.1"
        assert await gateway.ask("o.1") is None
        gateway.fail("o.1")
        gateway.pay("o.1")
        with pytest.raises(BadNotice, match="cannot be paid"):
            gateway.pay("o.1")
        await gateway.deliver(receive, times=2, reverse=True)
        assert heard == [NoticeKind.PAID] * 2 + [NoticeKind.FAILED] * 2
        for _ in range(2):
            await gateway.refund("o.1", "a", 2_000)
        assert gateway.balance_cents("o.1") == 3_000 and len(gateway.outgoing) == 1
        gateway.lose()
        told_again = await gateway.ask("o.1")
        assert not gateway.outgoing and told_again is not None and told_again.kind is NoticeKind.PAID

    asyncio.run(story())


def test_a_closed_payment_is_paid_only_in_the_very_moment() -> None:
    async def story() -> None:
        gateway = FakeGateway(SECRET)
        await gateway.open(OPEN)
        await gateway.close("o.1")
        with pytest.raises(BadNotice, match="is closed"):
            gateway.pay("o.1")
        gateway.pay("o.1", race=True)
        assert gateway.balance_cents("o.1") == 5_000

    asyncio.run(story())
