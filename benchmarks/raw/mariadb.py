"""MariaDB through asyncmy: inserts of many rows, a claim of three statements and one commit (SKIP LOCKED)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from benchmarks.brokers import mysql_connection
from benchmarks.raw.base import PAYLOAD
from benchmarks.systems.base import broker_url

_TABLES = (
    "create table raw_pending (due bigint, id bigint, body varbinary(200), primary key (due, id)) engine=innodb",
    "create table raw_appended (due bigint, id bigint, body varbinary(200), primary key (due, id)) engine=innodb",
    "create table raw_lease (token bigint primary key, expires bigint, body longblob) engine=innodb",
    "create table raw_history (token bigint primary key, ended bigint, body varbinary(200)) engine=innodb",
)


class RawMariaDB:
    """One connection; a step is what lies between two commits."""

    async def open(self) -> None:
        self._connection: Any = await mysql_connection(broker_url(), database=True)
        for statement in _TABLES:
            await self._run(statement)

    async def append(self, first: int, count: int) -> None:
        await self._insert("raw_appended", first, count)

    async def insert(self, first: int, count: int) -> None:
        await self._insert("raw_pending", first, count)

    async def _insert(self, table: str, first: int, count: int) -> None:
        rows = ", ".join(f"({number}, {number}, '{PAYLOAD.decode()}')" for number in range(first, first + count))
        await self._run(f"insert into {table} values {rows}")
        await self._connection.commit()

    async def claim(self, token: int, count: int) -> int:
        query = "select due, id, body from raw_pending order by due, id limit %s for update skip locked"
        rows = await self._run(query, (count,))
        if rows:
            await self._run("delete from raw_pending where due <= %s", (rows[-1][0],))
            await self._run("insert into raw_lease values (%s, 0, %s)", (token, b"".join(row[2] for row in rows)))
        await self._connection.commit()
        return len(rows)

    async def ack(self, token: int) -> None:
        await self._run("delete from raw_lease where token = %s", (token,))
        await self._run("insert into raw_history values (%s, 0, %s)", (token, PAYLOAD))
        await self._connection.commit()

    async def close(self) -> None:
        self._connection.close()

    async def _run(self, statement: str, values: Sequence[object] | None = None) -> Any:
        async with self._connection.cursor() as cursor:
            await cursor.execute(statement, values)
            return await cursor.fetchall()
