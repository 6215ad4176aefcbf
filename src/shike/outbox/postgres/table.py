"""The outbox in PostgreSQL: told of commits by LISTEN, where nothing stands between that keeps it back."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from functools import cache
from typing import Any

import asyncpg

from shike.errors import ForeignStore
from shike.outbox.table import STEP, Table
from shike.runtime import woken
from shike.store.postgres.faults import BROKEN, translated, unreachable
from shike.store.postgres.link import CLOCK
from shike.store.postgres.options import parse
from shike.store.relational.statements import filled, migrations, texts


@cache
def statements(box: str) -> dict[str, str]:
    """All statements by name, for one table."""
    words = {"box": box, "clock": CLOCK}
    return {name: filled(text, words) for name, text in texts(__package__).items()}


def steps(box: str) -> list[tuple[int, str]]:
    """The numbered files: (number, script)."""
    words = {"box": box, "clock": CLOCK}
    return [(number, filled(script, words)) for number, script in migrations(__package__)]


class PostgresTable(Table):
    """Options of the URL: `shike.store.postgres.options.parse`; `listen_url` leads past a transaction pooler."""

    def __init__(self, url: str, namespace: str) -> None:
        self._options = parse(url)
        super().__init__(self._options.where, namespace)
        self._sql = statements(self.name)
        self._connection: asyncpg.Connection | None = None
        self._ear: asyncpg.Connection | None = None
        self._news = asyncio.Event()

    async def create(self) -> None:
        async with self._guarded() as connection, connection.transaction():
            await connection.execute(self._sql["lock"])
            found = await connection.fetchval("select to_regclass($1) is not null", f"{self.name}_relay")
            done = await connection.fetchval(self._sql["step"]) if found else 0
            for number, script in steps(self.name):
                if number > done:
                    await connection.execute(script)
            await connection.execute(self._sql["step_done"], max(STEP, done))

    async def close(self) -> None:
        connections = self._connection, self._ear
        self._connection = self._ear = None
        for connection in filter(None, connections):
            connection.terminate()

    async def wait(self, seconds: float) -> None:
        """What comes before it listens is found by the look that follows."""
        if self._ear is None or self._ear.is_closed():
            await self._listen()
            return
        if await woken(self._news, seconds):
            self._news.clear()

    async def _listen(self) -> None:
        ear = await self._connected(self._options.listen_dsn or self._options.dsn)
        try:
            await ear.add_listener(self.name, lambda *_: self._news.set())
        except BaseException as error:
            ear.terminate()
            if isinstance(error, (asyncpg.PostgresError, *BROKEN)):
                raise translated(error, self.where) from error
            raise
        self._ear = ear

    async def _rows(self, name: str, *values: object) -> Sequence[Sequence[Any]]:
        async with self._guarded() as connection:
            return await connection.fetch(self._sql[name], *values)  # type: ignore[no-any-return]

    async def _run(self, name: str, *values: object) -> int:
        async with self._guarded() as connection:
            status: str = await connection.execute(self._sql[name], *values)
        return int(status.rpartition(" ")[2])

    @asynccontextmanager
    async def _guarded(self) -> AsyncIterator[asyncpg.Connection]:
        """The connection; what fails on it is told in words of ours, and the next call makes another."""
        if self._connection is None or self._connection.is_closed():
            self._connection = await self._connected(self._options.dsn)
        connection = self._connection
        try:
            yield connection
        except (asyncpg.PostgresError, *BROKEN) as error:
            ours = translated(error, self.where)
            if isinstance(ours, ForeignStore):
                raise self.missing(error) from error
            self._connection = None
            connection.terminate()
            raise ours from error
        except asyncio.CancelledError:
            self._connection = None
            connection.terminate()
            raise

    async def _connected(self, dsn: str) -> asyncpg.Connection:
        try:
            return await asyncpg.connect(
                dsn,
                timeout=self._options.connect_seconds,
                command_timeout=self._options.call_seconds,
                statement_cache_size=0,  # a pooler may stand between
            )
        except (asyncpg.PostgresError, ValueError, *BROKEN) as error:
            raise unreachable(error, self.where) from error
