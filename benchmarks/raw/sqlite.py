"""SQLite, write-ahead log, `synchronous` FULL or NORMAL: two commits per batch, as at-least-once needs."""

from __future__ import annotations

import sqlite3
from pathlib import Path

from benchmarks.raw.base import PAYLOAD

_TABLES = """
    create table pending (due integer, id integer, body blob, primary key (due, id)) without rowid;
    create table appended (due integer, id integer, body blob, primary key (due, id)) without rowid;
    create table lease (token integer primary key, expires integer, body blob);
    create table history (token integer primary key, ended integer, body blob);
"""


class RawSQLite:
    """One connection to a file of its own."""

    def __init__(self, file: Path, synchronous: str) -> None:
        self._file = file
        self._synchronous = synchronous

    async def open(self) -> None:
        self._connection = sqlite3.connect(self._file, isolation_level=None)
        self._connection.execute("pragma journal_mode = wal")
        self._connection.execute(f"pragma synchronous = {self._synchronous}")
        self._connection.executescript(_TABLES)

    async def append(self, first: int, count: int) -> None:
        self._insert("appended", first, count)

    async def insert(self, first: int, count: int) -> None:
        self._insert("pending", first, count)

    def _insert(self, table: str, first: int, count: int) -> None:
        rows = [(number, number, PAYLOAD) for number in range(first, first + count)]
        self._connection.execute("begin immediate")
        self._connection.executemany(f"insert into {table} values (?, ?, ?)", rows)
        self._connection.execute("commit")

    async def claim(self, token: int, count: int) -> int:
        run = self._connection.execute
        run("begin immediate")
        rows = run("select due, id, body from pending order by due, id limit ?", (count,)).fetchall()
        if rows:
            run("delete from pending where (due, id) <= (?, ?)", rows[-1][:2])
            run("insert into lease values (?, ?, ?)", (token, 0, b"".join(row[2] for row in rows)))
        run("commit")
        return len(rows)

    async def ack(self, token: int) -> None:
        run = self._connection.execute
        run("begin immediate")
        run("delete from lease where token = ?", (token,))
        run("insert into history values (?, ?, ?)", (token, 0, PAYLOAD))
        run("commit")

    async def close(self) -> None:
        self._connection.close()
