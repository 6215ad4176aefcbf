"""The same engine for rooms over nights and for slots of a worker pool over time (R1.13)."""

from __future__ import annotations

from shike.reserve import commands, events
from shike.reserve.model import Binding, Pool, Reason, Rule, RuleKind
from shike.reserve.query import available, earliest
from shike.reserve.verify import violations
from tests.unit.reserve.worlds import AT, ask, held, hold, opened, pool, refused, replayed, rows, same

WEEK = 7
SLOTS = 96  # a day of quarters of an hour


def test_rooms_are_counted_until_the_keys_are_given_out() -> None:
    """Any stays that fit by their nights are taken, whatever the order they come in; rooms are given in the morning."""
    ledger = opened(Pool("double", rows(2), 0, Binding.AT_SEAL), segments=WEEK)
    stays = [(0, 2), (1, 4), (4, 7), (2, 5)]
    for number, (first, last) in enumerate(stays):
        held(hold(ledger, first, last, pool="double", people=(f"guest {number}",)))
    full = refused(hold(ledger, 3, 6, pool="double"))
    assert (full.reason, full.segment) == (Reason.FULL, 3)
    assert available(ledger.state, "double", 5, 7, at=AT) == 1
    assert isinstance(ask(ledger, commands.Seal, "double"), events.Sealed)
    assert {unit for order in ledger.state.live_orders() for unit in order.units} == {0, 1}
    assert not violations(ledger.state) and same(ledger.state, replayed(ledger))


def test_an_agency_has_an_allotment_and_a_group_block_is_kept_until_a_date() -> None:
    rules = (
        Rule("agency", RuleKind.MAX, 2, 0, WEEK, channels=("agency",)),
        Rule("arrivals", RuleKind.BOARD, 3, 0),
        Rule("wedding", RuleKind.MIN, 4, 4, 6, until=AT + 1),
    )
    ledger = opened(pool("room", 6, binding=Binding.AT_SEAL), segments=WEEK, rules=rules)
    assert [bool(hold(ledger, 0, 3, pool="room", channel="agency")) for _ in range(3)] == [True, True, False]
    assert [bool(hold(ledger, 0, 1, pool="room")) for _ in range(2)] == [True, False]  # three arrive on the first day
    assert [bool(hold(ledger, 5, 6, pool="room")) for _ in range(3)] == [True, True, False]
    assert [bool(hold(ledger, 4, 6, pool="room")) for _ in range(2)] == [True, True]
    assert hold(ledger, 5, 6, pool="room", at=AT + 1)


def test_worker_slots_have_tenant_caps_a_guarantee_and_a_start_rate() -> None:
    """A cap per tenant, what is kept for one from all others, and at most so many starts in one quarter of an hour."""
    rules = (
        Rule("cap of small", RuleKind.MAX, 3, 0, SLOTS, channels=("small",)),
        Rule("kept for big", RuleKind.MAX, 6, 0, SLOTS, channels=("small", "other")),
        *(Rule(f"starts {slot}", RuleKind.BOARD, 8, slot) for slot in range(SLOTS)),
    )
    ledger = opened(Pool("gpu", (), 10, Binding.NEVER), segments=SLOTS, rules=rules)

    def reserve(count: int, start: int, end: int, tenant: str) -> bool:
        return bool(hold(ledger, start, end, pool="gpu", count=count, channel=tenant))

    assert reserve(3, 40, 48, "small") and not reserve(1, 44, 52, "small")
    assert reserve(3, 40, 44, "other") and not reserve(1, 43, 50, "other")
    assert not reserve(3, 40, 44, "big") and reserve(2, 40, 44, "big")  # eight have started in that quarter
    assert reserve(2, 41, 44, "big") and not reserve(1, 42, 43, "big")  # all ten are in use
    assert earliest(ledger.state, "gpu", 4, 8, after=40) == 44
    assert not violations(ledger.state)
