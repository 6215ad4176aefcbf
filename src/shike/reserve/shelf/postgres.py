"""The shelf in tables of PostgreSQL."""

from __future__ import annotations

from typing import Final

from shike.reserve.postgres_link import PostgresLink
from shike.reserve.shelf.base import Page
from shike.reserve.shelf.relational import RelationalShelf

TABLES: Final = """
select pg_advisory_xact_lock(hashtextextended('{ns} shelf', 0));
create table if not exists {ns}_pages (ledger text collate "C" not null primary key, version bigint not null);
create table if not exists {ns}_lefts (
  ledger text collate "C" not null, pool text collate "C" not null, segment bigint not null, label text not null,
  size bigint not null, left_over bigint not null, primary key (ledger, pool, segment)
);
create table if not exists {ns}_looked (one integer not null primary key check (one = 1), at bigint not null);
"""
TURN: Final = """
insert into {ns}_pages as page (ledger, version) values ({0}, {1})
on conflict (ledger) do update set version = excluded.version where excluded.version > page.version
returning 1
"""
WRITE: Final = """
insert into {ns}_lefts (ledger, pool, segment, label, size, left_over)
select $1, row.* from unnest($2::text[], $3::bigint[], $4::text[], $5::bigint[], $6::bigint[]) as row
"""


class PostgresShelf(RelationalShelf, PostgresLink):
    """Two tables of a schema."""

    tables = TABLES
    looked_sql = "insert into {ns}_looked (one, at) values (1, {0}) on conflict (one) do update set at = excluded.at"

    async def _turn(self, page: Page) -> bool:
        return bool(await self._query(self._sql(TURN), page.ledger, page.version))

    async def _write(self, page: Page) -> None:
        if page.rows:
            columns = zip(*((row.pool, row.segment, row.label, row.size, row.left) for row in page.rows), strict=True)
            await self._query(self._sql(WRITE), page.ledger, *map(list, columns))
