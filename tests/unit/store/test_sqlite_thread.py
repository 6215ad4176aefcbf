"""One writer, natural group commit: neighbours share a commit and nothing else."""

from __future__ import annotations

import asyncio
import sqlite3
import threading
from collections.abc import Coroutine
from pathlib import Path
from typing import Any

import pytest

from shike.errors import BadInput, Conflict, StoreUnavailable
from shike.model import Live
from shike.runtime import driven
from shike.store.hints import Hint, HintKind
from shike.store.sqlite import SQLiteStore
from shike.store.sqlite.tx import Tx
from tests.unit.store.sqlite_world import TASK, claim, entry, join, opened, run, succeed, until


def traced(store: SQLiteStore) -> list[str]:
    """The statements that the writer runs from now on."""
    seen: list[str] = []
    assert store._writer is not None
    store._writer._tx.connection.set_trace_callback(seen.append)
    return seen


def hold_the_writer(store: SQLiteStore) -> threading.Event:
    """Keep the writer busy until the event is set, as a slow commit would."""
    release = threading.Event()
    assert store._writer is not None
    started = threading.Event()

    def wait(tx: Tx) -> None:
        started.set()
        release.wait(20)

    threading.Thread(target=driven, args=(store._writer.ask(wait, ()),), daemon=True).start()
    assert started.wait(20)
    return release


def test_calls_that_arrive_during_a_commit_share_the_next_one(tmp_path: Path) -> None:
    async def gathered() -> list[str]:
        async with opened(tmp_path / "shike.db") as store:
            seen = traced(store)
            release = hold_the_writer(store)
            calls = [asyncio.ensure_future(store.submit([entry(number)])) for number in range(1, 101)]
            await asyncio.sleep(0)
            release.set()
            await asyncio.gather(*calls)
            return seen

    commits = [statement for statement in run(gathered()) if statement == "commit"]
    assert len(commits) == 2, "the slow call's, and one for a hundred"


def test_a_lone_call_is_committed_at_once(tmp_path: Path) -> None:
    async def lone() -> list[str]:
        async with opened(tmp_path / "shike.db") as store:
            seen = traced(store)
            await store.submit([entry(1)])
            return seen

    assert run(lone()).count("commit") == 1


def test_a_verb_that_fails_harms_none_of_its_neighbours(tmp_path: Path) -> None:
    """Both kinds: refused before it wrote anything, and after."""

    async def failing() -> None:
        async with opened(tmp_path / "shike.db") as store:
            await store.submit([entry(1)])
            release = hold_the_writer(store)
            verbs: list[Coroutine[Any, Any, Any]] = [
                store.submit([entry(2)]),
                store.submit([entry(3), entry(1)]),  # 3 is written before 1 is found
                store.submit([entry(4, band=99)]),
                store.submit([entry(5)]),
            ]
            calls = [asyncio.ensure_future(verb) for verb in verbs]
            await asyncio.sleep(0)
            release.set()
            answers = await asyncio.gather(*calls, return_exceptions=True)
            assert [type(answer) for answer in answers] == [list, Conflict, BadInput, list]
            there = [number for number in range(1, 6) if await store.live(number << 8)]
            assert there == [1, 2, 5]

    run(failing())


