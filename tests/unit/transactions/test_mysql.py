"""Runs stored in a transaction of the user's own on MariaDB: both or neither, by every driver."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, closing
from typing import Any

import pymysql
import pytest

from shike import Shike
from shike.errors import BadInput, ForeignStore, StoreUnavailable
from tests.unit.transactions.django_world import django_connection, in_atomic_blocks
from tests.unit.transactions.mysql_world import (
    DATABASE,
    EVERY,
    ORDER,
    Begin,
    Undone,
    asyncmy_async,
    pymysql_sync,
    run,
    where,
    words,
)

by_every_driver = pytest.mark.parametrize("begin", EVERY, ids=lambda begin: begin.__name__)
TABLES = ("orders", "shike_run", "shike_lane", "shike_dedupe", "shike_history")


@pytest.fixture(scope="module")
def database() -> Iterator[str]:
    run(f"create database {DATABASE}", None)
    run("create table orders (id int)")
    yield DATABASE
    run(f"drop database {DATABASE}", None)


@pytest.fixture
def app(database: str) -> Iterator[Shike]:
    app = Shike(where())
    app.task(mail)
    yield app
    app.client.close_sync()
    for table in TABLES:
        run(f"delete from {table}")


def mail(number: int) -> int:
    return number


def counted() -> tuple[int, int]:
    ((orders, runs),) = run("select (select count(*) from orders), (select count(*) from shike_run)")
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


@by_every_driver
def test_a_commit_stores_the_order_and_its_runs(app: Shike, begin: Begin) -> None:
    async def story() -> None:
        async with opened(app):
            async with begin() as connection:
                one, two = await submitted(app, connection, 1, 2)
                assert counted() == (0, 0), "seen before the commit"
            assert counted() == (1, 2)
            found = await (await app.client.store()).find(int(one.id))
            assert found is not None and found.run.task.endswith("mail") and one.fresh and one.id != two.id

    asyncio.run(story())


@by_every_driver
def test_a_rollback_takes_both_back(app: Shike, begin: Begin) -> None:
    async def story() -> None:
        async with opened(app):
            with pytest.raises(Undone):
                async with begin() as connection:
                    await submitted(app, connection, 1)
                    raise Undone
            assert counted() == (0, 0)

    asyncio.run(story())


@by_every_driver
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
            assert counted() == (2, 1)

    asyncio.run(story())


def test_a_key_that_was_stored_after_the_transaction_first_looked_is_found(app: Shike) -> None:
    """REPEATABLE READ, the server's default, goes on seeing what was there at its first look."""
    app.open()
    call = app.find_task("mail").options(key="order/2").bind(1)
    with closing(pymysql_sync()) as connection, connection.cursor() as cursor:
        cursor.execute("select * from shike_dedupe")
        elsewhere = app.client.submit(call)
        here = app.submit_on(connection, call)
        connection.commit()
    assert (here.id, here.fresh) == (elsewhere.id, False)
    assert counted() == (0, 1)


def test_sync_code_without_any_loop(app: Shike) -> None:
    app.open()
    with closing(pymysql_sync()) as connection, connection.cursor() as cursor:
        cursor.execute(ORDER)
        later = app.find_task("mail").in_("1h")
        handle = app.submit_on(connection, later.bind(3))
        many = app.submit_on(connection, [app.find_task("mail").bind(n) for n in range(100)])
        connection.commit()
    assert len({handle.id, *(one.id for one in many)}) == 101
    assert counted() == (1, 101)
    ((ahead,),) = run("select count(*) from shike_run where run_at > unix_timestamp() * 1000000 + 3500000000")
    assert ahead == 1


def test_sql_modes_and_variables_of_the_users_own_do_no_harm(app: Shike) -> None:
    app.open()
    modes = "ansi_quotes,no_backslash_escapes,pipes_as_concat,ignore_space,high_not_precedence,only_full_group_by"
    with closing(pymysql_sync(sql_mode=modes)) as connection, connection.cursor() as cursor:
        cursor.execute("set @now = 7, time_zone = '+05:45'")
        task = app.find_task("mail").options(key='mode\'s \\ "key" 时刻')
        app.submit_on(connection, [task.bind(1), app.find_task("mail").bind(2)])
        cursor.execute("select @now")
        assert cursor.fetchone() == (7,)
        connection.commit()
    assert not task.submit(1).fresh
    assert counted() == (0, 2)


def test_a_worker_finds_the_run_by_itself_after_the_commit(app: Shike) -> None:
    """Nobody can be told at somebody else's commit: the beat looks, each second."""

    async def story() -> None:
        async with app.running():
            with closing(pymysql_sync()) as connection:
                (handle,) = await submitted(app, connection, 5)
                connection.commit()
            assert await handle.wait("60s") == 5
        await app.client.close()

    asyncio.run(story())


