"""Hold, pay, expire, give back, change: each order ends once, and no payment is lost (R1.6, R1.7)."""

from __future__ import annotations

from typing import Any

import pytest

from shike.errors import BadCommand
from shike.reserve import commands, events
from shike.reserve.model import OrderState, Reason, Sale
from shike.reserve.query import alternatives, available, why
from tests.unit.reserve.worlds import AT, MINUTE, ask, held, hold, opened, pool, refused, sold

LATE = AT + 15 * MINUTE


def test_a_hold_lasts_a_quarter_of_an_hour_and_comes_back() -> None:
    ledger = opened(pool(size=1))
    order = held(hold(ledger, 0, 3))
    assert order.expires_at == LATE
    early = refused(ask(ledger, commands.Expire, order.order, at=LATE - 1))
    assert (early.reason, early.opens_at) == (Reason.EARLY, LATE)
    assert isinstance(ask(ledger, commands.Expire, order.order, at=LATE), events.Expired)
    assert available(ledger.state, "seat", 0, 3, at=LATE) == 1
    assert refused(ask(ledger, commands.Expire, order.order, at=LATE)).state == "expired"


def test_payment_and_expiry_in_one_instant_are_decided_by_which_is_heard_first() -> None:
    """Just before, the payment counts and the timer is answered; from then on it is kept to be paid back, whether the
    timer has rung already or not."""
    ledger = opened(pool(size=3))
    paid, late, rung = (held(hold(ledger, 0, 3)).order for _ in range(3))
    assert isinstance(ask(ledger, commands.Confirm, paid, "a", at=LATE - 1), events.Confirmed)
    assert refused(ask(ledger, commands.Expire, paid, at=LATE)).state == "confirmed"
    assert isinstance(ask(ledger, commands.Confirm, late, "b", at=LATE), events.PaymentOrphaned)
    assert isinstance(ask(ledger, commands.Expire, late, at=LATE), events.Expired)
    assert isinstance(ask(ledger, commands.Expire, rung, at=LATE), events.Expired)
    # a clock that was set back changes nothing: what came first in the log counts
    assert isinstance(ask(ledger, commands.Confirm, rung, "c", at=LATE - MINUTE), events.PaymentOrphaned)
    assert ledger.state.orphans == {"b": late, "c": rung}


def test_a_payment_is_kept_once_however_often_it_is_told() -> None:
    ledger = opened()
    order = held(hold(ledger, 0, 3)).order
    assert isinstance(ask(ledger, commands.Confirm, order, "a"), events.Confirmed)
    assert refused(ask(ledger, commands.Confirm, order, "a")).state == "confirmed"
    assert isinstance(ask(ledger, commands.Confirm, order, "again"), events.PaymentOrphaned)
    assert refused(ask(ledger, commands.Confirm, order, "again")).reason is Reason.ENDED
    assert isinstance(ask(ledger, commands.Confirm, 99, "for nothing"), events.PaymentOrphaned)
    assert refused(ask(ledger, commands.Confirm, 99)).reason is Reason.UNKNOWN


def test_a_command_that_is_repeated_is_done_once_and_its_id_serves_for_nothing_else() -> None:
    ledger = opened(pool(size=5))
    command = commands.Hold("mine", AT, "seat", 0, 2)
    first = ledger.do(command)
    again = commands.Hold("mine", AT + MINUTE, "seat", 0, 2)
    assert ledger.do(again) is first and len(ledger.state.orders) == 1
    for other in (
        commands.Hold("mine", AT, "seat", 0, 3),
        commands.Hold("mine", AT, "seat", 0, 2, count=2),
        commands.Hold("mine", AT, "seat", 0, 2, people=("p",)),
        commands.Release("mine", AT, 1),
    ):
        assert refused(ledger.do(other)).reason is Reason.REPEATED


def test_a_repeat_is_known_for_a_day() -> None:
    ledger = opened(pool(size=3), segments=1)
    command = commands.Hold("mine", AT, "seat", 0, 1)
    ledger.do(command)
    tomorrow = AT + 25 * 60 * MINUTE
    for _ in range(300):
        order = held(hold(ledger, 0, 1, at=tomorrow)).order
        ask(ledger, commands.Release, order, at=tomorrow)
    assert "mine" not in ledger.state.done and len(ledger.state.done) < 900


def test_takes_are_given_back_one_by_one_or_all_and_only_when_paid() -> None:
    ledger = opened(pool(size=3))
    order = sold(ledger, 0, 3, count=3, people=("p", "q", "r"))
    with pytest.raises(BadCommand):
        ask(ledger, commands.Refund, order, (0, 0))
    assert isinstance(ask(ledger, commands.Refund, order, (1,), 500), events.Refunded)
    assert refused(ask(ledger, commands.Refund, order, (1,))).state == "refunded"
    assert [take.who for take in ledger.state.takes(ledger.state.orders[order])] == ["p", "r"]
    held(hold(ledger, 0, 3, people=("q",)))
    answer = ask(ledger, commands.Refund, order)
    assert isinstance(answer, events.Refunded) and answer.indices == (0, 2)
    assert ledger.state.orders[order].state is OrderState.REFUNDED
    unpaid = held(hold(ledger, 0, 1)).order
    assert refused(ask(ledger, commands.Refund, unpaid)).state == "held"


def test_nobody_has_two_takes_that_overlap() -> None:
    ledger = opened(pool(size=9), segments=4)
    held(hold(ledger, 0, 2, people=("p",)))
    refusal = refused(hold(ledger, 1, 3, count=2, people=("q", "p")))
    assert (refusal.reason, refusal.who) == (Reason.PERSON, "p")
    order = sold(ledger, 2, 4, people=("p",))  # from where the other one ends
    ask(ledger, commands.Refund, order)
    held(hold(ledger, 3, 4, people=("p",)))


