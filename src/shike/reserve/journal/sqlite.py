"""The journal in one SQLite file, beside whatever else is in it: a thread that owns a connection."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Final, TypeVar

from shike.errors import StoreUnavailable
from shike.reserve.journal.base import Frame, Kept
from shike.reserve.journal.memory import fenced
from shike.store.sqlite.faults import translated
from shike.store.sqlite.options import check_namespace, parse

T = TypeVar("T")

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
        check_namespace(namespace)
        self._options = parse(url)
        self._namespace = namespace
        self._connection: sqlite3.Connection | None = None
        self._thread: ThreadPoolExecutor | None = None

    async def open(self) -> None:
        if self._thread is None:
            self._thread = ThreadPoolExecutor(1, "shike-journal")
            await self._do(self._connect)

    async def close(self) -> None:
        if self._thread is not None:
            await self._do(self._disconnect)
            self._thread.shutdown()
            self._thread = None

    async def append(self, frames: Sequence[Frame]) -> None:
        await self._do(self._append, frames)

    async def frames(self, ledger: str, after: int = 0, most: int = 1_000) -> list[Frame]:
        return [Frame(*row) for row in await self._do(self._rows, FRAMES, ledger, after, most)]

    async def keep(self, kept: Kept) -> None:
        await self._do(self._rows, KEEP, kept.ledger, kept.version, kept.checksum, kept.check, kept.data)

    async def kept(self, ledger: str) -> Kept | None:
        rows = await self._do(self._rows, KEPT, ledger)
        return Kept(*rows[0]) if rows else None

    async def ledgers(self, after: str = "", most: int = 1_000) -> list[str]:
        return [row[0] for row in await self._do(self._rows, LEDGERS, after, most)]

    async def _do(self, work: Callable[..., T], *words: Any) -> T:
        if self._thread is None:
            raise StoreUnavailable("this journal is not open; await its open() first")
        try:
            return await asyncio.get_running_loop().run_in_executor(self._thread, work, *words)
        except sqlite3.Error as error:
            raise translated(error, self._options.path) from error

    def _connect(self) -> None:
        options = self._options
        connection = sqlite3.connect(
            options.path, timeout=options.busy_seconds, isolation_level=None, check_same_thread=False
        )
        connection.execute("pragma journal_mode = wal")
        connection.execute(f"pragma synchronous = {options.synchronous.value}")
        connection.executescript(self._sql(TABLES))
        self._connection = connection

    def _disconnect(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _append(self, frames: Sequence[Frame]) -> None:
        assert self._connection is not None
        self._connection.execute("begin immediate")
        try:
            for frame in frames:
                end = self._rows(END, frame.ledger)
                if frame.version != (end[0][0] if end else 0):
                    raise fenced(frame.ledger, frame.version)
                self._rows(APPEND, frame.ledger, frame.version, frame.count, frame.checksum, frame.body)
            self._connection.execute("commit")
        except BaseException:
            if self._connection.in_transaction:
                self._connection.execute("rollback")
            raise

    def _rows(self, sql: str, *words: Any) -> list[Any]:
        assert self._connection is not None
        return self._connection.execute(self._sql(sql), words).fetchall()

    def _sql(self, text: str) -> str:
        return text.replace("{ns}", self._namespace)
