"""Quotas: one rule type, counted as takes come and go (R1.4, R1.5)."""

from __future__ import annotations

from typing import Any

import pytest

from shike.errors import BadCommand
from shike.reserve import commands, events
from shike.reserve.model import Measure, Reason, Rule, RuleKind
from shike.reserve.query import available
from tests.unit.reserve.worlds import AT, MINUTE, ask, held, hold, opened, pool, refused


def sell(ledger: Any, start: int, end: int, **words: Any) -> int:
    """As many as can be had."""
    sold = 0
    while isinstance(answer := hold(ledger, start, end, **words), events.Held):
        sold += 1
    assert answer.reason in (Reason.QUOTA, Reason.FULL)
    return sold


def test_at_most_ten_from_b_to_e_counts_what_lies_inside() -> None:
    """The source's first rule: B–E ≤ 10, inner sections included, longer ones not."""
    rule = Rule("B-E", RuleKind.MAX, 10, 1, 4, Measure.TICKETS)
    ledger = opened(pool(size=100), segments=6, rules=(rule,))
    assert sell(ledger, 1, 2) == 10
    for inner in ((1, 4), (2, 3), (3, 4)):
        assert refused(hold(ledger, *inner)).rule == "B-E"
        assert available(ledger.state, "seat", *inner, at=AT) == 0
    assert sell(ledger, 0, 4) > 10
    assert sell(ledger, 4, 5) > 10


@pytest.mark.parametrize(("measure", "second"), [(Measure.THICKNESS, 20), (Measure.TICKETS, 0)])
def test_eighty_of_a_hundred_are_kept_for_the_whole_way(measure: Measure, second: int) -> None:
    """The source's second rule: any inner section gets at most 20. Measured by thickness the next section still has its
    20, on the same units; counted by tickets it is refused though 80 are left either way."""
    ledger = opened(pool(size=100), segments=6, rules=(Rule("A-G", RuleKind.MIN, 80, 0, 6, measure),))
    assert sell(ledger, 0, 3) == 20
    assert sell(ledger, 3, 6) == second
    assert sell(ledger, 0, 6) == 80


def test_what_is_kept_for_an_inner_section_is_kept_from_all_that_do_not_cover_it() -> None:
    ledger = opened(pool(size=10), segments=4, rules=(Rule("B-D", RuleKind.MIN, 7, 1, 3),))
    assert sell(ledger, 0, 2) == 3
    assert sell(ledger, 1, 2) == 0
    assert sell(ledger, 3, 4) == 10
    assert sell(ledger, 0, 3) == 7


@pytest.mark.parametrize(
    ("kind", "full", "free"), [(RuleKind.BOARD, (1, 4), (0, 2)), (RuleKind.ALIGHT, (0, 1), (1, 3))]
)
def test_at_most_so_many_begin_or_end_at_a_position(
    kind: RuleKind, full: tuple[int, int], free: tuple[int, int]
) -> None:
    ledger = opened(pool(size=100), segments=4, rules=(Rule("at B", kind, 7, 1),))
    assert sell(ledger, *full) == 7
    assert sell(ledger, *free) > 7


def test_all_rules_must_pass_and_the_one_that_leaves_least_is_named() -> None:
    rules = (
        Rule("wide", RuleKind.MAX, 5, 0, 3),
        Rule("narrow", RuleKind.BOARD, 2, 0),
        Rule("other", RuleKind.BOARD, 0, 1),
    )
    ledger = opened(pool(size=9), rules=rules)
    assert available(ledger.state, "seat", 0, 1, at=AT) == 2
    refusal = refused(hold(ledger, 0, 1, count=3))
    assert (refusal.reason, refusal.rule, refusal.available) == (Reason.QUOTA, "narrow", 2)


