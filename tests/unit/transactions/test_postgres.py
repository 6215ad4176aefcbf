"""Runs stored in a transaction of the user's own on PostgreSQL: both or neither, by every driver."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import urlsplit

import asyncpg
import psycopg
import pytest

from shike import Shike
from shike.errors import BadInput, ForeignStore, StoreUnavailable
from tests import bounded, servers
from tests.news import commits
from tests.unit.transactions.django_world import django_connection, in_atomic_blocks
from tests.unit.transactions.postgres_world import (
    ASYNC,
    ORDER,
    SCHEMA,
    SYNC,
    Begin,
    Undone,
    execute,
    psycopg_async,
    psycopg_sync,
    run,
    where,
)

EVERY = pytest.mark.parametrize("begin", [*ASYNC, *SYNC], ids=lambda begin: begin.__name__)


@pytest.fixture(scope="module")
def schema() -> Iterator[str]:
    run(f"create schema {SCHEMA}")
    run("create table orders (id int)")
    yield SCHEMA
    run(f"drop schema {SCHEMA} cascade")


@pytest.fixture
def app(schema: str) -> Iterator[Shike]:
    app = Shike(where())
    app.task(mail)
    yield app
    app.client.close_sync()
    run("truncate orders, shike_run, shike_lane, shike_dedupe")


def mail(number: int) -> int:
    return number


async def counted() -> tuple[int, int]:
    ((orders, runs),) = await execute("select (select count(*) from orders), (select count(*) from shike_run)")
    return orders, runs


async def submitted(app: Shike, connection: Any, *numbers: int, key: str | None = None) -> list[Any]:
    """By an async driver or a sync one."""
    handles = app.submit_on(connection, [app.find_task("mail").options(key=key).bind(number) for number in numbers])
    return list(handles) or list(await handles)


@asynccontextmanager
async def opened(app: Shike) -> AsyncIterator[Shike]:
    await app.open()
    yield app
    await app.client.close()


# ---------------------------------------------------------------- both or neither


@EVERY
def test_a_commit_stores_the_order_and_its_runs(app: Shike, begin: Begin) -> None:
    async def story() -> None:
        async with opened(app):
            async with begin() as connection:
                one, two = await submitted(app, connection, 1, 2)
                assert await counted() == (0, 0), "seen before the commit"
            assert await counted() == (1, 2)
            found = await (await app.client.store()).find(int(one.id))
            assert found is not None and found.run.task.endswith("mail") and one.fresh and one.id != two.id

    bounded.run(story())


@EVERY
def test_a_rollback_takes_both_back(app: Shike, begin: Begin) -> None:
    async def story() -> None:
        async with opened(app):
            with pytest.raises(Undone):
                async with begin() as connection:
                    await submitted(app, connection, 1)
                    raise Undone
            assert await counted() == (0, 0)

    bounded.run(story())


@EVERY
def test_a_key_is_stored_once_here_and_elsewhere(app: Shike, begin: Begin) -> None:
    async def story() -> None:
        async with opened(app):
            async with begin() as connection:
                (first,) = await submitted(app, connection, 1, key="order/1")
                (again,) = await submitted(app, connection, 1, key="order/1")
            elsewhere = await app.find_task("mail").options(key="order/1").submit(1)
            async with begin() as connection:
                (third,) = await submitted(app, connection, 1, key="order/1")
            assert {first.id} == {again.id, elsewhere.id, third.id}
            assert [first.fresh, again.fresh, elsewhere.fresh, third.fresh] == [True, False, False, False]
            assert await counted() == (2, 1)

    bounded.run(story())


def test_the_notification_comes_with_the_commit_and_not_without(app: Shike) -> None:
    async def story() -> None:
        async with opened(app):
            heard: list[str] = []
            (await app.client.store()).listen(commits(lambda hint: heard.append(hint.queue)))
            await asyncio.sleep(0.3)  # until it listens
            with psycopg_sync() as connection:
                app.submit_on(connection, app.find_task("mail").bind(1))
                connection.rollback()
                app.submit_on(connection, app.find_task("mail").options(queue="post").bind(1))
            for _ in range(200):
                if heard:
                    break
                await asyncio.sleep(0.01)
            assert heard == ["post"]

    bounded.run(story())


def test_sync_code_without_any_loop(app: Shike) -> None:
    app.open()
    with psycopg_sync() as connection:
        connection.execute(ORDER)
        handle = app.submit_on(connection, app.find_task("mail").bind(3))
        many = app.submit_on(connection, [app.find_task("mail").bind(n) for n in range(100)])
    assert len({handle.id, *(one.id for one in many)}) == 101
    assert bounded.run(counted()) == (1, 101)


def test_repeatable_read_sees_what_it_needs(app: Shike) -> None:
    """A name that was never heard before is numbered outside of the transaction, which began earlier."""
    app.open()
    with psycopg_sync() as connection:
        connection.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
        connection.execute(ORDER)
        app.submit_on(connection, app.find_task("mail").options(queue="new-in-this-test").bind(1))
    assert bounded.run(counted()) == (1, 1)


# ---------------------------------------------------------------- what is refused


def test_without_a_transaction_it_is_refused(app: Shike) -> None:
    async def story() -> None:
        async with opened(app):
            with psycopg_sync(autocommit=True) as sync, pytest.raises(BadInput, match="begin one"):
                await submitted(app, sync, 1)
            async with await psycopg_async(autocommit=True) as connection:
                with pytest.raises(BadInput, match="begin one"):
                    await submitted(app, connection, 1)
                async with connection.transaction():
                    await submitted(app, connection, 1)
            bare = await asyncpg.connect(where())
            with pytest.raises(BadInput, match="begin one"):
                await submitted(app, bare, 1)
            await bare.close()
            assert await counted() == (0, 1)

    bounded.run(story())


def test_an_aborted_transaction_is_named_so(app: Shike) -> None:
    async def story() -> None:
        async with opened(app):
            with psycopg_sync() as sync:
                with pytest.raises(psycopg.Error):
                    sync.execute("select 1 / 0")
                with pytest.raises(BadInput, match="roll it back"):
                    await submitted(app, sync, 1)
                sync.rollback()
            connection = await asyncpg.connect(where())
            with pytest.raises(asyncpg.PostgresError):
                async with connection.transaction():
                    with pytest.raises(asyncpg.PostgresError):
                        await connection.execute("select 1 / 0")
                    with pytest.raises(BadInput, match="roll it back"):
                        await submitted(app, connection, 1)
                    await connection.execute("select 1")
            await connection.close()

    bounded.run(story())


def test_a_connection_that_leads_elsewhere_is_refused_and_lives_on(app: Shike) -> None:
    async def story() -> None:
        async with opened(app):
            with psycopg.connect(servers.url("postgres"), options="-csearch_path=pg_temp") as connection:
                with pytest.raises(ForeignStore, match=r"shike_… are missing .*search_path pg_temp"):
                    await submitted(app, connection, 1)
                assert connection.execute("select 1").fetchone() == (1,)

    bounded.run(story())


def test_the_tables_of_another_store_are_refused(app: Shike) -> None:
    async def story() -> None:
        other = f"{SCHEMA}_other"
        await execute(f"create schema {other}")
        try:
            neighbour = Shike(f"{servers.url('postgres')}?search_path={other}")
            await neighbour.open()
            await neighbour.client.close()
            async with opened(app):
                connection = psycopg.connect(servers.url("postgres"), options=f"-csearch_path={other}")
                with connection, pytest.raises(ForeignStore, match="of another store"):
                    await submitted(app, connection, 1)
        finally:
            await execute(f"drop schema {other} cascade")

    bounded.run(story())


def test_django_stores_it_in_its_atomic_block(app: Shike) -> None:
    app.open()
    parts = urlsplit(servers.url("postgres"))
    settings = {
        "NAME": parts.path.strip("/"),
        "HOST": parts.hostname,
        "PORT": parts.port or 5432,
        "USER": parts.username,
    }
    options = {"options": f"-csearch_path={SCHEMA}"}
    connection = django_connection("postgresql", {**settings, "OPTIONS": options})
    try:
        in_atomic_blocks(app, connection)
    finally:
        connection.close()
    assert bounded.run(counted()) == (1, 1)


def test_what_is_no_connection_or_of_another_database_is_refused(app: Shike) -> None:
    with pytest.raises(BadInput, match="is no connection"):
        app.submit_on(object(), [app.find_task("mail").bind(1)])
    elsewhere = Shike("memory://")
    task = elsewhere.task(mail)
    with psycopg_sync() as connection, pytest.raises(BadInput, match="of another kind"):
        elsewhere.submit_on(connection, task.bind(1))


def test_a_submit_that_is_refused_leaves_the_callers_rows(app: Shike) -> None:
    """A lock that another transaction holds on the key: what was done before it stays."""
    app.open()
    call = app.find_task("mail").options(key="busy").bind(1)
    with psycopg_sync() as holder, psycopg_sync() as connection:
        app.submit_on(holder, call)
        connection.execute(ORDER)
        connection.execute("set local lock_timeout = '50ms'")
        with pytest.raises(StoreUnavailable, match="repeat all of it"):
            app.submit_on(connection, call)
        connection.commit()
        holder.rollback()
    assert bounded.run(counted()) == (1, 0)


def test_nobody_waits_for_a_name_that_a_long_transaction_uses_first(app: Shike) -> None:
    app.open()
    fresh = app.find_task("mail").options(queue="first-heard-in-a-transaction")
    with psycopg_sync() as connection:
        app.submit_on(connection, fresh.bind(1))
        assert fresh.submit(2).fresh, "it waits for a transaction that is still open"
