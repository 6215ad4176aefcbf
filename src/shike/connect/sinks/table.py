"""Outcomes to a table of a database: SQLite, or PostgreSQL by asyncpg (the extra `postgres`)."""

from __future__ import annotations

import asyncio
import re
import sqlite3
from typing import Any, Final

from shike.connect.bounds import ANSWER_SECONDS, CONNECT_SECONDS
from shike.connect.sinks.base import Outcome, Sink
from shike.errors import BadInput, BadStoreURL
from shike.store.opening import driver_missing, without_secrets

_NAME: Final = re.compile(r"[a-z][a-z0-9_]{0,47}(\.[a-z][a-z0-9_]{0,47})?")
MADE: Final = """create table if not exists {table} (
    run_id varchar(20) primary key, task text not null, state text not null, ended_at text not null,
    attempts integer not null, reason text not null, business_key text not null, schedule text not null,
    result text not null)"""
PUT: Final = "insert into {table} values ({places}) on conflict (run_id) do nothing"
COLUMNS: Final = 9


def open_table(url: str, table: str) -> Sink:
    """Raises `BadStoreURL` for another database, `BadInput` for a table whose name is no plain word."""
    if not isinstance(table, str) or not _NAME.fullmatch(table):
        raise BadInput(f"{table!r:.60} is no name of a table: a-z, 0-9 and _, perhaps behind a schema and a dot")
    scheme, separator, _ = url.partition("://")
    if separator and scheme == "sqlite":
        return SQLiteSink(url, table)
    if separator and scheme in ("postgresql", "postgres"):
        return PostgresSink(url, table)
    raise BadStoreURL(
        f"outcomes cannot be written to {without_secrets(url)!r}; write sqlite:///app.db or postgresql://user@host/db"
    )


def _values(outcome: Outcome) -> list[Any]:
    texts = [outcome.reason.replace("\0", "�"), outcome.key, outcome.schedule, bytes(outcome.result).decode()]
    return [outcome.run_id, outcome.task, outcome.state, outcome.ended_at, outcome.attempts, *texts]


class SQLiteSink(Sink):
    """A row for each run in a table of a file, made where it is missing; each on a thread, each its own commit."""

    def __init__(self, url: str, table: str) -> None:
        from shike.store.sqlite.options import parse

        self._options = parse(url)
        self._made = MADE.format(table=table)
        self._put = PUT.format(table=table, places=", ".join("?" * COLUMNS))

    async def open(self) -> None:
        await asyncio.to_thread(self._work, self._made, [])

    async def close(self) -> None:
        """Nothing is held."""

    async def put(self, outcome: Outcome) -> None:
        await asyncio.to_thread(self._work, self._put, _values(outcome))

    def _work(self, statement: str, values: list[Any]) -> None:
        from shike.store.sqlite.faults import explain

        try:
            connection = sqlite3.connect(self._options.path, timeout=self._options.busy_seconds)
            try:
                with connection:
                    connection.execute(statement, values)
            finally:
                connection.close()
        except sqlite3.Error as error:
            raise explain(error, self._options.path) from error


class PostgresSink(Sink):
    """A row for each run in a table, made where it is missing and that is allowed; over one connection."""

    def __init__(self, url: str, table: str) -> None:
        try:
            from shike.store.postgres.options import parse
        except ImportError as error:
            raise driver_missing("postgresql", "postgres", error) from error
        self._options = parse(url)
        self._made = MADE.format(table=table)
        self._put = PUT.format(table=table, places=", ".join(f"${number + 1}" for number in range(COLUMNS)))
        self._connection: Any = None
        self._turn = asyncio.Lock()  # a connection has one statement under way

    async def open(self) -> None:
        import asyncpg

        from shike.store.postgres.faults import BROKEN, unreachable

        try:
            self._connection = await asyncpg.connect(
                self._options.dsn, timeout=CONNECT_SECONDS, command_timeout=ANSWER_SECONDS, statement_cache_size=0
            )
        except (asyncpg.PostgresError, ValueError, *BROKEN) as error:
            raise unreachable(error, self._options.where) from error
        await self._run(self._made)

    async def close(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.terminate()

    async def put(self, outcome: Outcome) -> None:
        await self._run(self._put, *_values(outcome))

    async def _run(self, statement: str, *values: Any) -> None:
        import asyncpg

        from shike.store.postgres.faults import BROKEN, translated

        try:
            async with self._turn:
                await self._connection.execute(statement, *values)
        except (asyncpg.PostgresError, *BROKEN) as error:
            raise translated(error, self._options.where) from error
