"""A relay whose servers are killed and come back: the outbox's own, and the store's. Nothing is lost or repeated."""

from __future__ import annotations

import asyncio
import shutil
import sqlite3
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import psycopg
import pymysql
import pytest

from shike import Shike
from shike.outbox import Outbox, Relay
from shike.store.base import RunFilter
from tests.servers import Private, PrivateMariaDB, PrivatePostgres

PATIENCE_SECONDS = 90.0
pytestmark = [pytest.mark.slow, pytest.mark.long]


@pytest.fixture(params=["postgres", "mysql"])
def server(request: pytest.FixtureRequest) -> Iterator[Private]:
    folder = Path(tempfile.mkdtemp(prefix="shike-outbox-"))
    made: Private = PrivatePostgres(folder) if request.param == "postgres" else PrivateMariaDB(folder)
    start(made)
    if isinstance(made, PrivateMariaDB):
        with closing(pymysql.connect(host="127.0.0.1", port=made.port, user="root")) as db, db.cursor() as cursor:
            cursor.execute("create database if not exists test")
    yield made
    made.kill()
    shutil.rmtree(folder, ignore_errors=True)


def start(server: Private) -> None:
    """Until it takes statements: PostgreSQL listens before it has recovered."""
    server.start()
    end = time.monotonic() + PATIENCE_SECONDS
    while isinstance(server, PrivatePostgres):
        try:
            psycopg.connect(server.url).close()
            return
        except psycopg.OperationalError:
            assert time.monotonic() < end
            time.sleep(0.05)


def make(store: str) -> Shike:
    app = Shike(store)
    app.task(mail, name="mail")
    return app


def mail(number: int) -> int:
    return number


def connected(url: str, port: int) -> Any:
    if url.startswith("sqlite"):
        return sqlite3.connect(url.removeprefix("sqlite:///"), timeout=20)
    if url.startswith("postgresql"):
        return psycopg.connect(url)
    return pymysql.connect(host="127.0.0.1", port=port, user="root", database="test")


def write(app: Shike, outbox: Outbox, url: str, port: int, *numbers: int) -> None:
    with closing(connected(url, port)) as db:
        outbox.submit_on(db, [app.find_task("mail").bind(number) for number in numbers])
        db.commit()


async def until(holds: Callable[[], bool]) -> None:
    async with asyncio.timeout(PATIENCE_SECONDS):
        while not holds():
            await asyncio.sleep(0.02)


async def stored(app: Shike) -> list[bytes]:
    found = await (await app.client.store()).runs(RunFilter(limit=1_000))
    return [live.run.args for live in sorted(found, key=lambda live: (live.run_at, live.run.id))]


async def through_outages(app: Shike, relay: Relay, server: Private, write: Callable[..., None]) -> None:
    running = asyncio.ensure_future(relay.run())
    try:
        for first in (0, 10, 20):
            assert not running.done(), running
            write(*range(first, first + 10))
            await until(lambda: running.done() or relay.handed_on == first + 10)  # noqa: B023  # waited for here
            await asyncio.to_thread(server.kill)
            await asyncio.sleep(0.5)  # some tries that fail
            await asyncio.to_thread(start, server)
        assert not running.done()
    finally:
        running.cancel()
        await asyncio.wait([running], timeout=PATIENCE_SECONDS)
    assert await stored(app) == [f'{{"number":{n}}}'.encode() for n in range(30)]
    await app.client.close()


def test_the_server_of_the_outbox_is_killed_again_and_again(server: Private, tmp_path: Path) -> None:
    async def story() -> None:
        app = make(f"sqlite:///{tmp_path / 'store.db'}")
        outbox = Outbox(app, server.url)
        await outbox.create()
        relay = outbox.relay(poll_seconds=0.1, lease_seconds=1.0)
        await through_outages(
            app, relay, server, lambda *numbers: write(app, outbox, server.url, server.port, *numbers)
        )

    asyncio.run(story())


def test_the_server_of_the_store_is_killed_while_rows_wait(server: Private, tmp_path: Path) -> None:
    async def story() -> None:
        app = make(server.url)
        await app.open()
        url = f"sqlite:///{tmp_path / 'app.db'}"
        outbox = Outbox(app, url)
        await outbox.create()
        relay = outbox.relay(poll_seconds=0.1, lease_seconds=1.0)
        running = asyncio.ensure_future(relay.run())
        try:
            for first in (0, 10, 20):
                await asyncio.to_thread(server.kill)
                write(app, outbox, url, 0, *range(first, first + 10))
                await asyncio.sleep(0.5)  # some tries that fail
                assert relay.handed_on == first
                await asyncio.to_thread(start, server)
                await until(lambda: running.done() or relay.handed_on == first + 10)  # noqa: B023  # waited for here
        finally:
            running.cancel()
            await asyncio.wait([running], timeout=PATIENCE_SECONDS)
        assert await stored(app) == [f'{{"number":{n}}}'.encode() for n in range(30)]
        await app.client.close()

    asyncio.run(story())
