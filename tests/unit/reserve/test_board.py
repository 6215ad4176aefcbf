"""The read side: behind, but never wrong about how far (R1.9)."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import pytest
from msgspec import structs

from shike.errors import DamagedJournal
from shike.reserve import commands, events
from shike.reserve.board import Board, Seen
from shike.reserve.clerk import Clerk
from shike.reserve.journal.memory import MemoryJournal
from shike.reserve.model import Line, Rule, RuleKind, Sale
from shike.reserve.query import alarms
from tests.unit.reserve.worlds import AT, MINUTE, ask, held, hold, opened, pool, refused, sold


def run(story: Callable[[MemoryJournal, Clerk, Board], Awaitable[None]]) -> None:
    async def tell() -> None:
        journal = MemoryJournal()
        async with Clerk(journal, snapshot_events=5) as clerk:
            line, sales = Line(("A", "B", "C")), (Sale("", 1),)
            await clerk.do("L", commands.Open("open", AT, line, (pool(size=30),), sales=sales))
            await story(journal, clerk, Board(journal))

    asyncio.run(tell())


def test_it_shows_what_was_committed_when_it_looked_last() -> None:
    async def story(_journal: MemoryJournal, clerk: Clerk, board: Board) -> None:
        assert await board.refresh("L", AT) == 1
        assert board.see("L", "seat", 0, 2, at=AT) == Seen(20, True, 1, AT)
        for number in range(12):
            await clerk.do("L", commands.Hold(f"h{number}", AT, "seat", 0, 1))
        assert board.see("L", "seat", 0, 2, at=AT).version == 1
        assert await board.refresh("L", AT + 5) == 13
        assert board.see("L", "seat", 0, 2, at=AT) == Seen(18, False, 13, AT + 5)
        assert board.table("L", "seat") == [[18, 18], [30]]
        assert board.table("L", "seat") is board.table("L", "seat")
        await clerk.do("L", commands.Hold("more", AT, "seat", 1, 2))
        await board.refresh("L", AT)  # a clock that was set back does not make it older
        assert board.see("L", "seat", 0, 2, at=AT).as_of == AT + 5
        assert board.table("L", "seat") == [[18, 18], [29]]

    run(story)


def test_all_who_ask_at_once_share_one_reading() -> None:
    async def story(journal: MemoryJournal, clerk: Clerk, board: Board) -> None:
        read = 0
        right = journal.frames

        async def counted(ledger: str, after: int = 0, most: int = 1_000) -> list[object]:
            nonlocal read
            read += 1
            await asyncio.sleep(0)
            return await right(ledger, after, most)  # type: ignore[return-value]

        journal.frames = counted  # type: ignore[method-assign, assignment]
        assert await asyncio.gather(*(board.refresh("L", AT) for _ in range(50))) == [1] * 50
        assert read <= 2

    run(story)


def test_a_damaged_frame_is_told_and_a_board_that_was_never_refreshed_knows_nothing() -> None:
    async def story(journal: MemoryJournal, clerk: Clerk, board: Board) -> None:
        with pytest.raises(KeyError):
            board.see("L", "seat", 0, 1, at=AT)
        await board.refresh("L", AT)
        await clerk.do("L", commands.Hold("h", AT, "seat", 0, 1))
        journal._frames["L"][1] = structs.replace(journal._frames["L"][1], body=b"1 []")
        with pytest.raises(DamagedJournal):
            await board.refresh("L", AT)

    run(story)


def test_a_ledger_tells_what_its_timers_have_to_ring_for() -> None:
    """R1.6: the scheduler keeps them, and finds them all again after a restart."""
    rules = (Rule("stage", RuleKind.MIN, 3, 0, 3, until=AT + 30 * MINUTE),)
    ledger = opened(pool(size=3), rules=rules)
    sold(ledger, 0, 3)
    order = held(hold(ledger, 0, 3)).order
    ask(ledger, commands.Join, "seat", 0, 1, deadline=AT + 60 * MINUTE)
    told = sorted(alarms(ledger.state), key=lambda alarm: alarm[0])
    ringing = [(at, type(command).__name__) for at, command in told if at > AT]
    assert ringing == [(AT + 15 * MINUTE, "Expire"), (AT + 30 * MINUTE, "Serve"), (AT + 60 * MINUTE, "Lapse")]
    expire, serve, lapse = (command for at, command in told if at > AT)
    first = ledger.do(expire)
    assert ledger.do(expire) is first and not ledger.state.orders[order].live
    assert isinstance(ledger.do(serve), events.Served)  # what the rule had kept goes to who waits
    assert refused(ledger.do(lapse)).state == "fulfilled"
    assert list(alarms(ledger.state)) != told
