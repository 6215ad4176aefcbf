"""The shelf in tables of MySQL or MariaDB."""

from __future__ import annotations

from typing import Final

from shike.reserve.mysql_link import MySQLLink
from shike.reserve.shelf.base import Page
from shike.reserve.shelf.relational import RelationalShelf

NAME: Final = "varchar(200) character set utf8mb4 collate {exact} not null"
TABLES: Final = (
    f"create table if not exists {{ns}}_pages (ledger {NAME} primary key, version bigint not null) engine = InnoDB",
    f"create table if not exists {{ns}}_lefts (ledger {NAME}, pool {NAME}, segment bigint not null, label {NAME},"
    " size bigint not null, left_over bigint not null, primary key (ledger, pool, segment)) engine = InnoDB",
    "create table if not exists {ns}_looked (one int not null primary key, at bigint not null) engine = InnoDB",
)
FIRST: Final = "insert into {ns}_pages (ledger, version) values ({0}, 0) on duplicate key update ledger = ledger"
SEEN: Final = "select version from {ns}_pages where ledger = {0} for update"
TURN: Final = "update {ns}_pages set version = {0} where ledger = {1}"
WRITE: Final = "insert into {ns}_lefts (ledger, pool, segment, label, size, left_over) values "
ROW: Final = "(%s, %s, %s, %s, %s, %s)"
ROWS_MAX: Final = 1_000  # of one statement: far below what a packet holds


class MySQLShelf(RelationalShelf, MySQLLink):
    """Two tables of a database."""

    tables = TABLES
    looked_sql = "insert into {ns}_looked (one, at) values (1, {0}) on duplicate key update at = values(at)"

    async def _turn(self, page: Page) -> bool:
        await self._query(self._sql(FIRST), page.ledger)
        ((version,),) = await self._query(self._sql(SEEN), page.ledger)
        if version >= page.version:
            return False
        await self._query(self._sql(TURN), page.version, page.ledger)
        return True

    async def _write(self, page: Page) -> None:
        rows = [(page.ledger, row.pool, row.segment, row.label, row.size, row.left) for row in page.rows]
        for first in range(0, len(rows), ROWS_MAX):
            part = rows[first : first + ROWS_MAX]
            sql = self._sql(WRITE) + ", ".join([ROW] * len(part))
            await self._query(sql, *(word for row in part for word in row))
