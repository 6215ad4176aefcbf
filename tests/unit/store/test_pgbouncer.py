"""PgBouncer in transaction mode between Shike and PostgreSQL: all works, and `listen_url` tells of commits at once."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from urllib.parse import quote, urlsplit

import asyncpg
import pytest

from shike import Shike
from shike.clock import SystemClock
from shike.engine import Roles
from shike.store.hints import Hint, HintKind
from shike.store.postgres import PostgresStore
from tests import bounded, servers
from tests.news import commits

CONFIG = """
[databases]
* = host={host} port={port}
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = {own}
unix_socket_dir =
auth_type = trust
auth_file = {folder}/users
pool_mode = transaction
default_pool_size = 4
max_client_conn = 200
ignore_startup_parameters = extra_float_digits, search_path
"""


class Bouncer(servers.Private):
    """Hands a connection to whoever begins a transaction, and takes it back at the end of it."""

    def __init__(self, folder: Path, behind: str) -> None:
        super().__init__(folder)
        parts = urlsplit(behind)
        self._user = parts.username or "postgres"
        words = {"host": parts.hostname, "port": parts.port or 5432, "own": self.port, "folder": folder}
        servers._open_folder(folder)
        (folder / "users").write_text(f'"{self._user}" "{parts.password or ""}"\n')
        (folder / "ini").write_text(CONFIG.format(**words))

    def user(self) -> str | None:
        return "postgres" if os.geteuid() == 0 else None

    def command(self) -> Sequence[str]:
        return (servers.program("pgbouncer"), str(self.folder / "ini"))


@pytest.fixture
def database() -> Iterator[str]:
    """The URL of an empty database, directly."""
    where, name = servers.url("postgres"), f"shike_pooled_{os.getpid()}"

    async def execute(statement: str) -> None:
        connection = await asyncpg.connect(where, timeout=bounded.SECONDS)
        await connection.execute(statement, timeout=bounded.SECONDS)
        await connection.close(timeout=bounded.SECONDS)

    bounded.run(execute(f"create database {name}"))
    yield urlsplit(where)._replace(path=f"/{name}").geturl()
    bounded.run(execute(f"drop database {name} with (force)"))


@pytest.fixture
def pooled(tmp_path: Path, database: str) -> Iterator[str]:
    """The same by way of a pooler."""
    folder = tmp_path / "bouncer"
    folder.mkdir()
    bouncer = Bouncer(folder, database)
    bouncer.start()
    parts = urlsplit(database)
    yield parts._replace(netloc=f"{parts.username}@127.0.0.1:{bouncer.port}").geturl()
    bouncer.kill()


def test_a_pooler_is_noticed_and_everything_runs_through_it(pooled: str) -> None:
    app = Shike(pooled)

    @app.task(name="double")
    async def double(n: int) -> int:
        return 2 * n

    app.schedule(double.bind(1), every="0.2s", name="ticks")

    async def story() -> None:
        async with app.running(Roles(slots=20)):
            store = await app.client.store()
            assert isinstance(store, PostgresStore) and store._is_pooled
            handles = await app.submit_many([double.bind(n) for n in range(200)])
            assert [await handle.wait("50s") for handle in handles] == [2 * n for n in range(200)]
            while (await store.counts()).ended["SUCCESS"] < 203:
                await asyncio.sleep(0.05)
        await app.client.close()

    bounded.run(story())


def test_with_a_direct_way_to_the_server_a_commit_is_heard_at_once(pooled: str, database: str) -> None:
    async def story() -> None:
        url = f"{pooled}?listen_url={quote(database, safe='')}"
        here, there = (PostgresStore(url, namespace="shike", clock=SystemClock()) for _ in range(2))
        await here.open()
        await there.open()
        heard: asyncio.Queue[Hint] = asyncio.Queue()
        there.listen(commits(heard.put_nowait))
        try:
            while heard.empty():  # until the ear has opened
                here.tell(Hint(HintKind.DUE, "mail", 1))
                await asyncio.sleep(0.1)
            assert (await heard.get()).queue == "mail"
        finally:
            await here.close()
            await there.close()

    bounded.run(story())


def test_without_one_nobody_waits_for_notifications_that_cannot_come(pooled: str) -> None:
    """What another process commits is found by looking."""
    mine, theirs = Shike(pooled), Shike(pooled)

    @mine.task(name="mail")
    async def mail() -> str:
        return "sent"

    @theirs.task(name="mail")
    async def other() -> str: ...

    async def story() -> None:
        async with mine.running(Roles(slots=2)):
            assert await asyncio.to_thread(lambda: theirs.find_task("mail").submit().result(bounded.SECONDS)) == "sent"
        await mine.client.close()

    bounded.run(story())
    bounded.done(theirs.client.close_sync, "closing the store")
