"""What is over lies in one table a day, and leaves with it; digests and the timetable remember."""

from __future__ import annotations

import sqlite3
from pathlib import Path

from shike.clock import ManualClock
from shike.model import State
from shike.store.sqlite import SQLiteStore
from shike.store.verbs import Ack, Retention
from tests.unit.store.sqlite_world import claim, entry, join, opened, run, succeed

DAY = 86_400.0


def tables(file: Path) -> list[str]:
    connection = sqlite3.connect(file)
    try:
        made = "select name from sqlite_master where type = 'table' and name like 'shike_history_%' order by name"
        found = connection.execute(made)
        return [name for (name,) in found]
    finally:
        connection.close()


def keep(success_seconds: float, rows_max: int = 1_000) -> Retention:
    return Retention(
        success_seconds=success_seconds, dead_seconds=1e9, receipt_seconds=1e9, session_seconds=1e9, rows_max=rows_max
    )


async def work(store: SQLiteStore, first: int, count: int) -> None:
    await store.submit([entry(first + number) for number in range(count)])
    await succeed(store, await claim(store, count, first))


def clock_of(store: SQLiteStore) -> ManualClock:
    assert isinstance(store.clock, ManualClock)
    return store.clock


def test_each_day_has_its_table_and_goes_as_a_whole(tmp_path: Path) -> None:
    file = tmp_path / "shike.db"

    async def days() -> None:
        async with opened(file) as store:
            await join(store)
            for day in range(3):
                await work(store, 1 + 10 * day, 2)
                clock_of(store).advance(DAY)
            assert tables(file) == ["shike_history_20260101", "shike_history_20260102", "shike_history_20260103"]
            assert await store.purge(keep(2 * DAY)) == 2
            assert await store.purge(keep(2 * DAY)) == 0
            assert tables(file) == ["shike_history_20260102", "shike_history_20260103"]
            assert await store.find(1 << 8) is None
            assert await store.ended(11 << 8) is not None
            assert (await store.counts()).ended == {"SUCCESS": 4}

    run(days())


def test_a_days_digest_outlives_it(tmp_path: Path) -> None:
    file = tmp_path / "shike.db"

    async def digest() -> None:
        async with opened(file) as store:
            await join(store)
            await work(store, 1, 3)
            clock_of(store).advance(3 * DAY)
            await store.purge(keep(DAY))

    run(digest())
    connection = sqlite3.connect(file)
    assert connection.execute("select state, count from shike_digest").fetchall() == [(State.SUCCESS, 3)]
    connection.close()


def test_less_than_a_day_is_kept_by_the_row(tmp_path: Path) -> None:
    async def rows() -> None:
        async with opened(tmp_path / "shike.db") as store:
            await join(store)
            await work(store, 1, 3)
            clock_of(store).advance(60)
            await work(store, 10, 2)
            assert await store.purge(keep(30, rows_max=2)) == 2
            assert (await store.counts()).ended == {"SUCCESS": 3}
            assert await store.purge(keep(30)) == 1
            assert (await store.counts()).ended == {"SUCCESS": 2}
            assert await store.ended(10 << 8) is not None

    run(rows())


def test_an_id_that_is_over_is_known_in_every_table(tmp_path: Path) -> None:
    """A submit that was answered long ago, and is repeated, stores nothing twice."""

    async def repeated() -> None:
        async with opened(tmp_path / "shike.db") as store:
            await join(store)
            await work(store, 1, 1)
            clock_of(store).advance(DAY)
            await store.submit([entry(2)])
            (one,) = (await claim(store, 1, 2)).runs
            await store.settle("worker", [Ack(one.run.id, one.token, State.DEAD)])
            clock_of(store).advance(DAY)
            answers = await store.submit([entry(1), entry(2), entry(3)], repeat=True)
            assert [answer.fresh for answer in answers] == [True] * 3
            counts = await store.counts()
            assert (counts.eligible, counts.dead, counts.ended) == (1, 1, {"SUCCESS": 1, "DEAD": 1})

    run(repeated())


def test_another_processs_new_day_is_found(tmp_path: Path) -> None:
    async def two() -> None:
        clock = ManualClock()
        async with (
            opened(tmp_path / "shike.db", clock=clock) as one,
            opened(tmp_path / "shike.db", clock=clock) as other,
        ):
            await join(one)
            for day in range(2):
                await work(one, 1 + 10 * day, 1)
                clock.advance(DAY)
            assert await other.ended(1 << 8) is not None
            await other.purge(keep(DAY))
            assert await one.find(1 << 8) is None
            await work(one, 30, 1)
            assert await other.ended(30 << 8) is not None

    run(two())
