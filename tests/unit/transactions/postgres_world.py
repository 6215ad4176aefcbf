"""A schema of PostgreSQL with a shop's own table beside a store, and connections to it by every driver."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager, contextmanager
from typing import Any
from urllib.parse import urlsplit

import asyncpg
import psycopg
import sqlalchemy
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession, create_async_engine
from sqlalchemy.orm import Session

from tests import bounded, servers

SCHEMA = f"shike_tx_{os.getpid()}"
ORDER = "insert into orders values (1)"

Begin = Callable[[], AbstractAsyncContextManager[Any]]


class Undone(Exception):
    """What makes a test's transaction roll back."""


def where() -> str:
    return f"{servers.url('postgres')}?search_path={SCHEMA}"


def with_driver(driver: str) -> str:
    parts = urlsplit(servers.url("postgres"))
    return parts._replace(scheme=f"postgresql+{driver}").geturl()


async def execute(script: str, schema: str = SCHEMA) -> list[Any]:
    connection = await asyncpg.connect(servers.url("postgres"), server_settings={"search_path": schema})
    try:
        return list(await connection.fetch(script))
    finally:
        await connection.close()


def run(script: str) -> list[Any]:
    return bounded.run(execute(script))


async def psycopg_async(**words: Any) -> psycopg.AsyncConnection[Any]:
    return await psycopg.AsyncConnection.connect(servers.url("postgres"), options=f"-csearch_path={SCHEMA}", **words)


def psycopg_sync(**words: Any) -> psycopg.Connection[Any]:
    return psycopg.connect(servers.url("postgres"), options=f"-csearch_path={SCHEMA}", **words)


@asynccontextmanager
async def by_asyncpg() -> AsyncIterator[Any]:
    pool = asyncpg.create_pool(where(), min_size=1, max_size=1)
    async with pool, pool.acquire() as connection, connection.transaction():
        await connection.execute(ORDER)
        yield connection


@asynccontextmanager
async def by_psycopg_async() -> AsyncIterator[Any]:
    async with await psycopg_async(row_factory=psycopg.rows.dict_row) as connection:
        await connection.execute(ORDER)
        yield connection


@asynccontextmanager
async def by_psycopg() -> AsyncIterator[Any]:
    with psycopg_sync(row_factory=psycopg.rows.dict_row) as connection, connection.transaction():
        connection.execute(ORDER)
        yield connection


@contextmanager
def engine() -> Iterator[sqlalchemy.Engine]:
    made = sqlalchemy.create_engine(with_driver("psycopg"), connect_args={"options": f"-csearch_path={SCHEMA}"})
    try:
        yield made
    finally:
        made.dispose()


@asynccontextmanager
async def async_engine(driver: str, words: dict[str, Any]) -> AsyncIterator[AsyncEngine]:
    made = create_async_engine(with_driver(driver), connect_args=words)
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
async def by_sqlalchemy_asyncpg() -> AsyncIterator[Any]:
    words = {"server_settings": {"search_path": SCHEMA}}
    async with async_engine("asyncpg", words) as made, AsyncSession(made) as session, session.begin():
        yield session
        await session.execute(sqlalchemy.text(ORDER))


@asynccontextmanager
async def by_sqlalchemy_psycopg_async() -> AsyncIterator[Any]:
    async with async_engine("psycopg", {"options": f"-csearch_path={SCHEMA}"}) as made, made.begin() as connection:
        yield connection
        await connection.execute(sqlalchemy.text(ORDER))


ASYNC: list[Begin] = [by_asyncpg, by_psycopg_async, by_sqlalchemy_asyncpg, by_sqlalchemy_psycopg_async]
SYNC: list[Begin] = [by_psycopg, by_sqlalchemy_session, by_sqlalchemy_connection]
