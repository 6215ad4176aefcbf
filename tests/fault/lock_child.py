"""A holder for the tests to stop: takes a lock, says so, waits to be told, and writes with the token it was given.

`python -m tests.fault.lock_child KIND NAMESPACE WAY`, where WAY is `lease`, or `row` for a lock in a transaction.
"""

from __future__ import annotations

import asyncio
import sys

from shike.errors import ShikeError
from shike.locks import Locks, MySQLLocks, PostgresLocks
from tests.unit.locks.servers import locks_of, on_mysql, on_postgres, shop_of


async def _with_lease(locks: Locks) -> None:
    held = await locks.acquire("stock", lease="1s")
    print("held", held.token, flush=True)
    await asyncio.to_thread(sys.stdin.readline)
    written = await shop_of(locks).write_fenced(0, held.token)
    print("written" if written else "refused", held.lost, await held.release(), flush=True)


async def _with_row(locks: Locks) -> None:
    assert isinstance(locks, PostgresLocks | MySQLLocks)
    try:
        async with locks.row("stock", lease="1s") as row:
            print("held", row.token, flush=True)
            await asyncio.to_thread(sys.stdin.readline)
            statement = f"update {locks.namespace}_stock set units = 0"
            if isinstance(locks, PostgresLocks):
                await on_postgres(row.connection, statement)
            else:
                await on_mysql(row.connection.cursor(), statement)
    except ShikeError as error:
        print("refused", type(error).__name__, flush=True)
    else:
        print("written", flush=True)


async def main(kind: str, namespace: str, way: str) -> None:
    async with locks_of(kind, namespace) as locks:
        await (_with_lease if way == "lease" else _with_row)(locks)


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
