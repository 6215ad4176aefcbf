"""The journal on PostgreSQL."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import asyncpg

from shike.reserve.journal.base import Frame
from shike.reserve.journal.memory import fenced
from shike.reserve.journal.relational import RelationalJournal
from shike.reserve.postgres_link import PostgresLink
from shike.store.postgres.faults import translated

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


class PostgresJournal(RelationalJournal, PostgresLink):
    """As durable as the server; one that is set to lose data is refused, unless the URL accepts it (P8)."""

    tables = TABLES
    keep_sql = (
        "insert into {ns}_kept (ledger, version, checksum, sum, data) values ({0}, {1}, {2}, {3}, {4})"
        " on conflict (ledger) do update set version = excluded.version, checksum = excluded.checksum,"
        " sum = excluded.sum, data = excluded.data where excluded.version >= {ns}_kept.version"
    )

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