# ---------------------------------------------------------------- beside others


def test_nobody_waits_for_a_transaction_that_is_still_open(app: Shike) -> None:
    """Neither who brings in runs of a queue that was first heard there, nor the workers that take and end them."""

    async def story() -> None:
        fresh = app.find_task("mail").options(queue="first-heard-in-a-transaction")
        async with app.running():
            with closing(pymysql_sync()) as connection:
                keyed = [app.find_task("mail").options(key=key).bind(1) for key in ("a", "m", "z")]
                await app.submit_many(keyed[:1])
                app.submit_on(connection, [fresh.bind(1), *keyed])
                assert (await fresh.submit(2)).fresh
                others = [app.find_task("mail").options(key=key).bind(1) for key in ("0", "b", "y", "zz")]
                assert all(handle.fresh for handle in await app.submit_many(others))
                handles = await app.submit_many([app.find_task("mail").bind(n) for n in range(20)])
                assert [await handle.wait("60s") for handle in handles] == list(range(20))
                connection.rollback()
        await app.client.close()

    asyncio.run(story())


def test_who_waits_for_a_key_too_long_is_told_to_repeat_and_keeps_what_was_done_before(app: Shike) -> None:
    app.open()
    call = app.find_task("mail").options(key="busy").bind(1)
    with closing(pymysql_sync()) as holder, closing(pymysql_sync()) as connection, connection.cursor() as cursor:
        app.submit_on(holder, call)
        cursor.execute(ORDER)
        cursor.execute("set innodb_lock_wait_timeout = 0")
        with pytest.raises(StoreUnavailable, match="repeat all of it"):
            app.submit_on(connection, call)
        connection.commit()
        holder.rollback()
    assert counted() == (1, 0)


# ---------------------------------------------------------------- what is refused


def test_without_a_transaction_it_is_refused(app: Shike) -> None:
    async def story() -> None:
        async with opened(app):
            with closing(pymysql_sync(autocommit=True)) as sync, pytest.raises(BadInput, match="begin one"):
                await submitted(app, sync, 1)
            connection = await asyncmy_async(autocommit=True)
            with pytest.raises(BadInput, match="begin one"):
                await submitted(app, connection, 1)
            await connection.begin()
            await submitted(app, connection, 1)
            await connection.commit()
            await connection.ensure_closed()
            with pytest.raises(BadInput, match="closed"):
                await submitted(app, connection, 1)
            assert counted() == (0, 1)

    asyncio.run(story())


@pytest.mark.parametrize("database", [None, "information_schema"])
def test_a_connection_that_leads_elsewhere_is_refused_and_lives_on(app: Shike, database: str | None) -> None:
    app.open()
    with closing(pymysql.connect(**words(database))) as connection, connection.cursor() as cursor:
        with pytest.raises(ForeignStore, match=f"missing .*{DATABASE}"):
            app.submit_on(connection, app.find_task("mail").bind(1))
        cursor.execute("select 1")
        assert cursor.fetchone() == (1,)


def test_the_tables_of_another_store_are_refused(app: Shike) -> None:
    other = f"{DATABASE}_other"
    app.open()
    run(f"create database {other}", None)
    try:
        neighbour = Shike(where(other))
        neighbour.open()
        neighbour.client.close_sync()
        with closing(pymysql.connect(**words(other))) as connection, pytest.raises(ForeignStore, match="another store"):
            app.submit_on(connection, app.find_task("mail").bind(1))
    finally:
        run(f"drop database {other}", None)


def test_django_stores_it_in_its_atomic_block_where_pymysql_stands_in(app: Shike) -> None:
    pymysql.install_as_MySQLdb()
    app.open()
    given = words()
    settings = {key.upper(): given[key] for key in ("host", "port", "user", "password")}
    connection = django_connection("mysql", {**settings, "NAME": DATABASE})
    try:
        in_atomic_blocks(app, connection)
    finally:
        connection.close()
    assert counted() == (1, 1)


@pytest.mark.parametrize(
    ("module", "remedy"), [("psycopg2.extensions", "psycopg 3"), ("MySQLdb.connections", "PyMySQL")]
)
def test_a_driver_that_is_not_served_is_refused_with_the_one_that_is(module: str, remedy: str) -> None:
    connection = type("connection", (), {"__module__": module})()
    app = Shike("memory://")
    with pytest.raises(BadInput, match=remedy):
        app.submit_on(connection, app.task(mail).bind(1))
