"""The journal in one SQLite file, beside whatever else is in it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from shike.reserve.journal.base import Frame, Kept
from shike.reserve.journal.memory import fenced
from shike.store.sqlite.aside import Aside

TABLES: Final = """
create table if not exists {ns}_frames (
  ledger text not null, version integer not null, count integer not null, checksum integer not null,
  body blob not null, primary key (ledger, version)
) without rowid;
create table if not exists {ns}_kept (
  ledger text not null primary key, version integer not null, checksum integer not null, sum integer not null,
  data blob not null
) without rowid;
"""
APPEND: Final = "insert into {ns}_frames (ledger, version, count, checksum, body) values (?, ?, ?, ?, ?)"
FRAMES: Final = (
    "select ledger, version, count, checksum, body from {ns}_frames"
    " where ledger = ? and version >= ? order by version limit ?"
)
END: Final = "select version + count from {ns}_frames where ledger = ? order by version desc limit 1"
KEEP: Final = (
    "insert into {ns}_kept (ledger, version, checksum, sum, data) values (?, ?, ?, ?, ?)"
    " on conflict (ledger) do update set version = excluded.version, checksum = excluded.checksum,"
    " sum = excluded.sum, data = excluded.data where excluded.version >= version"
)
KEPT: Final = "select ledger, version, checksum, sum, data from {ns}_kept where ledger = ?"
LEDGERS: Final = "select distinct ledger from {ns}_frames where ledger > ? order by ledger limit ?"


class SQLiteJournal:
    """Durable with each `append` (`?synchronous=FULL`, the default); with `NORMAL` power loss takes the last ones."""

    def __init__(self, url: str, namespace: str = "reserve") -> None:
        self._file = Aside("journal", url, namespace, TABLES)

    async def open(self) -> None:
        await self._file.open()

    async def close(self) -> None:
        await self._file.close()

    async def append(self, frames: Sequence[Frame]) -> None:
        await self._file.do(self._append, frames)

    async def frames(self, ledger: str, after: int = 0, most: int = 1_000) -> list[Frame]:
        return [Frame(*row) for row in await self._file.ask(FRAMES, ledger, after, most)]

    async def keep(self, kept: Kept) -> None:
        await self._file.ask(KEEP, kept.ledger, kept.version, kept.checksum, kept.check, kept.data)

    async def kept(self, ledger: str) -> Kept | None:
        rows = await self._file.ask(KEPT, ledger)
        return Kept(*rows[0]) if rows else None

    async def ledgers(self, after: str = "", most: int = 1_000) -> list[str]:
        return [row[0] for row in await self._file.ask(LEDGERS, after, most)]

    def _append(self, frames: Sequence[Frame]) -> None:
        file = self._file
        with file.transaction():
            for frame in frames:
                end = file.rows(END, frame.ledger)
                if frame.version != (end[0][0] if end else 0):
                    raise fenced(frame.ledger, frame.version)
                file.rows(APPEND, frame.ledger, frame.version, frame.count, frame.checksum, frame.body)