class Stuck:
    """A connection whose rollback fails, as where the disk does not answer."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self.connection = connection
        self.closed = False

    def __getattr__(self, name: str) -> Any:
        return getattr(self.connection, name)

    def execute(self, statement: str, *values: Any) -> sqlite3.Cursor:
        if statement == "rollback":
            raise sqlite3.OperationalError("disk I/O error")
        return self.connection.execute(statement, *values)

    def close(self) -> None:
        self.closed = True
        self.connection.close()


@pytest.mark.parametrize("neighbours", [True, False])
def test_a_connection_that_cannot_take_back_is_thrown_away(tmp_path: Path, neighbours: bool) -> None:
    """Nothing half done, nobody left waiting, and the next call finds a connection that works."""

    async def failing() -> None:
        async with opened(tmp_path / "shike.db") as store:
            await store.submit([entry(1)])
            writer = store._writer
            assert writer is not None
            stuck = Stuck(writer._tx.connection)
            writer._tx.use(stuck)  # type: ignore[arg-type]
            release = hold_the_writer(store)
            verbs = [store.submit([entry(2, queue="gpu"), entry(1)])]  # writes, and fails
            if neighbours:
                verbs = [store.submit([entry(3)]), *verbs, store.submit([entry(4, queue="gpu")])]
            calls = [asyncio.ensure_future(verb) for verb in verbs]
            await asyncio.sleep(0)
            release.set()
            answers = await asyncio.wait_for(asyncio.gather(*calls, return_exceptions=True), 20)
            assert [type(answer) for answer in answers] == ([list, Conflict, list] if neighbours else [Conflict])
            assert stuck.closed
            await store.submit([entry(5, queue="io")])
            there = [number for number in range(1, 6) if await store.live(number << 8)]
            assert there == ([1, 3, 4, 5] if neighbours else [1, 5])
            assert (await store.counts()).by_queue.get("gpu", 0) == neighbours

    run(failing())


def test_where_no_connection_can_be_had_callers_are_told_and_it_is_tried_again(tmp_path: Path) -> None:
    async def failing() -> None:
        async with opened(tmp_path / "shike.db") as store:
            await store.submit([entry(1)])
            writer = store._writer
            assert writer is not None
            writer._tx.use(Stuck(writer._tx.connection))  # type: ignore[arg-type]
            connect, writer._connect = writer._connect, refuse
            with pytest.raises(Conflict):
                await store.submit([entry(2), entry(1)])
            for _ in range(2):
                with pytest.raises(StoreUnavailable):
                    await store.submit([entry(3)])
            writer._connect = connect
            await store.submit([entry(3)])
            assert [number for number in range(1, 4) if await store.live(number << 8)] == [1, 3]

    def refuse() -> sqlite3.Connection:
        raise sqlite3.OperationalError("unable to open database file")

    run(failing())


def test_what_was_named_in_a_step_that_was_taken_back_is_named_again(tmp_path: Path) -> None:
    """The number of a queue's name dies with the transaction that gave it."""

    async def named() -> None:
        async with opened(tmp_path / "shike.db") as store:
            await store.submit([entry(1)])
            with pytest.raises(Conflict):
                await store.submit([entry(2, queue="gpu"), entry(1)])
            await store.submit([entry(3, queue="io")])
            await store.submit([entry(4, queue="gpu")])
            assert (await store.counts()).by_queue == {"default": 1, "io": 1, "gpu": 1}

    run(named())


def test_a_claim_and_its_settling_take_as_many_steps_for_a_thousand_runs_as_for_one_group(tmp_path: Path) -> None:
    """Each step of SQLite gives the interpreter's lock away once; a busy program may keep it for milliseconds."""

    async def steps(store: SQLiteStore, first: int, count: int, number: int) -> int:
        await store.submit([entry(first + place) for place in range(count)])
        seen = traced(store)
        batch = await claim(store, count, number)
        assert len(batch.runs) == count
        await succeed(store, batch)
        return len(seen)

    async def compared() -> tuple[int, int]:
        async with opened(tmp_path / "shike.db") as store:
            await join(store)
            await steps(store, 1, 1, 1)
            return await steps(store, 10, 256, 2), await steps(store, 1_000, 1_024, 3)

    small, large = run(compared())
    assert small < 30
    assert large <= small + 3, "three groups of 256 more"


