"""Verbs that meet between two of their statements: a call is held just before one, while others do their work.

What the contract suite shows one after the other, here happens at once: words repeated while the first are still under
way, and what a call has read changed before it writes.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, TypeVar

import asyncpg
import pytest

from shike.errors import SessionClosed
from shike.model import State
from shike.store.guards import Absent, Entry
from shike.store.postgres.link import PostgresLink
from shike.store.verbs import Answer
from tests import bounded
from tests.contract.stores import postgres
from tests.contract.world import World

T = TypeVar("T")

SECONDS = 10.0  # for what takes milliseconds
STATEMENTS = ("rows", "run", "many", "columns")


class Stage:
    """A world in which one call can be held before a statement."""

    def __init__(self, world: World, monkeypatch: pytest.MonkeyPatch) -> None:
        self.world = world
        self._held: dict[asyncio.Task[Any], tuple[str, asyncio.Event, asyncio.Event]] = {}
        for name in STATEMENTS:
            monkeypatch.setattr(PostgresLink, name, self._watched(getattr(PostgresLink, name)))

    def _watched(self, original: Any) -> Any:
        async def watched(link: PostgresLink, name: str, *words: Any) -> Any:
            task = asyncio.current_task()
            if task in self._held and self._held[task][0] == name:
                _, arrived, go = self._held.pop(task)
                arrived.set()
                await go.wait()
            return await original(link, name, *words)

        return watched

    @asynccontextmanager
    async def held(self, statement: str, call: Awaitable[T]) -> AsyncIterator[asyncio.Task[T]]:
        """The call stands before this statement until the block ends; its answer is then that of the task."""
        arrived, go = asyncio.Event(), asyncio.Event()
        task = asyncio.ensure_future(call)
        assert isinstance(task, asyncio.Task)
        self._held[task] = statement, arrived, go
        try:
            await asyncio.wait_for(arrived.wait(), SECONDS)
            yield task
        finally:  # or the store would wait for its connection for ever
            go.set()
            await asyncio.wait([task], timeout=SECONDS)

    async def waits_for_a_row(self, word: str) -> None:
        """Until a statement with this word waits for somebody's lock."""
        connection = await asyncpg.connect(self.world.store.where)  # type: ignore[attr-defined]
        try:
            asked = "select 1 from pg_stat_activity where wait_event_type = 'Lock' and position($1 in query) > 0"
            async with asyncio.timeout(SECONDS):
                while not await connection.fetch(asked, word):
                    await asyncio.sleep(0.01)
        finally:
            await connection.close()


