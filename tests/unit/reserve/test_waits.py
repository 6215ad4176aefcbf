"""The waiting list: what comes free goes to it first, in order, also from two neighbours joined (R1.7)."""

from __future__ import annotations

from typing import Any

import pytest

from shike.errors import BadCommand
from shike.reserve import commands, events
from shike.reserve.ledger import Ledger
from shike.reserve.model import OrderState, Reason, Rule, RuleKind, WaitPolicy, WaitState, Want
from tests.unit.reserve.worlds import AT, MINUTE, ask, held, hold, opened, pool, refused, replayed, same, sold


def join(ledger: Ledger, start: int, end: int, name: str = "seat", **words: Any) -> int:
    answer = ask(ledger, commands.Join, name, start, end, **words)
    assert isinstance(answer, events.Joined), answer
    return answer.wait


def served(ledger: Ledger) -> list[int]:
    return [wait.number for wait in ledger.state.waits.values() if wait.state is WaitState.FULFILLED]


def test_what_is_given_back_goes_to_who_waits_before_anybody_else() -> None:
    ledger = opened(pool(size=1))
    order = sold(ledger, 0, 3)
    paid = join(ledger, 0, 2, payment="w")
    asks = join(ledger, 2, 3)
    ask(ledger, commands.Refund, order, at=AT + MINUTE)
    assert served(ledger) == [paid, asks]
    first, second = (ledger.state.orders[ledger.state.waits[wait].order] for wait in (paid, asks))
    assert (first.state, first.payment) == (OrderState.CONFIRMED, "w")
    assert (second.state, second.expires_at) == (OrderState.HELD, AT + 16 * MINUTE)
    assert refused(hold(ledger, 0, 1)).reason is Reason.FULL
    assert same(ledger.state, replayed(ledger))


def test_two_takes_given_back_beside_each_other_serve_a_longer_section() -> None:
    ledger = opened(pool(size=1))
    one, two = sold(ledger, 0, 1), sold(ledger, 1, 3)
    wait = join(ledger, 0, 3)
    ask(ledger, commands.Refund, two)
    assert served(ledger) == []
    ask(ledger, commands.Refund, one)
    assert served(ledger) == [wait]


@pytest.mark.parametrize(("policy", "whom"), [(WaitPolicy.STRICT, []), (WaitPolicy.FIT, [2])])
def test_a_group_in_front_holds_up_the_smaller_behind_it_or_not(policy: WaitPolicy, whom: list[int]) -> None:
    ledger = opened(pool(size=2), policy=policy)
    orders = [sold(ledger, 0, 3) for _ in range(2)]
    join(ledger, 0, 3, count=2)
    join(ledger, 0, 3)
    ask(ledger, commands.Refund, orders[0])
    assert served(ledger) == whom
    ask(ledger, commands.Refund, orders[1])
    assert served(ledger) == ([1] if policy is WaitPolicy.STRICT else [2])


def test_who_waited_longest_is_served_first_over_all_sections() -> None:
    ledger = opened(pool(size=1))
    order = sold(ledger, 0, 3)
    first, second, third = join(ledger, 1, 2), join(ledger, 0, 2), join(ledger, 2, 3)
    ask(ledger, commands.Refund, order)
    assert served(ledger) == [first, third]
    ask(ledger, commands.Leave, second)
    assert refused(ask(ledger, commands.Leave, second)).state == "left"


def test_a_quota_that_lapses_serves_those_it_kept_out_when_the_timer_asks() -> None:
    until = AT + 10 * MINUTE
    ledger = opened(pool(size=2), rules=(Rule("keep", RuleKind.MIN, 2, 0, 3, until=until),))
    wait = join(ledger, 0, 1)
    assert refused(ask(ledger, commands.Serve, at=until - 1)).reason is Reason.NOBODY
    assert isinstance(ask(ledger, commands.Serve, at=until), events.Served)
    assert served(ledger) == [wait]


def test_dropping_a_rule_unblocking_and_adding_units_serve_who_waits() -> None:
    for what, words in (
        (commands.DropRule, ("keep",)),
        (commands.Unblock, ("bed", (0,), 0, 3)),
        (commands.AddUnits, ("couch", (commands.Unit("more"),))),
    ):
        rules = (Rule("keep", RuleKind.MAX, 0, 0, 3, pools=("seat",)),)
        ledger = opened(pool(size=1), pool("bed", 1), pool("couch", 1), rules=rules)
        ask(ledger, commands.Block, "bed", (0,), 0, 3)
        sold(ledger, 0, 3, pool="couch")
        for name in ("seat", "bed", "couch"):
            join(ledger, 0, 3, name)
        assert served(ledger) == []
        ask(ledger, what, *words)
        assert len(served(ledger)) == 1


def test_a_person_who_has_got_another_take_meanwhile_is_passed_over_until_it_is_gone() -> None:
    ledger = opened(pool(size=1), pool("bed", 1))
    order = sold(ledger, 0, 3)
    wait, behind = join(ledger, 0, 3, people=("p",)), join(ledger, 0, 3, people=("q",))
    bed = sold(ledger, 0, 3, pool="bed", people=("p",))
    ask(ledger, commands.Refund, order)
    assert served(ledger) == [behind]
    ask(ledger, commands.Refund, ledger.state.waits[behind].order)  # held, not paid: cannot be refunded
    ask(ledger, commands.Release, ledger.state.waits[behind].order)
    assert served(ledger) == [behind]
    ask(ledger, commands.Refund, bed)
    assert served(ledger) == [wait, behind]


def test_a_wait_ends_at_its_deadline_whether_the_timer_is_late_or_not() -> None:
    ledger = opened(pool(size=1))
    order = sold(ledger, 0, 3)
    wait = join(ledger, 0, 3, deadline=AT + MINUTE)
    assert refused(ask(ledger, commands.Lapse, wait)).reason is Reason.EARLY
    ask(ledger, commands.Refund, order, at=AT + MINUTE)
    assert served(ledger) == []
    assert isinstance(ask(ledger, commands.Lapse, wait, at=AT + MINUTE), events.Lapsed)
    assert refused(ask(ledger, commands.Lapse, wait, at=AT + MINUTE)).state == "expired"


def test_who_can_be_served_at_once_is_and_who_never_can_be_is_told() -> None:
    ledger = opened(pool(size=1))
    assert served(ledger) == []
    wait = join(ledger, 0, 3)
    assert served(ledger) == [wait]
    assert refused(ask(ledger, commands.Join, "seat", 0, 3, 2)).reason is Reason.FULL
    with pytest.raises(BadCommand):
        join(ledger, 0, 3, deadline=AT)
    for never in (Want(("sofa",)), Want(units=("u9",)), Want(units=("u0", "u0"))):
        with pytest.raises(BadCommand):
            join(ledger, 0, 3, want=never)
    assert refused(ask(ledger, commands.Leave, 99)).reason is Reason.UNKNOWN


def test_a_wish_that_is_insisted_on_waits_for_such_a_unit() -> None:
    ledger = opened(pool(size=3))
    window, middle = sold(ledger, 0, 3), sold(ledger, 0, 3)
    held(hold(ledger, 0, 3))
    wait = join(ledger, 0, 3, want=Want(("window",), hard=True))
    ask(ledger, commands.Refund, middle)
    assert served(ledger) == []
    ask(ledger, commands.Refund, window)
    assert served(ledger) == [wait]