def test_a_change_counts_what_the_order_has_as_free_and_is_whole_or_not_at_all() -> None:
    ledger = opened(pool(size=1), pool("bed", 1), segments=4)
    order = sold(ledger, 0, 2, people=("p",))
    sold(ledger, 3, 4)
    before = ledger.state.version
    assert refused(ask(ledger, commands.Change, order, "seat", 1, 4)).reason is Reason.FULL
    assert ledger.state.version == before
    changed = ask(ledger, commands.Change, order, "seat", 1, 3)
    assert isinstance(changed, events.Changed)
    successor = ledger.state.orders[changed.successor]
    assert (successor.people, successor.replaces, successor.payment) == (("p",), order, f"pay{order}")
    assert refused(ask(ledger, commands.Change, order, "bed", 0, 4)).state == "changed"
    assert isinstance(ask(ledger, commands.Change, changed.successor, "bed", 0, 4), events.Changed)
    assert available(ledger.state, "seat", 0, 3, at=AT) == 1


def test_a_hold_can_be_made_longer_while_it_lasts() -> None:
    ledger = opened()
    order = held(hold(ledger, 0, 3)).order
    assert isinstance(ask(ledger, commands.Extend, order, LATE + MINUTE), events.Extended)
    assert refused(ask(ledger, commands.Expire, order, at=LATE)).reason is Reason.EARLY
    assert refused(ask(ledger, commands.Extend, order, LATE + 9 * MINUTE, at=LATE + MINUTE)).reason is Reason.EXPIRED
    with pytest.raises(BadCommand):
        ask(ledger, commands.Extend, order, LATE)


def test_nothing_is_sold_before_the_sale_opens_nor_after_it_closes_or_the_line_has_passed() -> None:
    """R1.11: to the microsecond, by the time of the command."""
    times = tuple(AT + hours * 60 * MINUTE for hours in (5, 6, 7, 8))
    ledger = opened(times=times)
    ask(ledger, commands.SetSale, Sale("app", AT + MINUTE, AT + 6 * 60 * MINUTE))
    ask(ledger, commands.SetSale, Sale("later"))
    early = refused(hold(ledger, 0, 1, channel="app", at=AT + MINUTE - 1))
    assert (early.reason, early.opens_at) == (Reason.NOT_ON_SALE, AT + MINUTE)
    held(hold(ledger, 0, 1, channel="app", at=AT + MINUTE))
    unknown = refused(hold(ledger, 0, 1, channel="later"))
    assert (unknown.reason, unknown.opens_at) == (Reason.NOT_ON_SALE, 0)
    assert refused(hold(ledger, 0, 1, at=times[0])).reason is Reason.PASSED
    held(hold(ledger, 1, 2, at=times[0]))
    assert refused(hold(ledger, 2, 3, channel="app", at=times[1])).reason is Reason.CLOSED
    assert isinstance(ask(ledger, commands.Advance, 2), events.Advanced)
    assert refused(hold(ledger, 1, 3)).reason is Reason.PASSED
    assert isinstance(ask(ledger, commands.Cancel), events.Cancelled)
    assert refused(hold(ledger, 2, 3)).reason is Reason.CLOSED


def test_a_refusal_says_why_and_what_else_there_is() -> None:
    ledger = opened(pool(size=2), pool("bed", 1), segments=4)
    held(hold(ledger, 0, 2, count=2))
    asked = commands.Hold("w", AT, "seat", 1, 3)
    refusal = why(ledger.state, asked)
    assert refusal is not None and refusal.reason is Reason.FULL
    offers = [(offer.pool, offer.start, offer.end, offer.count) for offer in alternatives(ledger.state, asked)]
    assert offers == [("bed", 1, 3, 1), ("seat", 2, 3, 1)]
    fewer = commands.Hold("f", AT, "bed", 0, 4, count=2)
    assert alternatives(ledger.state, fewer)[0].count == 1
    assert why(ledger.state, commands.Hold("y", AT, "bed", 0, 4)) is None


@pytest.mark.parametrize(
    "words",
    [
        {"count": 0},
        {"count": 101},
        {"ttl_seconds": 0},
        {"ttl_seconds": 1e9},
        {"people": ("p", "q")},
        {"count": 2, "people": ("p", "p")},
        {"people": ("",)},
        {"people": ("x" * 101,)},
        {"pool": "sofa"},
    ],
)
def test_an_order_that_cannot_be_meant_is_told_so(words: dict[str, object]) -> None:
    ledger = opened(pool(size=300))
    with pytest.raises(BadCommand):
        hold(ledger, 0, 3, **words)
    assert ledger.state.version == 1


@pytest.mark.parametrize("words", [{"channel": "\ud800"}, {"people": ("\ud800",)}, {"at": 1 << 64}, {"at": -1}])
def test_what_could_not_be_written_down_is_refused_before_it_is_true(words: dict[str, Any]) -> None:
    ledger = opened()
    with pytest.raises(BadCommand, match=r"written down|instant"):
        hold(ledger, 0, 1, **words)
    assert ledger.state.version == 1 and not ledger.state.orders


@pytest.mark.parametrize(("start", "end"), [(2, 1), (1, 1), (-1, 2), (0, 4)])
def test_a_section_goes_forward_on_the_line(start: int, end: int) -> None:
    with pytest.raises(BadCommand, match="forward within 0 … 3"):
        hold(opened(), start, end)
