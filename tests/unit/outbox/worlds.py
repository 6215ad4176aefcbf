"""An application's own database of each kind, with an orders table, and connections to it by every driver."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager, closing
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import aiosqlite
import asyncmy
import asyncpg
import psycopg
import pymysql
import sqlalchemy
from sqlalchemy.ext.asyncio import AsyncSession, create_async_engine
from sqlalchemy.orm import Session

from tests import servers

ORDER = "insert into orders values (1)"
NAME = f"shike_ob_{os.getpid()}"

Begin = Callable[["World"], AbstractAsyncContextManager[Any]]


class World:
    """One database."""

    def __init__(self, kind: str, url: str, ask: Callable[[str], list[Any]]) -> None:
        self.kind = kind
        self.url = url
        self.ask = ask
        """Runs one statement and commits; what it answers."""

    @property
    def place(self) -> Any:
        return urlsplit(self.url)

    @property
    def path(self) -> Path:
        return Path(self.url.removeprefix("sqlite:///"))

    def words(self) -> dict[str, Any]:
        """Of a MariaDB connection."""
        place = self.place
        return {
            "host": place.hostname,
            "port": place.port or 3306,
            "user": place.username,
            "password": place.password or "",
            "database": place.path.strip("/"),
        }

    def libpq(self) -> dict[str, Any]:
        """Of a psycopg connection."""
        return {"conninfo": servers.url("postgres"), "options": f"-csearch_path={NAME}"}

    def waiting(self) -> int:
        return int(self.ask("select count(*) from shike_outbox where refused_at = 0")[0][0])

    def orders(self) -> int:
        return int(self.ask("select count(*) from orders")[0][0])

    def engine_url(self, driver: str) -> str:
        scheme = {"postgres": "postgresql", "mysql": "mysql", "sqlite": "sqlite"}[self.kind]
        plain = servers.url("postgres") if self.kind == "postgres" else self.url
        return f"{scheme}+{driver}://{plain.partition('://')[2]}"


def world_of(kind: str, folder: Path) -> Iterator[World]:
    """A database of a kind, and its end."""
    yield from {"sqlite": _sqlite, "postgres": _postgres, "mysql": _mysql}[kind](folder)


def _sqlite(folder: Path) -> Iterator[World]:
    path = folder / "app.db"

    def ask(statement: str) -> list[Any]:
        with closing(sqlite3.connect(path, timeout=20)) as db, db:
            return db.execute(statement).fetchall()

    ask("create table orders (id)")
    yield World("sqlite", f"sqlite:///{path}", ask)


def _postgres(folder: Path) -> Iterator[World]:
    where = servers.url("postgres")

    def ask(statement: str) -> list[Any]:
        with psycopg.connect(where, options=f"-csearch_path={NAME}", autocommit=True) as db:
            cursor = db.execute(statement)
            return cursor.fetchall() if cursor.description else []

    ask(f"create schema {NAME}")
    ask("create table orders (id int)")
    yield World("postgres", f"{where}?search_path={NAME}", ask)
    ask(f"drop schema {NAME} cascade")


def _mysql(folder: Path) -> Iterator[World]:
    base = World("mysql", servers.url("mysql"), list)

    def ask(statement: str, database: str | None = NAME) -> list[Any]:
        words = {**base.words(), "database": database, "autocommit": True}
        with closing(pymysql.connect(**words)) as db, db.cursor() as cursor:
            cursor.execute(statement)
            return list(cursor.fetchall())

    ask(f"create database {NAME}", None)
    ask("create table orders (id int)")
    yield World("mysql", base.place._replace(path=f"/{NAME}").geturl(), ask)
    ask(f"drop database {NAME}", None)


# ---------------------------------------------------------------- connections with an order in their transaction


@asynccontextmanager
async def by_sqlite3(world: World) -> AsyncIterator[Any]:
    with closing(sqlite3.connect(world.path)) as db, db:
        yield db
        db.execute(ORDER)


@asynccontextmanager
async def by_aiosqlite(world: World) -> AsyncIterator[Any]:
    async with aiosqlite.connect(world.path) as db:
        await db.execute(ORDER)
        yield db
        await db.commit()


@asynccontextmanager
async def by_psycopg(world: World) -> AsyncIterator[Any]:
    with psycopg.connect(**world.libpq()) as db:
        db.execute(ORDER)
        yield db


@asynccontextmanager
async def by_psycopg_async(world: World) -> AsyncIterator[Any]:
    async with await psycopg.AsyncConnection.connect(**world.libpq()) as db:
        await db.execute(ORDER)
        yield db


@asynccontextmanager
async def by_asyncpg(world: World) -> AsyncIterator[Any]:
    db = await asyncpg.connect(world.url)
    try:
        async with db.transaction():
            await db.execute(ORDER)
            yield db
    finally:
        await db.close()


@asynccontextmanager
async def by_pymysql(world: World) -> AsyncIterator[Any]:
    with closing(pymysql.connect(**world.words())) as db, db.cursor() as cursor:
        cursor.execute(ORDER)
        yield db
        db.commit()


@asynccontextmanager
async def by_asyncmy(world: World) -> AsyncIterator[Any]:
    db = await asyncmy.connect(**world.words())
    try:
        async with db.cursor() as cursor:
            await cursor.execute(ORDER)
        yield db
        await db.commit()
    finally:
        await db.ensure_closed()


@asynccontextmanager
async def by_session(world: World) -> AsyncIterator[Any]:
    driver = {"sqlite": "pysqlite", "postgres": "psycopg", "mysql": "pymysql"}[world.kind]
    options = {"options": f"-csearch_path={NAME}"} if world.kind == "postgres" else {}
    engine = sqlalchemy.create_engine(world.engine_url(driver), connect_args=options)
    try:
        with Session(engine) as session, session.begin():
            yield session
            session.execute(sqlalchemy.text(ORDER))
    finally:
        engine.dispose()


@asynccontextmanager
async def by_async_session(world: World) -> AsyncIterator[Any]:
    driver = {"sqlite": "aiosqlite", "postgres": "asyncpg", "mysql": "asyncmy"}[world.kind]
    options = {"server_settings": {"search_path": NAME}} if world.kind == "postgres" else {}
    engine = create_async_engine(world.engine_url(driver), connect_args=options)
    try:
        async with AsyncSession(engine) as session, session.begin():
            yield session
            await session.execute(sqlalchemy.text(ORDER))
    finally:
        await engine.dispose()


DRIVERS: dict[str, list[Begin]] = {
    "sqlite": [by_sqlite3, by_aiosqlite, by_session, by_async_session],
    "postgres": [by_psycopg, by_psycopg_async, by_asyncpg, by_session, by_async_session],
    "mysql": [by_pymysql, by_asyncmy, by_session, by_async_session],
}
