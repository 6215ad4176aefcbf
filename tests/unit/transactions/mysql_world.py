"""A database of MariaDB with a shop's own table beside a store, and connections to it by every driver."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager, closing, contextmanager
from typing import Any
from urllib.parse import urlsplit

import asyncmy
import pymysql
import sqlalchemy
from pymysql.cursors import DictCursor
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession, create_async_engine
from sqlalchemy.orm import Session

from tests import servers

DATABASE = f"shike_tx_{os.getpid()}"
ORDER = "insert into orders values (1)"

Begin = Callable[[], AbstractAsyncContextManager[Any]]


class Undone(Exception):
    """What makes a test's transaction roll back."""


def where(database: str = DATABASE) -> str:
    return urlsplit(servers.url("mysql"))._replace(path=f"/{database}").geturl()


def words(database: str | None = DATABASE) -> dict[str, Any]:
    parts = urlsplit(servers.url("mysql"))
    return {
        "host": parts.hostname,
        "port": parts.port or 3306,
        "user": parts.username,
        "password": parts.password or "",
        "database": database,
    }


def run(statement: str, database: str | None = DATABASE) -> list[Any]:
    with closing(pymysql.connect(**words(database), autocommit=True)) as connection, connection.cursor() as cursor:
        cursor.execute(statement)
        return list(cursor.fetchall())


def pymysql_sync(**more: Any) -> pymysql.Connection[Any]:
    return pymysql.connect(**{**words(), **more})


async def asyncmy_async(**more: Any) -> Any:
    return await asyncmy.connect(**{**words(), **more})


@asynccontextmanager
async def by_pymysql() -> AsyncIterator[Any]:
    """With rows as dicts, and a character set of old."""
    with closing(pymysql_sync(cursorclass=DictCursor, charset="latin1")) as connection:
        with connection.cursor() as cursor:
            cursor.execute(ORDER)
        yield connection
        connection.commit()


@asynccontextmanager
async def by_pymysql_in_autocommit() -> AsyncIterator[Any]:
    """With a transaction that was begun by hand."""
    with closing(pymysql_sync(autocommit=True)) as connection:
        connection.begin()
        yield connection
        with connection.cursor() as cursor:
            cursor.execute(ORDER)
        connection.commit()


@asynccontextmanager
async def by_asyncmy() -> AsyncIterator[Any]:
    async with asyncmy.create_pool(**words(), minsize=1, maxsize=1) as pool, pool.acquire() as connection:
        async with connection.cursor() as cursor:
            await cursor.execute(ORDER)
        try:
            yield connection
        except BaseException:
            await connection.rollback()
            raise
        await connection.commit()


def with_driver(driver: str) -> str:
    return urlsplit(where())._replace(scheme=f"mysql+{driver}").geturl()


@contextmanager
def engine() -> Iterator[sqlalchemy.Engine]:
    made = sqlalchemy.create_engine(with_driver("pymysql"))
    try:
        yield made
    finally:
        made.dispose()


@asynccontextmanager
async def async_engine() -> AsyncIterator[AsyncEngine]:
    made = create_async_engine(with_driver("asyncmy"))
    try:
        yield made
    finally:
        await made.dispose()


@asynccontextmanager
async def by_sqlalchemy_session() -> AsyncIterator[Any]:
    with engine() as made, Session(made) as session, session.begin():
        yield session
        session.execute(sqlalchemy.text(ORDER))


@asynccontextmanager
async def by_sqlalchemy_connection() -> AsyncIterator[Any]:
    with engine() as made, made.connect() as connection:
        yield connection
        connection.execute(sqlalchemy.text(ORDER))
        connection.commit()


@asynccontextmanager
async def by_sqlalchemy_asyncmy() -> AsyncIterator[Any]:
    async with async_engine() as made, AsyncSession(made) as session, session.begin():
        yield session
        await session.execute(sqlalchemy.text(ORDER))


EVERY: list[Begin] = [
    by_pymysql,
    by_pymysql_in_autocommit,
    by_asyncmy,
    by_sqlalchemy_session,
    by_sqlalchemy_connection,
    by_sqlalchemy_asyncmy,
]
