"""A thousand takers, a hundred units: exactly a hundred are taken, in each of the three forms (R2.6)."""

from __future__ import annotations

import asyncio
from collections import Counter

import pytest

from shike.locks import MySQLLocks, PostgresLocks, RedisLocks, Versioned, change
from tests import bounded
from tests.unit.locks.servers import KINDS, SQLShop, crowd, fresh_locks, on_mysql, on_postgres, shop_of

TAKERS, UNITS = 1_000, 100


def _sold(takers: list[bool], left: int) -> tuple[int, int]:
    return Counter(takers)[True], left


@pytest.mark.parametrize("kind", KINDS)
def test_without_a_lock_more_is_taken_than_there_was(kind: str) -> None:
    """The planted bug: the race is real, or the tests below would prove nothing."""

    async def story() -> None:
        async with fresh_locks(kind) as locks:
            shop = shop_of(locks)
            await shop.fill(UNITS)

            async def take(_: int) -> bool:
                units, _version = await shop.read()
                return units > 0 and await shop.write_fenced(units - 1, 1)

            assert Counter(await crowd(TAKERS, take))[True] > UNITS

    bounded.run(story(), bounded.CROWD_SECONDS)


@pytest.mark.parametrize("kind", KINDS)
def test_under_a_lock_with_a_lease_exactly_what_was_there_is_taken(kind: str) -> None:
    async def story() -> None:
        async with fresh_locks(kind) as locks:
            shop = shop_of(locks)
            await shop.fill(UNITS)

            async def take(_: int) -> bool:
                held = await locks.acquire("stock", timeout="2m")
                try:
                    units, _version = await shop.read()
                    return units > 0 and await shop.write_fenced(units - 1, held.token)
                finally:
                    await held.release()

            assert _sold(await crowd(TAKERS, take), (await shop.read())[0]) == (UNITS, 0)

    bounded.run(story(), bounded.CROWD_SECONDS)


@pytest.mark.parametrize("kind", ["postgres", "mysql"])
def test_under_a_row_lock_exactly_what_was_there_is_taken(kind: str) -> None:
    async def story() -> None:
        async with fresh_locks(kind) as locks:
            assert isinstance(locks, PostgresLocks | MySQLLocks)
            shop = SQLShop(locks)
            await shop.fill(UNITS)

            async def take(_: int) -> bool:
                async with locks.row("stock", timeout="2m") as row:
                    run = on_postgres if kind == "postgres" else on_mysql
                    connection = row.connection if kind == "postgres" else row.connection.cursor()
                    units, _version = await run(connection, f"select units, version from {shop._table}")
                    if units:
                        await run(connection, f"update {shop._table} set units = {units - 1:d}")
                    return bool(units)

            assert _sold(await crowd(TAKERS, take), (await shop.read())[0]) == (UNITS, 0)

    bounded.run(story(), bounded.CROWD_SECONDS)


@pytest.mark.parametrize("kind", KINDS)
def test_with_optimistic_versions_exactly_what_was_there_is_taken(kind: str) -> None:
    async def story() -> None:
        async with fresh_locks(kind) as locks:
            shop = shop_of(locks)
            await shop.fill(UNITS)

            async def read() -> Versioned[int]:
                return Versioned(*await shop.read())

            async def take(_: int) -> bool:
                seen: list[int] = []

                def one_less(units: int) -> int:
                    seen.append(units)
                    return max(0, units - 1)

                await change(read, shop.write, one_less)
                return seen[-1] > 0

            assert _sold(await crowd(TAKERS, take), (await shop.read())[0]) == (UNITS, 0)

    bounded.run(story(), bounded.CROWD_SECONDS)


def test_the_redis_form_is_the_lock_and_not_the_driver() -> None:
    """Two lock objects, each with its own connections, as two processes would have."""

    async def story() -> None:
        async with fresh_locks("redis") as mine:
            assert isinstance(mine, RedisLocks)
            async with RedisLocks(mine._url, namespace=mine.namespace) as theirs:
                shop = shop_of(mine)
                await shop.fill(UNITS)

                async def take(number: int) -> bool:
                    async with (mine, theirs)[number % 2].hold("stock", timeout="2m") as held:
                        units, _version = await shop.read()
                        return units > 0 and await shop.write_fenced(units - 1, held.token)

                async def take_open(number: int) -> bool:
                    await asyncio.sleep(0)
                    return await take(number)

                assert _sold(await crowd(200, take_open), (await shop.read())[0]) == (UNITS, 0)

    bounded.run(story(), bounded.CROWD_SECONDS)
