"""The one writer: told only what is committed, and nothing is lost or doubled however the journal fails (R1.8)."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable, Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shike.errors import BadCommand, ClerkClosed, DamagedJournal, Fenced, LedgerError, StoreError, StoreUnavailable
from shike.reserve import commands, events
from shike.reserve.applying import APPLY
from shike.reserve.clerk import Clerk
from shike.reserve.deciding import Decision
from shike.reserve.journal import Frame
from shike.reserve.journal.memory import MemoryJournal
from shike.reserve.journal.reading import load, verify
from shike.reserve.model import Line, Reason, Refusal, Sale
from tests.unit.reserve.worlds import AT, pool, same

SALE = (Sale("", 1),)


class Faulty(MemoryJournal):
    """A journal whose appends wait at a gate, and fail as planned: before they are done, or only their answers."""

    def __init__(self) -> None:
        super().__init__()
        self.gate = asyncio.Event()
        self.gate.set()
        self.appended: list[int] = []
        self.faults: list[str] = []

    async def append(self, frames: Sequence[Frame]) -> None:
        await self.gate.wait()
        await asyncio.sleep(0)
        fault = self.faults.pop(0) if self.faults else ""
        if fault == "refused":
            raise StoreUnavailable("planned")
        await super().append(frames)
        self.appended.append(sum(frame.count for frame in frames))
        if fault == "answer lost":
            raise StoreUnavailable("planned")


def run(story: Callable[[Faulty, Clerk], Awaitable[None]], **words: int) -> None:
    async def tell() -> None:
        journal = Faulty()
        async with Clerk(journal, **words) as clerk:
            await open_ledger(clerk)
            await story(journal, clerk)

    asyncio.run(tell())


async def open_ledger(clerk: Clerk, name: str = "L", size: int = 5) -> None:
    line = Line(("A", "B", "C"))
    assert await clerk.do(name, commands.Open(f"open {name}", AT, line, (pool(size=size),), sales=SALE))


def held(number: int, start: int = 0, end: int = 2) -> commands.Hold:
    return commands.Hold(f"h{number}", AT, "seat", start, end)


async def turns(count: int = 20) -> None:
    for _ in range(count):
        await asyncio.sleep(0)


def test_an_acceptance_is_told_after_its_commit_and_a_refusal_at_once() -> None:
    async def story(journal: Faulty, clerk: Clerk) -> None:
        journal.gate.clear()
        asked = [asyncio.create_task(clerk.do("L", held(number))) for number in range(6)]
        await turns()
        assert [task.done() for task in asked] == [False] * 5 + [True]
        refusal = asked[5].result()
        assert isinstance(refusal, Refusal) and refusal.reason is Reason.FULL
        repeat = asyncio.create_task(clerk.do("L", held(0)))  # not committed yet, so it waits, too
        await turns()
        assert not repeat.done()
        journal.gate.set()
        answers = await asyncio.gather(*asked[:5])
        assert [event.order for event in answers if isinstance(event, events.Held)] == [1, 2, 3, 4, 5]
        assert await repeat == answers[0]
        assert await clerk.do("L", held(0)) == answers[0]  # long committed: answered from memory

    run(story)


def test_what_gathers_during_a_commit_is_the_next_one() -> None:
    async def story(journal: Faulty, clerk: Clerk) -> None:
        await open_ledger(clerk, "M", size=500)
        journal.appended.clear()
        journal.gate.clear()
        asked = [asyncio.create_task(clerk.do("M", held(0)))]
        await turns()
        asked += [asyncio.create_task(clerk.do("M", held(number))) for number in range(1, 300)]
        await turns()
        journal.gate.set()
        await asyncio.gather(*asked)
        assert journal.appended == [1, 299]

    run(story)


def test_what_another_writer_has_changed_is_no_reason_to_refuse() -> None:
    """Whoever ends a hold takes "there is no such hold" for its end: a clerk that was overtaken must not say so."""

    async def story(journal: Faulty, clerk: Clerk) -> None:
        other = Clerk(journal)
        await other.read("L")
        held_here = await clerk.do("L", held(0))
        assert isinstance(held_here, events.Held)
        answer = await other.do("L", commands.Release("r", AT, held_here.order))
        assert isinstance(answer, events.Released)
        assert not list((await load(journal, "L")).state.live_orders())

    run(story)


def test_who_is_refused_for_what_is_free_again_gets_it_a_moment_later(monkeypatch: pytest.MonkeyPatch) -> None:
    async def story(journal: Faulty, clerk: Clerk) -> None:
        for number in range(5):
            await clerk.do("L", held(number))
        await Clerk(journal).do("L", commands.Release("r1", AT, 1))
        assert isinstance(await clerk.do("L", held(6)), Refusal)
        monkeypatch.setattr("shike.reserve.clerk.LOOK_SECONDS", 0.0)
        assert isinstance(await clerk.do("L", held(6)), events.Held)

    run(story)


def test_a_refusal_that_rests_on_what_is_being_committed_waits_for_it() -> None:
    """Unless somebody only asks for something new: then it may be told at once."""

    async def story(journal: Faulty, clerk: Clerk) -> None:
        await clerk.do("L", held(0))
        journal.faults = ["refused"]
        released = clerk.do("L", commands.Release("r1", AT, 1))
        again = clerk.do("L", commands.Release("r2", AT, 1))
        answers = await asyncio.gather(released, again, return_exceptions=True)
        assert [type(answer) for answer in answers] == [StoreUnavailable, StoreUnavailable]
        assert isinstance(await clerk.do("L", commands.Release("r2", AT, 1)), events.Released)

    run(story)


@pytest.mark.parametrize("fault", ["refused", "answer lost"])
def test_after_a_failed_append_the_ledger_is_read_again_and_a_repeat_is_done_once(fault: str) -> None:
    """What was decided on top of the lost batch goes with it."""

    async def story(journal: Faulty, clerk: Clerk) -> None:
        journal.faults = [fault]
        journal.gate.clear()
        first = asyncio.create_task(clerk.do("L", held(0)))
        await turns()
        second = asyncio.create_task(clerk.do("L", held(1)))
        await turns()
        journal.gate.set()
        for task in (first, second):
            with pytest.raises(StoreUnavailable):
                await task
        one, two = await clerk.do("L", held(1)), await clerk.do("L", held(0))
        orders = sorted(event.order for event in (one, two) if isinstance(event, events.Held))
        assert orders == [1, 2]
        verdict = await verify(journal, "L")
        assert verdict.clean and verdict.version == 3

    run(story)


def test_a_second_writer_is_fenced_and_goes_on_after_reading_again() -> None:
    async def story(journal: Faulty, clerk: Clerk) -> None:
        async with Clerk(journal) as other:
            assert await other.do("L", held(0))
            with pytest.raises(Fenced):
                await clerk.do("L", held(1))
            event = await clerk.do("L", held(1))
            assert isinstance(event, events.Held) and event.order == 2
            with pytest.raises(Fenced):
                await other.do("L", held(2))
        assert (await verify(journal, "L")).clean

    run(story)


def test_who_goes_away_while_waiting_harms_nobody() -> None:
    async def story(journal: Faulty, clerk: Clerk) -> None:
        journal.gate.clear()
        gone, stays = (asyncio.create_task(clerk.do("L", held(number))) for number in range(2))
        await turns()
        gone.cancel()
        await turns()
        journal.gate.set()
        assert await stays
        assert isinstance(await clerk.do("L", held(0)), events.Held)  # it was done all the same

    run(story)


def test_snapshots_are_kept_as_a_ledger_grows_and_loading_uses_them() -> None:
    async def story(journal: Faulty, clerk: Clerk) -> None:
        for number in range(5):
            await clerk.do("L", held(number))
        await clerk.do("L", commands.Release("r", AT, 1))
        kept = await journal.kept("L")
        assert kept is not None and kept.version >= 4
        assert same((await load(journal, "L")).state, (await clerk.read("L")).state)
        assert (await verify(journal, "L")).clean

    run(story, snapshot_events=4)


def test_snapshots_are_kept_also_while_commands_never_cease() -> None:
    """Something is decided during each commit, so the ledger in memory is always ahead of the journal."""

    async def story(journal: Faulty, clerk: Clerk) -> None:
        await open_ledger(clerk, "M", size=500)
        numbers = iter(range(200))

        async def buyer() -> None:
            for number in numbers:
                await clerk.do("M", held(number))

        await asyncio.gather(*(buyer() for _ in range(10)))
        kept = await journal.kept("M")
        assert kept is not None and kept.version > 190
        assert (await verify(journal, "M")).clean

    run(story, snapshot_events=4)


def test_a_ledger_that_is_over_the_memory_of_the_clerk_is_read_again() -> None:
    async def story(journal: Faulty, clerk: Clerk) -> None:
        for name in "MNOP":
            await open_ledger(clerk, name)
        for number, name in enumerate("LMNOPLMNOP"):
            assert await clerk.do(name, held(number))
        for name in "LMNOP":
            verdict = await verify(journal, name)
            assert verdict.clean and verdict.version == 3

    run(story, ledgers_max=2)


def test_a_closed_clerk_commits_what_it_has_and_takes_nothing_more() -> None:
    async def story(journal: Faulty, clerk: Clerk) -> None:
        journal.gate.clear()
        asked = asyncio.create_task(clerk.do("L", held(0)))
        await turns()
        closing = asyncio.create_task(clerk.close())
        await turns()
        with pytest.raises(ClerkClosed):
            await clerk.do("L", held(1))
        journal.gate.set()
        assert await asked
        await closing

    run(story)


def test_a_damaged_ledger_is_not_written_to_and_others_go_on() -> None:
    async def story(journal: Faulty, clerk: Clerk) -> None:
        await clerk.do("L", held(0))
        frame = journal._frames["L"][1]
        journal._frames["L"][1] = Frame(frame.ledger, frame.version, frame.count, frame.checksum, frame.body[:-3])
        clerk.forget("L")
        with pytest.raises(DamagedJournal, match="torn"):
            await clerk.do("L", held(1))
        await open_ledger(clerk, "M")

    run(story)


def test_commands_that_make_no_sense_are_told_apart_from_refusals() -> None:
    async def story(_journal: Faulty, clerk: Clerk) -> None:
        for wrong in (
            held(1, 2, 1),
            held(2, 0, 3),
            commands.Hold("h", AT, "sofa", 0, 1),
            commands.Hold("", AT, "seat", 0, 1),
        ):
            with pytest.raises(BadCommand):
                await clerk.do("L", wrong)
        for name in ("", "x" * 201, "a\0b", "\ud800"):
            with pytest.raises(BadCommand):
                await clerk.do(name, held(1))
        never = await clerk.do("never opened", held(1))
        assert isinstance(never, Refusal) and never.reason is Reason.UNKNOWN

    run(story)


def test_after_a_fault_of_the_program_itself_the_ledger_is_read_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """It may have been in the middle of a change; who had been decided before, and not committed, is told so."""
    right = APPLY[events.Released]

    def broken(state: object, event: object) -> None:
        right(state, event)
        raise ZeroDivisionError

    async def story(journal: Faulty, clerk: Clerk) -> None:
        await clerk.do("L", held(0))
        journal.gate.clear()
        waiting = asyncio.create_task(clerk.do("L", held(1)))
        await turns()
        behind = asyncio.create_task(clerk.do("L", held(2)))
        await turns()
        monkeypatch.setitem(APPLY, events.Released, broken)
        with pytest.raises(ZeroDivisionError):
            await clerk.do("L", commands.Release("r", AT, 1))
        monkeypatch.setitem(APPLY, events.Released, right)
        journal.gate.set()
        assert await waiting
        with pytest.raises(ZeroDivisionError):
            await behind
        assert await clerk.do("L", held(2))
        assert await clerk.do("L", commands.Release("r", AT, 1))
        verdict = await verify(journal, "L")
        assert verdict.clean and verdict.version == 5

    run(story)


@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 1 << 30), clerks=st.integers(1, 3), faults=st.integers(0, 8))
def test_whatever_fails_nothing_is_sold_twice_and_nothing_told_is_lost(seed: int, clerks: int, faults: int) -> None:
    """Buyers repeat until they are answered, by whichever clerk; appends fail before and after they are done."""
    draw = random.Random(seed)

    async def story() -> None:
        journal = Faulty()
        writers = [Clerk(journal, snapshot_events=7) for _ in range(clerks)]
        await open_ledger(writers[0], size=6)
        journal.faults = [draw.choice(("", "refused", "answer lost")) for _ in range(faults)]
        told: dict[str, Decision] = {}

        async def ask(command: commands.AnyCommand) -> Decision:
            while True:
                await turns(draw.randrange(4))
                try:
                    answer = await draw.choice(writers).do("L", command)
                except (LedgerError, StoreError):
                    continue
                told[command.id] = answer
                return answer

        async def buyer(number: int) -> None:
            start = draw.randrange(2)
            order = await ask(held(number, start, draw.randrange(start + 1, 3)))
            if isinstance(order, events.Held):
                kind = draw.choice((commands.Confirm, commands.Release))
                await ask(kind(f"{kind.__name__}{number}", AT + 1, order.order, f"p{number}"))

        await asyncio.gather(*(buyer(number) for number in range(20)))
        for writer in writers:
            await writer.close()
        verdict = await verify(journal, "L")
        assert verdict.clean, verdict
        state = (await load(journal, "L")).state
        for command, answer in told.items():
            if not isinstance(answer, Refusal):
                assert state.done[command] == answer

    asyncio.run(story())
