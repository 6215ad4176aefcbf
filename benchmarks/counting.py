"""Statements that reach a server, counted at the server and not by a library's own word."""

from __future__ import annotations

import asyncio
import os
import socket
import time
from typing import Any
from urllib.parse import urlsplit

from benchmarks.brokers import MYSQL, POSTGRES, mysql_connection
from benchmarks.systems.base import URL_VARIABLE

PAGE = 1 << 16


def statements(service: str, seconds: float) -> int:
    """How many reach the server of this row within the next seconds.

    Redis: commands of clients, by MONITOR; what a script calls is no statement. PostgreSQL: transactions of our
    database. MariaDB: statements of the whole server, less our own; so nothing else may use it meanwhile.
    """
    return _COUNT[service](seconds)


def _redis(seconds: float) -> int:
    parts, seen = urlsplit(os.environ[URL_VARIABLE]), b""
    with socket.create_connection((parts.hostname, parts.port), timeout=1) as link:
        link.sendall(b"MONITOR\r\n")
        link.recv(PAGE)
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0:
            link.settimeout(left)
            try:
                seen += link.recv(PAGE)
            except TimeoutError:
                break
    return sum(line.startswith(b"+") and b" lua]" not in line for line in seen.splitlines())


def _postgres(seconds: float) -> int:
    async def count() -> int:
        import asyncpg

        connection: Any = await asyncpg.connect(POSTGRES)  # another database than the one that is counted
        query = "select xact_commit + xact_rollback from pg_stat_database where datname = $1"
        name = urlsplit(os.environ[URL_VARIABLE]).path.strip("/")
        before = await connection.fetchval(query, name)
        await asyncio.sleep(seconds)
        after = await connection.fetchval(query, name)
        await connection.close()
        return int(after - before)

    return asyncio.run(count())


def _mysql(seconds: float) -> int:
    async def count() -> int:
        connection = await mysql_connection(MYSQL)
        async with connection.cursor() as cursor:
            before = await _questions(cursor)
            await asyncio.sleep(seconds)
            after = await _questions(cursor)
        connection.close()
        return after - before - 1

    return asyncio.run(count())


async def _questions(cursor: Any) -> int:
    await cursor.execute("show global status like 'Questions'")
    return int((await cursor.fetchone())[1])


_COUNT = {"redis": _redis, "postgres": _postgres, "mysql": _mysql}