def test_a_share_is_sold_through_one_channel_and_the_rest_through_another() -> None:
    """R1.4: 40 % online; what is given back online can be sold online again."""
    rule = Rule("online share", RuleKind.MAX, 4, 0, 3, channels=("online",))
    ledger = opened(pool(size=10), rules=(rule,))
    first = held(hold(ledger, 0, 3, channel="online")).order
    assert sell(ledger, 0, 3, channel="online") == 3
    ask(ledger, commands.Release, first)
    assert sell(ledger, 0, 3, channel="online") == 1
    assert sell(ledger, 0, 3, channel="desk") == 6


def test_a_rule_binds_its_pools_together() -> None:
    rule = Rule("both", RuleKind.MAX, 3, 0, 3, pools=("one", "two"))
    ledger = opened(pool("one", 5), pool("two", 5), pool("three", 5), rules=(rule,))
    assert (sell(ledger, 0, 3, pool="one"), sell(ledger, 0, 3, pool="two"), sell(ledger, 0, 3, pool="three")) == (
        3,
        0,
        5,
    )


def test_what_is_kept_is_released_in_stages_by_the_time_of_the_command() -> None:
    rules = (
        Rule("stage 1", RuleKind.MIN, 8, 0, 3, until=AT + 10 * MINUTE),
        Rule("stage 2", RuleKind.MIN, 4, 0, 3, until=AT + 20 * MINUTE),
    )
    ledger = opened(pool(size=10), rules=rules)
    assert [sell(ledger, 0, 1, at=AT + minutes * MINUTE) for minutes in (0, 9, 10, 19, 20)] == [2, 0, 4, 0, 4]


def test_a_rule_set_late_counts_what_was_sold_and_takes_nothing_back() -> None:
    ledger = opened(pool(size=10))
    for _ in range(5):
        held(hold(ledger, 0, 3))
    ask(ledger, commands.SetRule, Rule("late", RuleKind.MAX, 3, 0, 3))
    assert refused(hold(ledger, 0, 1)).available == 0
    ask(ledger, commands.SetRule, Rule("late", RuleKind.MAX, 6, 0, 3))
    assert sell(ledger, 0, 3) == 1
    ask(ledger, commands.DropRule, "late")
    assert sell(ledger, 0, 3) == 4
    assert refused(ask(ledger, commands.DropRule, "late")).reason is Reason.UNKNOWN


def test_what_is_blocked_is_not_shared_out() -> None:
    """Of 10 units 4 are kept; with 3 blocked, others share 3."""
    ledger = opened(pool(size=10), rules=(Rule("keep", RuleKind.MIN, 4, 0, 3),))
    ask(ledger, commands.Block, "seat", (0, 1, 2), 1, 2)
    assert sell(ledger, 0, 2) == 3
    assert sell(ledger, 0, 3) == 4


def test_a_price_is_asked_for_each_segment() -> None:
    ledger = opened(pool(size=10))
    ask(ledger, commands.SetPrices, "seat", (5, 20, 5))
    refusal = refused(hold(ledger, 0, 2, price=24))
    assert (refusal.reason, refusal.price) == (Reason.PRICE, 25)
    held(hold(ledger, 0, 2, price=25))
    assert refused(hold(ledger, 0, 2, price=49, count=2)).price == 50
    ask(ledger, commands.SetPrices, "seat", ())
    held(hold(ledger, 0, 2))


@pytest.mark.parametrize(
    "rule",
    [
        Rule("r", RuleKind.MAX, -1, 0, 3),
        Rule("r", RuleKind.MAX, 1, 2, 2),
        Rule("r", RuleKind.MAX, 1, 0, 4),
        Rule("r", RuleKind.BOARD, 1, 9),
        Rule("r", RuleKind.MAX, 1, 0, 3, pools=("sofa",)),
        Rule("r", RuleKind.MAX, 1, 0, 3, since=5, until=5),
        Rule("", RuleKind.MAX, 1, 0, 3),
    ],
)
def test_a_rule_that_makes_no_sense_is_refused_with_its_name(rule: Rule) -> None:
    with pytest.raises(BadCommand, match="rule"):
        ask(opened(), commands.SetRule, rule)
