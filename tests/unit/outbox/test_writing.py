"""Runs written into an outbox with the application's own rows: both, or neither, by every driver."""

from __future__ import annotations

import asyncio
import sqlite3
from contextlib import closing
from typing import Any

import asyncmy
import asyncpg
import psycopg
import pymysql
import pytest

from shike import Shike
from shike.errors import BadInput, BadStoreURL, BadTime, ForeignStore, TooLarge
from shike.outbox import Outbox
from tests.unit.outbox.worlds import DRIVERS, World


class Undone(Exception):
    """What makes a transaction roll back."""


async def write(outbox: Outbox, connection: Any, calls: Any) -> None:
    answer = outbox.submit_on(connection, calls)
    if answer is not None:
        assert await answer is None


def test_a_commit_leaves_the_order_and_its_runs_by_every_driver(world: World, app: Shike) -> None:
    outbox = Outbox(app, world.url)
    task = app.find_task("mail")

    async def story() -> None:
        for number, begin in enumerate(DRIVERS[world.kind], 1):
            async with begin(world) as connection:
                await write(outbox, connection, task.bind(1))
                await write(outbox, connection, [task.bind(2), task.bind(3)])
                if world.kind != "sqlite":  # there a reader would wait for the writer's memory of it
                    assert world.waiting() == 3 * (number - 1), "seen before the commit"
            assert (world.orders(), world.waiting()) == (number, 3 * number), begin.__name__

    asyncio.run(story())
    found = world.ask("select args from shike_outbox order by id")
    assert [row[0] for row in found] == [f'{{"number":{n}}}' for n in (1, 2, 3)] * len(DRIVERS[world.kind])


def test_a_rollback_leaves_neither_by_every_driver(world: World, app: Shike) -> None:
    outbox = Outbox(app, world.url)

    async def story() -> None:
        for begin in DRIVERS[world.kind]:
            with pytest.raises(Undone):
                async with begin(world) as connection:
                    await write(outbox, connection, app.find_task("mail").bind(1))
                    raise Undone
            assert (world.orders(), world.waiting()) == (0, 0), begin.__name__

    asyncio.run(story())


def test_without_a_transaction_it_is_refused(world: World, app: Shike) -> None:
    outbox = Outbox(app, world.url)
    call = app.find_task("mail").bind(1)

    async def story() -> None:
        if world.kind == "sqlite":
            with (
                closing(sqlite3.connect(world.path, isolation_level=None)) as db,
                pytest.raises(BadInput, match="begin"),
            ):
                await write(outbox, db, call)
        elif world.kind == "postgres":
            with psycopg.connect(**world.libpq(), autocommit=True) as sync, pytest.raises(BadInput, match="begin"):
                await write(outbox, sync, call)
            bare = await asyncpg.connect(world.url)
            with pytest.raises(BadInput, match="begin"):
                await write(outbox, bare, call)
            await bare.close()
        else:
            with (
                closing(pymysql.connect(**world.words(), autocommit=True)) as db,
                pytest.raises(BadInput, match="begin"),
            ):
                await write(outbox, db, call)
            mine = await asyncmy.connect(**world.words(), autocommit=True)
            with pytest.raises(BadInput, match="begin"):
                await write(outbox, mine, call)
            await mine.ensure_closed()

    asyncio.run(story())
    assert world.waiting() == 0


def test_a_database_without_an_outbox_is_named_and_how_to_make_it(world: World, app: Shike) -> None:
    outbox = Outbox(app, world.url, namespace="elsewhere")

    async def story() -> None:
        for begin in DRIVERS[world.kind]:
            with pytest.raises(ForeignStore, match=r"no outbox elsewhere_outbox .*shike outbox create"):
                async with begin(world) as connection:
                    await write(outbox, connection, app.find_task("mail").bind(1))

    asyncio.run(story())


def test_many_rows_go_in_their_order(world: World, app: Shike) -> None:
    outbox = Outbox(app, world.url)
    task = app.find_task("mail")

    async def story() -> None:
        async with DRIVERS[world.kind][0](world) as connection:
            await write(outbox, connection, [task.bind(n) for n in range(5_000)])

    asyncio.run(story())
    found = world.ask("select args from shike_outbox order by id")
    assert [row[0] for row in found] == [f'{{"number":{n}}}' for n in range(5_000)]


def test_what_no_submit_takes_no_outbox_takes(world: World, app: Shike) -> None:
    outbox = Outbox(app, world.url)
    task = app.find_task("mail")
    now = app.now()

    async def story() -> None:
        async with DRIVERS[world.kind][0](world) as connection:
            with pytest.raises(TooLarge, match="10000 runs"):
                outbox.submit_on(connection, [task.bind(1)] * 10_001)
            with pytest.raises(BadInput, match="no call"):
                outbox.submit_on(connection, ["mail"])  # type: ignore[list-item]
            with pytest.raises(BadTime, match="that is past"):
                await write(outbox, connection, task.at(now.replace(year=now.year - 1)).bind(1))
            await write(outbox, connection, [])

    asyncio.run(story())
    assert world.waiting() == 0


def test_a_connection_of_another_kind_and_a_url_of_none_are_refused(app: Shike) -> None:
    outbox = Outbox(app, "postgresql://nobody@localhost/nowhere")
    with closing(sqlite3.connect(":memory:")) as db, pytest.raises(BadInput, match="speaks sqlite"):
        outbox.submit_on(db, app.find_task("mail").bind(1))
    for url in ("redis://localhost/0", "shop.db", "postgresql+psycopg://localhost/shop", "memory://"):
        with pytest.raises(BadStoreURL, match="sqlite:///"):
            Outbox(app, url)
