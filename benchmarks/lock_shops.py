"""A shop per server for `benchmarks.locks`: a stock per item, read and written in two steps, as careless code does."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any, Protocol

from shike.locks import Locks, MySQLLocks, PostgresLocks, RedisLocks, Versioned

URLS = {
    "redis": os.environ.get("SHIKE_TEST_REDIS_URL", "redis://127.0.0.1:6379/0"),
    "postgres": os.environ.get("SHIKE_TEST_POSTGRES_URL", "postgresql://postgres@127.0.0.1:5432/test"),
    "mysql": os.environ.get("SHIKE_TEST_MYSQL_URL", "mysql://root@127.0.0.1:3306/test"),
}
NAMESPACE = "bench_locks"


class Shop(Protocol):
    """`place` is the connection of a row lock, or None: any."""

    locks: Locks

    async def fill(self, items: int, units: int) -> None: ...
    async def read(self, item: int, place: Any = None) -> Versioned[int]: ...
    async def write(self, item: int, units: int, place: Any = None) -> None: ...
    async def compare(self, item: int, units: int, version: int) -> bool: ...
    def row(self, item: int) -> AbstractAsyncContextManager[Any]: ...
    async def wipe(self) -> None: ...


class RedisShop:
    """A hash per item."""

    def __init__(self) -> None:
        self.locks: Any = RedisLocks(URLS["redis"], namespace=NAMESPACE)

    async def fill(self, items: int, units: int) -> None:
        pipe = self.locks._client.pipeline()
        for item in range(items):
            pipe.hset(_key(item), mapping={"units": units, "version": 1})
        await pipe.execute()

    async def read(self, item: int, place: Any = None) -> Versioned[int]:
        units, version = await self.locks._client.hmget(_key(item), "units", "version")
        return Versioned(int(units), int(version))

    async def write(self, item: int, units: int, place: Any = None) -> None:
        await self.locks._client.hset(_key(item), "units", units)

    async def compare(self, item: int, units: int, version: int) -> bool:
        script = """
            if redis.call('HGET', KEYS[1], 'version') ~= ARGV[1] then return 0 end
            redis.call('HSET', KEYS[1], 'units', ARGV[2], 'version', ARGV[1] + 1)
            return 1"""
        return bool(await self.locks._client.eval(script, 1, _key(item), version, units))

    def row(self, item: int) -> AbstractAsyncContextManager[Any]:
        raise NotImplementedError("Redis has no rows to lock")

    async def wipe(self) -> None:
        keys = await self.locks._client.keys(f"{{{NAMESPACE}:locks}}:*")
        if keys:
            await self.locks._client.delete(*keys)


class SQLShop:
    """A table with a row per item."""

    def __init__(self, kind: str) -> None:
        self._postgres = kind == "postgres"
        self.locks: Any = (PostgresLocks if self._postgres else MySQLLocks)(URLS[kind], namespace=NAMESPACE)

    async def fill(self, items: int, units: int) -> None:
        await self._run("drop table if exists bench_locks_stock")
        await self._run("create table bench_locks_stock (id int primary key, units int, version int)")
        values = ", ".join(f"({item}, {units}, 1)" for item in range(items))
        await self._run(f"insert into bench_locks_stock values {values}")
        await self.locks._made(tuple(f"{kind}item-{item}" for item in range(items) for kind in ("", "row:")))

    async def read(self, item: int, place: Any = None) -> Versioned[int]:
        row = await self._run(f"select units, version from bench_locks_stock where id = {item:d}", place)
        return Versioned(row[0], row[1])

    async def write(self, item: int, units: int, place: Any = None) -> None:
        await self._run(f"update bench_locks_stock set units = {units:d} where id = {item:d}", place)

    async def compare(self, item: int, units: int, version: int) -> bool:
        change = f"units = {units:d}, version = version + 1"
        where = f"id = {item:d} and version = {version:d}"
        return bool(await self._run(f"update bench_locks_stock set {change} where {where}"))

    @asynccontextmanager
    async def row(self, item: int) -> AsyncIterator[Any]:
        async with self.locks.row(f"item-{item}", timeout="2m") as row:
            yield row.connection

    async def wipe(self) -> None:
        await self._run("drop table if exists bench_locks_stock")
        await self._run("drop table if exists bench_locks_locks")

    async def _run(self, statement: str, place: Any = None) -> Any:
        if self._postgres:
            return await _on_postgres(place or self.locks._pool, statement)
        if place is not None:
            return await _on_mysql(place.cursor(), statement)
        async with self.locks._cursor() as cursor:
            return await _on_mysql(cursor, statement)


async def _on_postgres(connection: Any, statement: str) -> Any:
    if statement.startswith("select"):
        return await connection.fetchrow(statement)
    return (await connection.execute(statement)) == "UPDATE 1"


async def _on_mysql(cursor: Any, statement: str) -> Any:
    changed = await cursor.execute(statement)
    return await cursor.fetchone() if statement.startswith("select") else changed


def _key(item: int) -> str:
    return f"{{{NAMESPACE}:locks}}:stock:{item}"


def shop_of(kind: str) -> Shop:
    return RedisShop() if kind == "redis" else SQLShop(kind)