def test_verbs_come_from_many_event_loops_at_once(tmp_path: Path) -> None:
    async def many() -> None:
        async with opened(tmp_path / "shike.db") as store:

            def elsewhere(part: int) -> None:
                async def submit() -> None:
                    await asyncio.gather(*[store.submit([entry(100 * part + one)]) for one in range(1, 51)])

                asyncio.run(submit())

            threads = [threading.Thread(target=elsewhere, args=(part,)) for part in range(3)]
            for thread in threads:
                thread.start()
            for thread in threads:
                await asyncio.to_thread(thread.join)
            assert (await store.counts()).eligible == 150

    run(many())


def test_code_without_an_event_loop_uses_the_same_store(tmp_path: Path) -> None:
    store = SQLiteStore(tmp_path / "shike.db")
    store.start()
    try:
        (answer,) = driven(store.submit([entry(1)]))
        found = driven(store.find(answer.run_id))
        assert isinstance(found, Live)
        assert found.run.task == TASK
        with pytest.raises(BadInput):
            driven(store.submit([entry(2, band=-1)]))
    finally:
        store.stop()
    with pytest.raises(StoreUnavailable):
        driven(store.find(1))


def test_closing_finishes_what_was_handed_over(tmp_path: Path) -> None:
    async def closing() -> None:
        store = SQLiteStore(tmp_path / "shike.db")
        await store.open()
        release = hold_the_writer(store)
        calls = [asyncio.ensure_future(store.submit([entry(number)])) for number in range(1, 11)]
        await asyncio.sleep(0)
        end = asyncio.ensure_future(store.close())
        release.set()
        await asyncio.gather(end, *calls)
        async with opened(tmp_path / "shike.db") as again:
            assert (await again.counts()).scheduled + (await again.counts()).eligible == 10

    run(closing())


def test_a_caller_that_was_cancelled_does_not_stop_the_others(tmp_path: Path) -> None:
    async def cancelled() -> None:
        async with opened(tmp_path / "shike.db") as store:
            release = hold_the_writer(store)
            first, second = (asyncio.ensure_future(store.submit([entry(number)])) for number in (1, 2))
            await asyncio.sleep(0)
            first.cancel()
            release.set()
            assert len(await second) == 1
            await store.submit([entry(3)])

    run(cancelled())


def test_a_loop_that_is_closed_does_not_stop_the_writer(tmp_path: Path) -> None:
    store = SQLiteStore(tmp_path / "shike.db")
    store.start()
    release = hold_the_writer(store)

    async def leave() -> None:
        asyncio.ensure_future(store.submit([entry(1)]))  # noqa: RUF006 - it is meant to be abandoned
        await asyncio.sleep(0)

    run(leave())
    release.set()
    try:
        driven(store.submit([entry(2)]))
        assert driven(store.find(1 << 8)), "it was handed over, so it is done"
    finally:
        store.stop()


def test_hints_arrive_after_the_answer_and_only_for_what_was_committed(tmp_path: Path) -> None:
    async def heard() -> None:
        async with opened(tmp_path / "shike.db") as store:
            hints: list[Hint] = []
            stop = store.listen(hints.append)
            with pytest.raises(Conflict):
                await store.submit([entry(1), entry(1)])
            await store.submit([entry(2), entry(3)])
            await until(lambda: bool(hints))
            assert hints == [Hint(HintKind.DUE, "default", store.clock.wall())]
            stop()
            await store.submit([entry(4)])
            await store.counts()
            assert len(hints) == 1

    run(heard())


def test_a_commit_that_nobody_can_be_told_of_stands_and_the_writer_goes_on(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async def story() -> None:
        async with opened(tmp_path / "shike.db") as store:

            def broken(hints: list[Hint]) -> None:
                raise RuntimeError("no way to tell")

            assert store._wakeup is not None
            store._wakeup.send = broken  # type: ignore[method-assign]
            async with asyncio.timeout(20):
                await store.submit([entry(1)])
                await store.submit([entry(2)])
                assert isinstance(await store.find(1 << 8), Live)

    run(story())
    assert "nobody could be told" in caplog.text
