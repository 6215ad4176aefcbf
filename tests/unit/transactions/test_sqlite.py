"""Runs stored in a transaction of the user's own on SQLite, by every driver."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import aiosqlite
import pytest
import sqlalchemy
from sqlalchemy.ext.asyncio import AsyncSession, create_async_engine
from sqlalchemy.orm import Session

from shike import Shike
from shike.errors import BadInput
from tests import bounded
from tests.unit.transactions.django_world import django_connection, in_atomic_blocks

ORDER = sqlalchemy.text("insert into orders values (1)")


class Undone(Exception):
    """What makes a transaction roll back."""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "shop.db"


@pytest.fixture
def app(file: Path) -> Iterator[Shike]:
    app = Shike(f"sqlite:///{file}?shared=yes")
    app.task(mail)
    app.open()
    app.client.close_sync()
    with closing(sqlite3.connect(file)) as db, db:
        db.execute("create table orders (id)")
    yield app
    app.client.close_sync()


def mail(number: int) -> int:
    return number


def counted(file: Path) -> tuple[int, int]:
    with closing(sqlite3.connect(file)) as db:
        found: tuple[int, int] = db.execute(
            "select (select count(*) from orders), (select count(*) from shike_run)"
        ).fetchone()
        return found


def test_one_call_gives_one_handle(app: Shike, file: Path) -> None:
    with closing(sqlite3.connect(file)) as db, db:
        db.execute("insert into orders values (1)")
        handle = app.submit_on(db, app.find_task("mail").bind(1))
    assert handle.fresh and int(handle.id) > 0
    assert counted(file) == (1, 1)


def test_a_session_of_sqlalchemy(app: Shike, file: Path) -> None:
    engine = sqlalchemy.create_engine(f"sqlite:///{file}")
    with pytest.raises(Undone), Session(engine) as session, session.begin():
        app.submit_on(session, app.find_task("mail").bind(1))
        raise Undone
    with Session(engine) as session, session.begin():
        app.submit_on(session, app.find_task("mail").bind(1))
        session.execute(ORDER)
    engine.dispose()
    assert counted(file) == (1, 1)


def test_an_async_session_of_sqlalchemy_on_aiosqlite(app: Shike, file: Path) -> None:
    async def story() -> None:
        engine = create_async_engine(f"sqlite+aiosqlite:///{file}")
        with pytest.raises(Undone):
            async with AsyncSession(engine) as session, session.begin():
                await app.submit_on(session, app.find_task("mail").bind(1))
                raise Undone
        async with AsyncSession(engine) as session, session.begin():
            (handle,) = await app.submit_on(session, [app.find_task("mail").bind(1)])
            await session.execute(ORDER)
        assert handle.fresh
        await engine.dispose()

    bounded.run(story())
    assert counted(file) == (1, 1)


def test_aiosqlite(app: Shike, file: Path) -> None:
    async def story() -> None:
        async with aiosqlite.connect(file) as db:
            await db.execute("insert into orders values (1)")
            await app.submit_on(db, app.find_task("mail").bind(1))
            await db.rollback()
            await db.execute("insert into orders values (1)")
            await app.submit_on(db, app.find_task("mail").bind(1))
            await db.commit()

    bounded.run(story())
    assert counted(file) == (1, 1)


def test_django_stores_it_in_its_atomic_block(app: Shike, file: Path) -> None:
    connection = django_connection("sqlite3", {"NAME": str(file)})
    try:
        in_atomic_blocks(app, connection)
    finally:
        connection.close()
    assert counted(file) == (1, 1)


def test_a_connection_of_another_thread_is_refused(app: Shike, file: Path) -> None:
    async def story() -> None:
        with closing(sqlite3.connect(file)) as db, pytest.raises(BadInput, match="thread"):
            await asyncio.to_thread(app.submit_on, db, [app.find_task("mail").bind(1)])

    bounded.run(story())
