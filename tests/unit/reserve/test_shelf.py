"""The read side apart (R1.9): filled from the journal's tail, never backwards, rebuilt at any time; in Redis and in
tables; and it says what the ledger says."""

from __future__ import annotations

import asyncio
import random
import secrets
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from shike.clock import ManualClock
from shike.errors import BadStoreURL, StoreUnavailable
from shike.reserve import commands
from shike.reserve.clerk import Clerk
from shike.reserve.events import Held
from shike.reserve.journal.memory import MemoryJournal
from shike.reserve.model import Binding, Line, Pool, Sale, Unit
from shike.reserve.query import available
from shike.reserve.shelf.base import Left, Page, Row, Shelf
from shike.reserve.shelf.opening import open_shelf
from shike.reserve.shelf.projector import Projector
from shike.reserve.shelf.redis import RedisShelf
from shike.reserve.shelf.relational import RelationalShelf
from shike.reserve.shelf.sqlite import SQLiteShelf
from tests import servers

SERVERS = ("redis", "postgres", "mysql")
KINDS = [pytest.param("sqlite"), *(pytest.param(kind, marks=pytest.mark.servers) for kind in SERVERS)]
TABLES = ("sqlite", "postgres", "mysql")  # those that are asked by SQL
AT = 1_800_000_000_000_000
SEGMENTS = 4
Story = Callable[[Shelf, Clerk, MemoryJournal, ManualClock], Awaitable[None]]


def play(kind: str, folder: Path, story: Story) -> None:
    async def whole() -> None:
        shelf = placed(kind, folder)
        await shelf.open()
        try:
            journal = MemoryJournal()
            async with Clerk(journal) as clerk:
                await story(shelf, clerk, journal, ManualClock(AT))
        finally:
            await shelf.clear()
            if isinstance(shelf, RelationalShelf):
                for table in ("pages", "lefts", "looked"):
                    await shelf._query(f"drop table {shelf._namespace}_{table}")
            await shelf.close()

    asyncio.run(whole())


def placed(kind: str, folder: Path, namespace: str = "") -> Shelf:
    url = f"sqlite:///{folder}/shelf.db" if kind == "sqlite" else servers.url(kind)
    return open_shelf(url, namespace or f"t{secrets.token_hex(6)}")


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


@pytest.mark.parametrize("kind", KINDS)
def test_of_many_who_fill_it_at_once_the_newest_page_stays_whole(kind: str, tmp_path: Path) -> None:
    async def story(shelf: Shelf, _clerk: Clerk, _journal: MemoryJournal, _clock: ManualClock) -> None:
        others = [placed(kind, tmp_path, namespace_of(shelf)) for _ in range(3)]
        for other in others:
            await other.open()
        places = [shelf, *others]
        pages = [
            Page("G1", version, tuple(Row("seat", n, str(n), 99, version) for n in range(version % 5 + 1)))
            for version in range(1, 25)
        ]
        await asyncio.gather(*[put_all(places[n % 4], random.Random(n).sample(pages, 24)) for n in range(4)])
        assert await shelf.versions() == {"G1": 24}
        assert await shelf.left("G1", "seat", 0, 5) == Left(24, 24)
        for other in others:
            await other.close()

    async def put_all(shelf: Shelf, pages: list[Page]) -> None:
        for page in pages:
            await shelf.put(page)
            left = await shelf.left("G1", "seat", 0, 1)
            assert left is not None and left.count == left.version >= page.version

    play(kind, tmp_path, story)


def namespace_of(shelf: Any) -> str:
    if isinstance(shelf, RelationalShelf):
        return shelf._namespace
    return str(shelf._link._tag.strip("{}")) if isinstance(shelf, RedisShelf) else str(shelf._file._namespace)


@pytest.mark.parametrize("kind", KINDS)
def test_names_are_told_apart_to_the_sign(kind: str, tmp_path: Path) -> None:
    async def story(shelf: Shelf, _clerk: Clerk, _journal: MemoryJournal, _clock: ManualClock) -> None:
        names = ["seat", "Seat", "seat ", "sèat", "二等座", "a'b;--", "x" * 200]
        for number, name in enumerate(names):
            await shelf.put(Page(name, 1, tuple(Row(pool, 0, name, 9, number) for pool in names)))
        for number, name in enumerate(names):
            assert [await shelf.left(name, pool, 0, 1) for pool in names] == [Left(number, 1)] * len(names)
        await shelf.put(Page("empty", 1, ()))
        assert await shelf.left("empty", "seat", 0, 1) is None and len(await shelf.versions()) == len(names) + 1

    play(kind, tmp_path, story)


@pytest.mark.parametrize("kind", [param for param in KINDS if param.values[0] in TABLES])
def test_a_question_of_the_back_office_is_plain_sql(kind: str, tmp_path: Path) -> None:
    """Which ledgers have fewer than 4 left somewhere between two positions: the question of the module's own words."""

    async def story(shelf: Any, clerk: Clerk, journal: MemoryJournal, clock: ManualClock) -> None:
        await opened(clerk, "G1", "G2", "G3")
        await clerk.do("G2", commands.Hold("h", AT, "seat", 1, 3, 3))
        await clerk.do("G3", commands.Hold("h", AT, "seat", 3, 4, 3))
        await Projector(journal, shelf, clock).look()
        sql = (
            "select pages.ledger, min(lefts.left_over) from {ns}_pages pages join {ns}_lefts lefts using (ledger)"
            " where pool = 'seat' and segment between 0 and 2 group by ledger having min(lefts.left_over) < 4"
        )
        if isinstance(shelf, SQLiteShelf):
            found = await shelf._file.ask(sql)
        else:
            found = await shelf._do(lambda: shelf._query(shelf._sql(sql)))
        assert [tuple(row) for row in found] == [("G2", 3)]

    play(kind, tmp_path, story)


@pytest.mark.parametrize("kind", ["postgresql", "mysql", "redis"])
def test_a_place_that_does_not_answer_is_told(kind: str) -> None:
    async def whole() -> None:
        with pytest.raises(StoreUnavailable):
            await open_shelf(f"{kind}://127.0.0.1:9/shike").open()

    asyncio.run(whole())


@pytest.mark.parametrize("url", ["memory://", "etcd://here", "nonsense"])
def test_a_place_where_no_shelf_stands_is_refused(url: str) -> None:
    with pytest.raises(BadStoreURL, match="no shelf stands at"):
        open_shelf(url)


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
