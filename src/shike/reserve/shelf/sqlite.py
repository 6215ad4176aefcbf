"""The shelf in two tables of a SQLite file, for questions that nobody has thought of yet.

select pages.ledger, min(lefts.left_over) from reserve_pages pages join reserve_lefts lefts using (ledger)
where pool = 'second' and segment between 3 and 7 group by ledger having min(lefts.left_over) < 5
"""

from __future__ import annotations

from typing import Final

from shike.reserve.shelf.base import Left, Page
from shike.store.sqlite.aside import Aside

TABLES: Final = """
create table if not exists {ns}_pages (ledger text not null primary key, version integer not null) without rowid;
create table if not exists {ns}_lefts (
  ledger text not null, pool text not null, segment integer not null, label text not null, size integer not null,
  left_over integer not null, primary key (ledger, pool, segment)
) without rowid;
create table if not exists {ns}_looked (one integer not null primary key check (one = 1), at integer not null);
"""
VERSIONS: Final = "select ledger, version from {ns}_pages"
TURN: Final = (
    "insert into {ns}_pages (ledger, version) values (?, ?)"
    " on conflict (ledger) do update set version = excluded.version where excluded.version > version"
)
EMPTY: Final = "delete from {ns}_lefts where ledger = ?"
WRITE: Final = "insert into {ns}_lefts (ledger, pool, segment, label, size, left_over) values (?, ?, ?, ?, ?, ?)"
LEFT: Final = (
    "select min(left_over), count(*), (select version from {ns}_pages where ledger = ?) from {ns}_lefts"
    " where ledger = ? and pool = ? and segment >= ? and segment < ?"
)
LOOKED: Final = "insert into {ns}_looked (one, at) values (1, ?) on conflict (one) do update set at = excluded.at"
AS_OF: Final = "select at from {ns}_looked"


class SQLiteShelf:
    """Keeps the promises of `Shelf` in one file, beside whatever else is in it."""

    def __init__(self, url: str, namespace: str = "reserve") -> None:
        self._file = Aside("shelf", url, namespace, TABLES)

    async def open(self) -> None:
        await self._file.open()

    async def close(self) -> None:
        await self._file.close()

    async def versions(self) -> dict[str, int]:
        return dict(await self._file.ask(VERSIONS))

    async def put(self, page: Page) -> bool:
        return await self._file.do(self._put, page)

    async def left(self, ledger: str, pool: str, start: int, end: int) -> Left | None:
        ((least, count, version),) = await self._file.ask(LEFT, ledger, ledger, pool, start, end)
        return Left(least, version) if count and count == end - start else None

    async def looked(self, at: int) -> None:
        await self._file.ask(LOOKED, at)

    async def as_of(self) -> int:
        rows = await self._file.ask(AS_OF)
        return int(rows[0][0]) if rows else 0

    async def clear(self) -> None:
        await self._file.do(self._clear)

    def _put(self, page: Page) -> bool:
        with self._file.transaction():
            if not self._file.changed(TURN, page.ledger, page.version):
                return False
            self._file.rows(EMPTY, page.ledger)
            for row in page.rows:
                self._file.rows(WRITE, page.ledger, row.pool, row.segment, row.label, row.size, row.left)
            return True

    def _clear(self) -> None:
        with self._file.transaction():
            for table in ("pages", "lefts", "looked"):
                self._file.rows(f"delete from {{ns}}_{table}")  # noqa: S608 - our own three
