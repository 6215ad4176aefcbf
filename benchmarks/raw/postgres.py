"""PostgreSQL through asyncpg: unnest in, one statement a claim (SKIP LOCKED), one an acknowledgement."""

from __future__ import annotations

from typing import Any

from benchmarks.raw.base import PAYLOAD
from benchmarks.systems.base import broker_url

_TABLES = """
    create table raw_pending (due bigint, id bigint, body bytea, primary key (due, id));
    create table raw_appended (due bigint, id bigint, body bytea, primary key (due, id));
    create table raw_lease (token bigint primary key, expires bigint, body bytea);
    create table raw_history (token bigint primary key, ended bigint, body bytea);
"""
_INSERT = "insert into {} select number, number, $2 from unnest($1::bigint[]) as number"
_CLAIM = """
    with found as (select due, id, body from raw_pending order by due, id limit $2 for update skip locked),
         gone as (delete from raw_pending using found where (raw_pending.due, raw_pending.id) = (found.due, found.id)),
         leased as (insert into raw_lease select $1, 0, string_agg(body, '') from found returning token)
    select due, id, body from found
"""
_ACK = """
    with gone as (delete from raw_lease where token = $1 returning token)
    insert into raw_history select token, 0, $2 from gone
"""


class RawPostgres:
    """One connection, statements prepared."""

    async def open(self) -> None:
        import asyncpg

        self._connection: Any = await asyncpg.connect(broker_url())
        await self._connection.execute(_TABLES)
        prepare = self._connection.prepare
        self._insert, self._append = [await prepare(_INSERT.format(name)) for name in ("raw_pending", "raw_appended")]
        self._claim, self._ack = await prepare(_CLAIM), await prepare(_ACK)

    async def append(self, first: int, count: int) -> None:
        await self._append.fetch(list(range(first, first + count)), PAYLOAD)

    async def insert(self, first: int, count: int) -> None:
        await self._insert.fetch(list(range(first, first + count)), PAYLOAD)

    async def claim(self, token: int, count: int) -> int:
        return len(await self._claim.fetch(token, count))

    async def ack(self, token: int) -> None:
        await self._ack.fetch(token, PAYLOAD)

    async def close(self) -> None:
        await self._connection.close()