@pytest.fixture
def stage(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Stage:
    return Stage(World(postgres, tmp_path), monkeypatch)


@asynccontextmanager
async def opened(stage: Stage) -> AsyncIterator[World]:
    await stage.world.open()
    try:
        yield stage.world
    finally:
        await stage.world.close()


def test_a_repeat_that_meets_the_first_words_finds_them(stage: Stage) -> None:
    async def story() -> None:
        async with opened(stage) as world:
            run = world.run()
            async with stage.held("runs_arrive", world.submit(run, repeat=True)) as repeat:
                (first,) = await world.submit(run)
            assert await repeat == [first]

    bounded.run(story())


def test_a_repeat_that_was_overtaken_by_the_whole_life_of_its_run_starts_no_second(stage: Stage) -> None:
    async def story() -> None:
        async with opened(stage) as world:
            await world.session()
            run = world.run()
            async with stage.held("runs_arrive", world.submit(run, repeat=True)) as repeat:
                claimed = await _first_life(world, run)
            assert [answer.run_id for answer in await repeat] == [run.id]
            assert await world.store.live(run.id) is None
            assert (await world.ended(run.id)).token == claimed.token
            assert await world.granted() == []

    async def _first_life(world: World, run: Any) -> Any:
        await world.submit(run)
        claimed = await world.take()
        assert await world.settle(claimed, State.SUCCESS) is Answer.ACCEPTED
        return claimed

    bounded.run(story())


@pytest.mark.parametrize(("lanes", "statement"), [(1, "lane_grant"), (2, "lane_take")])
def test_a_claim_repeated_while_the_first_is_under_way_gets_the_same_batch(
    stage: Stage, lanes: int, statement: str
) -> None:
    async def story() -> None:
        async with opened(stage) as world:
            await world.session()
            for band in range(lanes):
                await world.add(band=band)
            async with stage.held(statement, world.claim(number=1)) as repeat:
                first = await world.claim(number=1)
                await world.add(band=0)
            assert (await repeat).runs == first.runs
            assert len(first.runs) == lanes

    bounded.run(story())


def test_a_claim_that_is_repeated_in_mid_rescue_is_answered(stage: Stage) -> None:
    async def story() -> None:
        async with opened(stage) as world:
            await world.session()
            await world.session("other")
            claimed = await world.started()
            async with stage.held("runs_leased", world.claim(number=1)) as repeat:
                await world.beat(received=1, holds=())  # it never arrived
                again = await world.take("other")
                assert again.run.id == claimed.run.id
                assert await world.settle(again, State.SUCCESS, "other") is Answer.ACCEPTED
            assert all(run.token < again.token for run in (await repeat).runs)

    bounded.run(story())


def test_a_beat_that_waited_for_the_end_of_its_session_is_told(stage: Stage) -> None:
    async def story() -> None:
        async with opened(stage) as world:
            await world.session()
            world.clock.advance(11.0)
            closing = world.store.close_session("worker", seen_beat=0, reason="no beat")
            beat = None
            async with stage.held("session_close", closing):
                beat = asyncio.ensure_future(world.beat())
                await stage.waits_for_a_row("renewed")
            with pytest.raises(SessionClosed, match="no beat"):
                await beat

    bounded.run(story())


def test_a_division_repeated_while_the_first_is_under_way_finds_its_own_work(stage: Stage) -> None:
    async def story() -> None:
        async with opened(stage) as world:
            await world.session()
            await world.session("target")
            (whole,) = await world.store.buckets()
            take = [whole], [(whole.low, whole.high)]
            async with stage.held("buckets_write", world.divide("target", *take, owner="target")) as first:
                repeat = asyncio.ensure_future(world.divide("worker", *take, owner="target"))
                await stage.waits_for_a_row("_bucket")
            assert await repeat == await first

    bounded.run(story())


def test_no_beat_comes_between_the_look_at_a_silent_owner_and_the_taking(stage: Stage) -> None:
    async def story() -> None:
        async with opened(stage) as world:
            await world.session("silent")
            await world.session("taker")
            (mine,) = await world.own("silent")
            taking = world.divide("taker", [mine], [(mine.low, mine.high)], silent=(("silent", 0),))
            async with stage.held("buckets_write", taking) as taken:
                beat = asyncio.ensure_future(world.beat("silent"))
                await stage.waits_for_a_row("renewed")
                assert not beat.done()
            await beat
            assert await world.store.buckets() == await taken

    bounded.run(story())


def test_a_control_row_that_is_made_twice_at_once_is_found_or_replaced(stage: Stage) -> None:
    async def story() -> None:
        async with opened(stage) as world:
            async with stage.held("control_make", world.store.put("a", b"1", expect=None)) as late:
                await world.store.put("a", b"2", expect=None)
            found = await late
            assert found is not None and (found.value, found.version) == (b"1", 2)
            async with stage.held("control_make", world.store.put("b", b"1", expect=0)) as repeat:
                first = await world.store.put("b", b"1", expect=0)
            assert await repeat == first

    bounded.run(story())


def test_a_history_that_is_being_read_delays_no_other_part_of_the_purge(stage: Stage) -> None:
    async def story() -> None:
        async with opened(stage) as world:
            await world.session()
            await world.settle(await world.started(), State.SUCCESS)
            await world.submit(Entry(world.run(), guards=(Absent("order", 5.0),)))
            world.clock.advance(3 * 86_400)
            reader = await asyncpg.connect(world.store.where)  # type: ignore[attr-defined]
            async with reader.transaction():
                await reader.fetch(f"select 1 from {world.store.schema}.shike_history")  # type: ignore[attr-defined]
                purge = asyncio.ensure_future(world.purge(success_seconds=86_400.0))
                await stage.waits_for_a_row("drop table")
                keys = await reader.fetch(f"select key from {world.store.schema}.shike_dedupe")  # type: ignore[attr-defined]
                assert keys == []
            assert await purge >= 2
            await reader.close()

    bounded.run(story())
