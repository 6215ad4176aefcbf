"""Locks on the machine's servers, each test in a namespace of its own that is gone afterwards."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, Protocol

from shike.locks import Locks, MySQLLocks, PostgresLocks, RedisLocks
from tests.servers import url

KINDS = ("redis", "postgres", "mysql")


def locks_of(kind: str, namespace: str) -> Locks:
    classes: dict[str, type[RedisLocks | PostgresLocks | MySQLLocks]] = {
        "redis": RedisLocks,
        "postgres": PostgresLocks,
        "mysql": MySQLLocks,
    }
    return classes[kind](url(kind), namespace=namespace)


def fresh_namespace() -> str:
    return f"t{secrets.token_hex(6)}"


@asynccontextmanager
async def fresh_locks(kind: str) -> AsyncIterator[Locks]:
    """Open locks whose traces are wiped at the end."""
    async with locks_of(kind, fresh_namespace()) as locks:
        try:
            yield locks
        finally:
            await shop_of(locks).wipe()


class Shop(Protocol):
    """The thing that locks protect: one stock, read and written in two steps, that remembers the highest token."""

    async def fill(self, units: int) -> None: ...
    async def read(self) -> tuple[int, int]:
        """Units and version."""

    async def write(self, units: int, version: int) -> bool:
        """Only if the version is still this one; whether it did."""

    async def write_fenced(self, units: int, token: int) -> bool:
        """Only if no higher token was here before; whether it did."""

    async def wipe(self) -> None:
        """Remove the shop, and the locks of its namespace."""


class RedisShop:
    def __init__(self, locks: RedisLocks) -> None:
        self._locks = locks
        self._key = f"{{{locks.namespace}:locks}}:stock"

    async def fill(self, units: int) -> None:
        await self._locks._client.hset(self._key, mapping={"units": units, "version": 1, "fence": 0})

    async def read(self) -> tuple[int, int]:
        units, version = await self._locks._client.hmget(self._key, "units", "version")
        return int(units), int(version)

    async def write(self, units: int, version: int) -> bool:
        return await self._compare("version", "==", version, units)

    async def write_fenced(self, units: int, token: int) -> bool:
        return await self._compare("fence", "<=", token, units)

    async def wipe(self) -> None:
        client = self._locks._client
        for key in await client.keys(f"{{{self._locks.namespace}:locks}}:*"):
            await client.delete(key)

    async def _compare(self, field: str, how: str, number: int, units: int) -> bool:
        script = f"""
            if tonumber(redis.call('HGET', KEYS[1], '{field}')) {how} tonumber(ARGV[1]) then
              redis.call('HSET', KEYS[1], 'units', ARGV[2])
              redis.call('HINCRBY', KEYS[1], 'version', 1)
              if '{field}' == 'fence' then redis.call('HSET', KEYS[1], 'fence', ARGV[1]) end
              return 1
            end
            return 0"""
        return bool(await self._locks._client.eval(script, 1, self._key, number, units))


class SQLShop:
    """One table on either relational server."""

    def __init__(self, locks: PostgresLocks | MySQLLocks) -> None:
        self._locks = locks
        self._table = f"{locks.namespace}_stock"

    async def fill(self, units: int) -> None:
        await self._run(f"create table if not exists {self._table} (units int, version int, fence bigint)")
        await self._run(f"insert into {self._table} values ({units}, 1, 0)")

    async def read(self) -> tuple[int, int]:
        return await self._run(f"select units, version from {self._table}")  # type: ignore[no-any-return]

    async def write(self, units: int, version: int) -> bool:
        set_ = f"units = {units:d}, version = version + 1"
        return bool(await self._run(f"update {self._table} set {set_} where version = {version:d}"))

    async def write_fenced(self, units: int, token: int) -> bool:
        set_ = f"units = {units:d}, version = version + 1, fence = {token:d}"
        return bool(await self._run(f"update {self._table} set {set_} where fence <= {token:d}"))

    async def wipe(self) -> None:
        await self._run(f"drop table if exists {self._table}")
        await self._run(f"drop table if exists {self._locks.namespace}_locks")

    async def _run(self, statement: str) -> Any:
        """A row for a SELECT, else the number of rows that changed."""
        if isinstance(self._locks, PostgresLocks):
            return await on_postgres(self._locks._pool, statement)
        async with self._locks._cursor() as cursor:
            return await on_mysql(cursor, statement)


async def on_postgres(connection: Any, statement: str) -> Any:
    if statement.startswith("select"):
        return tuple(await connection.fetchrow(statement))
    done = str(await connection.execute(statement))
    return int(done.split()[-1]) if done.startswith("UPDATE") else 0


async def on_mysql(cursor: Any, statement: str) -> Any:
    changed = await cursor.execute(statement)
    return await cursor.fetchone() if statement.startswith("select") else changed


def shop_of(locks: Locks) -> Shop:
    if isinstance(locks, RedisLocks):
        return RedisShop(locks)
    assert isinstance(locks, PostgresLocks | MySQLLocks)
    return SQLShop(locks)


async def sit_on_a_connection(locks: Locks, seconds: float) -> None:
    """Have the server take its time over a question, on one of the connections of these locks."""
    if isinstance(locks, RedisLocks):
        await locks._client.blpop([f"{{{locks.namespace}:locks}}:nothing"], timeout=seconds)
    elif isinstance(locks, PostgresLocks):
        await locks._pool.fetchrow(f"select pg_sleep({seconds})")
    elif isinstance(locks, MySQLLocks):
        async with locks._cursor() as cursor:
            await on_mysql(cursor, f"select sleep({seconds})")


async def crowd(count: int, taker: Any) -> list[Any]:
    """What each of so many concurrent takers came back with."""
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(taker(number)) for number in range(count)]
    return [task.result() for task in tasks]
