"""The read side apart (R1.9): filled from the journal's tail, never backwards, rebuilt at any time; in Redis and in
tables; and it says what the ledger says."""

from __future__ import annotations

import asyncio
import random
import secrets
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from shike.clock import ManualClock
from shike.errors import StoreUnavailable
from shike.reserve import commands
from shike.reserve.clerk import Clerk
from shike.reserve.events import Held
from shike.reserve.journal.memory import MemoryJournal
from shike.reserve.model import Binding, Line, Pool, Sale, Unit
from shike.reserve.query import available
from shike.reserve.shelf.base import Left, Page, Row, Shelf
from shike.reserve.shelf.projector import Projector
from shike.reserve.shelf.redis import RedisShelf
from shike.reserve.shelf.sqlite import SQLiteShelf
from tests import servers

KINDS = [pytest.param("sqlite"), pytest.param("redis", marks=pytest.mark.servers)]
AT = 1_800_000_000_000_000
SEGMENTS = 4
Story = Callable[[Shelf, Clerk, MemoryJournal, ManualClock], Awaitable[None]]


def play(kind: str, folder: Path, story: Story) -> None:
    async def whole() -> None:
        shelf: Shelf
        if kind == "sqlite":
            shelf = SQLiteShelf(f"sqlite:///{folder}/shelf.db")
        else:
            shelf = RedisShelf(servers.url("redis"), f"t{secrets.token_hex(6)}")
        await shelf.open()
        try:
            journal = MemoryJournal()
            async with Clerk(journal) as clerk:
                await story(shelf, clerk, journal, ManualClock(AT))
        finally:
            await shelf.clear()
            await shelf.close()

    asyncio.run(whole())


async def opened(clerk: Clerk, *ledgers: str) -> None:
    pools = (
        Pool("seat", tuple(Unit(f"s{number}") for number in range(6)), binding=Binding.ON_DEMAND),
        Pool("standing", capacity=9, binding=Binding.NEVER),
    )
    for ledger in ledgers:
        line = Line(tuple(str(number) for number in range(SEGMENTS + 1)))
        await clerk.do(ledger, commands.Open("open", AT, line, pools, sales=(Sale(opens_at=1),)))


@pytest.mark.parametrize("kind", KINDS)
def test_it_says_what_the_ledger_says_and_is_rebuilt(kind: str, tmp_path: Path) -> None:
    async def story(shelf: Shelf, clerk: Clerk, journal: MemoryJournal, clock: ManualClock) -> None:
        dice = random.Random(4)
        await opened(clerk, "G1", "G2", "G3")
        projector = Projector(journal, shelf, clock)
        assert await projector.look() == 3 and await projector.look() == 0
        for number in range(60):
            ledger, start = dice.choice(["G1", "G2"]), dice.randrange(SEGMENTS)
            pool, end = dice.choice(["seat", "standing"]), dice.randint(start + 1, SEGMENTS)
            held = await clerk.do(ledger, commands.Hold(f"h{number}", AT, pool, start, end))
            if isinstance(held, Held) and dice.random() < 0.3:
                await clerk.do(ledger, commands.Release(f"r{number}", AT, held.order))
            if number % 20 == 19:
                assert await projector.look() == 2
                await same(shelf, clerk)
        clock.advance(5)
        assert await shelf.as_of() == AT
        await shelf.clear()
        assert await shelf.versions() == {} and await shelf.left("G1", "seat", 0, 2) is None
        assert await Projector(journal, shelf, clock).rebuild() == 3
        await same(shelf, clerk)
        assert await shelf.as_of() == AT + 5_000_000

    async def same(shelf: Shelf, clerk: Clerk) -> None:
        for ledger in ("G1", "G2", "G3"):
            state = (await clerk.read(ledger)).state
            for pool in state.pools:
                for start in range(SEGMENTS):
                    for end in range(start + 1, SEGMENTS + 1):
                        count = available(state, pool, start, end, at=AT)
                        assert await shelf.left(ledger, pool, start, end) == Left(count, state.version)

    play(kind, tmp_path, story)


@pytest.mark.parametrize("kind", KINDS)
def test_an_older_page_does_not_take_the_place_of_a_newer_one(kind: str, tmp_path: Path) -> None:
    async def story(shelf: Shelf, _clerk: Clerk, _journal: MemoryJournal, _clock: ManualClock) -> None:
        new, old = (Page("G1", version, (Row("seat", 0, "A", 9, left),)) for version, left in ((7, 3), (5, 6)))
        assert await shelf.put(new) and not await shelf.put(old) and not await shelf.put(new)
        assert await shelf.left("G1", "seat", 0, 1) == Left(3, 7)
        assert await shelf.left("G1", "bed", 0, 1) is None and await shelf.left("G1", "seat", 0, 2) is None
        assert await shelf.versions() == {"G1": 7}

    play(kind, tmp_path, story)


def test_it_goes_on_when_its_place_does_again(tmp_path: Path) -> None:
    class Shaky(SQLiteShelf):
        fails = 3

        async def versions(self) -> dict[str, int]:
            self.fails -= 1
            if self.fails > 0:
                raise StoreUnavailable("away")
            return await super().versions()

    async def whole() -> None:
        journal, shelf = MemoryJournal(), Shaky(f"sqlite:///{tmp_path}/shelf.db")
        await shelf.open()
        async with Clerk(journal) as clerk:
            await opened(clerk, "G1")
            running = asyncio.create_task(Projector(journal, shelf, ManualClock(AT)).run(0.01))
            async with asyncio.timeout(60):
                while await shelf.left("G1", "seat", 0, 1) is None:
                    await asyncio.sleep(0.01)
            running.cancel()
            await asyncio.wait([running])
        await shelf.close()

    asyncio.run(whole())
