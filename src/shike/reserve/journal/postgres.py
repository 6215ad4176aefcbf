"""The journal on PostgreSQL."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import asyncpg

from shike.reserve.journal.base import Frame
from shike.reserve.journal.memory import fenced
from shike.reserve.journal.relational import RelationalJournal
from shike.store.postgres.faults import translated
from shike.store.postgres.link import statements
from shike.store.postgres.opening import check_server
from shike.store.postgres.options import parse
from shike.store.sqlite.options import check_namespace

TABLES: Final = """
select pg_advisory_xact_lock(hashtextextended('{ns} journal', 0));
create table if not exists {ns}_frames (
  ledger text collate "C" not null, version bigint not null, count integer not null, checksum bigint not null,
  body bytea not null, primary key (ledger, version)
);
create table if not exists {ns}_kept (
  ledger text collate "C" not null primary key, version bigint not null, checksum bigint not null, sum bigint not null,
  data bytea not null
);
"""
APPEND: Final = """
insert into {ns}_frames (ledger, version, count, checksum, body)
select * from unnest($1::text[], $2::bigint[], $3::integer[], $4::bigint[], $5::bytea[])
"""
GAPS: Final = """
select ledger, version from unnest($1::text[], $2::bigint[]) as frame (ledger, version)
where version <> coalesce((
  select before.version + before.count from {ns}_frames before
  where before.ledger = frame.ledger collate "C" and before.version < frame.version
  order by before.version desc limit 1
), 0)
limit 1
"""


class PostgresJournal(RelationalJournal):
    """As durable as the server; one that is set to lose data is refused, unless the URL accepts it (P8)."""

    marks = ("$1", "$2", "$3", "$4", "$5")
    keep_sql = (
        "insert into {ns}_kept (ledger, version, checksum, sum, data) values ({0}, {1}, {2}, {3}, {4})"
        " on conflict (ledger) do update set version = excluded.version, checksum = excluded.checksum,"
        " sum = excluded.sum, data = excluded.data where excluded.version >= {ns}_kept.version"
    )

    def __init__(self, url: str, namespace: str = "reserve") -> None:
        check_namespace(namespace)
        super().__init__(namespace)
        self._options = parse(url)
        self.where = self._options.where

    async def _connect(self) -> Any:
        try:
            connection = await asyncpg.connect(self._options.dsn, timeout=self._options.connect_seconds)
        except (asyncpg.PostgresError, asyncpg.InterfaceError, OSError) as error:
            raise translated(error, self.where) from error
        try:
            await check_server(connection, statements(self._namespace), self._options)
        except BaseException:
            connection.terminate()
            raise
        return connection

    async def _make(self) -> None:
        try:
            async with self._connection.transaction():
                await self._connection.execute(TABLES.replace("{ns}", self._namespace))
        except asyncpg.PostgresError as error:
            raise translated(error, self.where) from error

    async def _query(self, sql: str, *words: Any) -> Sequence[Any]:
        try:
            found: Sequence[Any] = await self._connection.fetch(sql, *words)
        except (asyncpg.PostgresError, asyncpg.InterfaceError, OSError) as error:
            raise translated(error, self.where) from error
        return found

    async def _insert(self, frames: Sequence[Frame]) -> None:
        columns = list(zip(*((f.ledger, f.version, f.count, f.checksum, f.body) for f in frames), strict=True))
        try:
            async with self._connection.transaction():
                await self._connection.execute(self._sql(APPEND), *columns)
                gap = await self._connection.fetchrow(self._sql(GAPS), *columns[:2])
                if gap is not None:
                    raise fenced(gap[0], gap[1])
        except asyncpg.UniqueViolationError as error:
            raise fenced(frames[0].ledger, frames[0].version) from error
        except (asyncpg.PostgresError, asyncpg.InterfaceError, OSError) as error:
            raise translated(error, self.where) from error

    def _give_up(self) -> None:
        if self._connection is not None:
            self._connection.terminate()
            self._connection = None
