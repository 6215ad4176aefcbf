"""The second count of a sale (P9): it is other code than the ledger's, and sees what it must see."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from shike.rail.sale.proof import prove
from shike.rail.sale.recount import Recount
from shike.reserve import commands, events
from shike.reserve.journal import frames
from shike.reserve.journal.memory import MemoryJournal
from shike.reserve.ledger import Ledger
from shike.reserve.model import Binding, Line, Move, Pool, Sale, Unit

POOL = Pool("second", (Unit("1A"), Unit("1B")), binding=Binding.ON_DEMAND)


def opened() -> events.Opened:
    ledger = Ledger("K1")
    answer = ledger.do(commands.Open("open", 1, Line(("A", "B", "C", "D")), (POOL,), sales=(Sale(opens_at=1),)))
    assert isinstance(answer, events.Opened)
    return answer


def held(order: int, start: int, end: int, *units: int, moves: tuple[Move, ...] = ()) -> events.Held:
    return events.Held(2, f"h{order}", order, "second", start, end, units, (), 99, moves=moves)


def count(*then: events.AnyEvent) -> list[str]:
    recount = Recount()
    return [words for event in (opened(), *then) for words in recount.take(event)]


def test_a_seat_may_be_sold_again_behind_and_after_a_move() -> None:
    assert count(held(1, 0, 1, 0), held(2, 1, 3, 0), held(3, 0, 3, 1)) == []
    apart = held(1, 0, 1, 0), held(2, 1, 3, 1)
    assert count(*apart, held(3, 0, 3, 1, moves=(Move(2, 0, 0),))) == []
    assert count(held(1, 0, 3, 0, 1), events.Expired(3, "e", 1), held(2, 0, 3, 0, 1)) == []


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ([held(1, 0, 2, 0), held(2, 1, 3, 0)], "unit 0 of second is taken twice on segment 1"),
        ([held(1, 0, 1, 0), held(2, 0, 1, 1, moves=(Move(1, 0, 1),))], "unit 1 of second is taken twice on segment 0"),
        ([held(1, 0, 3, 0, 1), held(2, 2, 3, 2)], "3 of 2 of second are taken on segment 2"),
        ([held(1, 0, 1, 0), held(1, 1, 2, 0)], "order 1 is made twice"),
        ([events.Confirmed(3, "c", 7, "m")], "order 7 is paid for, and was not held"),
        (
            [held(1, 0, 1, 0), events.Confirmed(3, "c", 1, "m"), events.PaymentOrphaned(4, "d", 1, "m")],
            "payment 'm' is counted twice",
        ),
        ([events.SaleSet(3, "s", Sale())], "a sale knows no SaleSet"),
    ],
)
def test_it_sees_what_is_wrong(wrong: list[Any], said: str) -> None:
    assert said in count(*wrong)


def test_what_was_told_and_is_not_kept_is_a_problem() -> None:
    """R1.15: the phantom ticket. And money without an end, and a hold that is left over."""

    async def tell() -> tuple[list[str], list[str]]:
        ledger, journal = Ledger("K1"), MemoryJournal()
        told: dict[str, events.AnyEvent] = {}
        for command in (
            commands.Open("open", 1, Line(("A", "B", "C", "D")), (POOL,), sales=(Sale(opens_at=1),)),
            commands.Hold("h1", 2, "second", 0, 3, 2),
            commands.Confirm("c1", 3, 1, "money"),
            commands.Join("j1", 4, "second", 0, 2, payment="advance"),
        ):
            answer = ledger.do(command)
            assert not isinstance(answer, commands.Command) and answer
            told[command.id] = answer  # type: ignore[assignment]
        await journal.append([frames.encode("K1", 0, 0, ledger.fresh)])
        whole = await prove(journal, {"K1": told})
        phantom = {**told, "h9": held(9, 0, 1, 0)}
        lost = await prove(journal, {"K1": phantom, "K2": told})
        return whole.problems, lost.problems

    whole, lost = asyncio.run(tell())
    assert whole == ["K1: payment 'advance' is neither a ticket's nor on its way back"]
    assert "K1: Held was told to 'h9', and the journal does not say so" in lost
    assert "K2: there was something told of it, and the journal has nothing" in lost
