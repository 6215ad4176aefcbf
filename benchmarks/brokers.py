"""The servers behind brokered systems: a Redis of our own, a database of our own on the machine's PostgreSQL or MySQL.

Each row of a measure gets an empty one. Redis keeps an append-only file, flushed every second, for everybody: what is
accepted survives a crash of Redis, as it does on the relational servers.
"""

from __future__ import annotations

import asyncio
import atexit
import os
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Coroutine
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit, urlunsplit

from benchmarks.process import cpu_seconds
from benchmarks.systems.base import URL_VARIABLE

DATABASE = f"shike_bench_{os.getpid()}"
POSTGRES = os.environ.get("SHIKE_TEST_POSTGRES_URL", "postgresql://postgres@127.0.0.1:5432/test")
MYSQL = os.environ.get("SHIKE_TEST_MYSQL_URL", "mysql://root@127.0.0.1:3306/test")
START_SECONDS = 10.0


def make_fresh(service: str) -> None:
    """Empty the server of that kind and tell the children where it is, by the environment."""
    if service:
        os.environ[URL_VARIABLE] = _FRESH[service]()


def free_port() -> int:
    """A port of loopback that nobody listens on just now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def start_redis(folder: Path, *options: str) -> tuple[str, subprocess.Popen[bytes]]:
    """A Redis server with its files in `folder`: its URL, and the process to end."""
    port = free_port()
    argv = [shutil.which("redis-server") or "redis-server", "--port", str(port), "--bind", "127.0.0.1"]
    kept = ["--dir", str(folder), "--save", "", "--appendonly", "yes", "--appendfsync", "everysec"]
    server = subprocess.Popen([*argv, *kept, *options], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    limit = time.monotonic() + START_SECONDS
    while time.monotonic() < limit:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError:
            time.sleep(0.02)
        else:
            return f"redis://127.0.0.1:{port}/0", server
    server.kill()
    raise RuntimeError("the private redis-server did not start")


@cache
def _redis_of_ours() -> tuple[str, int]:
    """Its URL and its process."""
    folder = Path(tempfile.mkdtemp(prefix="shike-bench-redis-"))
    url, server = start_redis(folder)

    def end() -> None:
        server.kill()
        server.wait()
        shutil.rmtree(folder, ignore_errors=True)

    atexit.register(end)
    return url, server.pid


def _redis() -> str:
    import redis

    url, _ = _redis_of_ours()
    with redis.Redis.from_url(url) as client:
        client.flushall()
    return url


async def _on_postgres(*statements: str) -> None:
    import asyncpg

    connection = await asyncpg.connect(POSTGRES)
    for statement in (f"drop database if exists {DATABASE} with (force)", *statements):
        await connection.execute(statement)
    await connection.close()


def _postgres() -> str:
    asyncio.run(_on_postgres(f"create database {DATABASE}"))
    _drop_at_exit(_on_postgres)
    return urlunsplit(urlsplit(POSTGRES)._replace(path=f"/{DATABASE}"))


@cache
def _drop_at_exit(drop: Callable[[], Coroutine[Any, Any, None]]) -> None:
    atexit.register(lambda: asyncio.run(drop()))


async def mysql_connection(url: str, *, database: bool = False) -> Any:
    """A connection of asyncmy; to the URL's database, or to none."""
    import asyncmy

    parts = urlsplit(url)
    words = {"host": parts.hostname, "port": parts.port or 3306, "user": parts.username or "root"}
    name = {"db": parts.path.strip("/")} if database else {}
    return await asyncmy.connect(**words, **name, password=parts.password or "")


async def _on_mysql(*statements: str) -> None:
    connection = await mysql_connection(MYSQL)
    async with connection.cursor() as cursor:
        await cursor.execute("set sql_notes = 0")  # that there was none to drop is nothing to warn of
        for statement in (f"drop database if exists {DATABASE}", *statements):
            await cursor.execute(statement)
    connection.close()


def _mysql() -> str:
    asyncio.run(_on_mysql(f"create database {DATABASE}"))
    _drop_at_exit(_on_mysql)
    return urlunsplit(urlsplit(MYSQL)._replace(path=f"/{DATABASE}"))


def server_cpu_seconds(service: str) -> float:
    """CPU time so far of the server of that kind, as far as it works for us: our own Redis; on PostgreSQL the processes
    of our database and the writer of the log; all of the others, which are one process for everybody."""
    if service == "redis":
        return cpu_seconds(_redis_of_ours()[1])
    return sum(cpu_seconds(pid, children=False) for pid in _processes(_TITLES[service]))


def _processes(words: tuple[str, ...]) -> list[int]:
    found = []
    for title in Path("/proc").glob("[0-9]*/cmdline"):
        with suppress(OSError):
            if any(word in title.read_text(errors="replace") for word in words):
                found.append(int(title.parent.name))
    return found


_TITLES: dict[str, tuple[str, ...]] = {
    "postgres": (f" {DATABASE} ", "walwriter"),
    "mysql": ("mariadbd", "mysqld"),
    "rabbitmq": ("beam.smp",),
    "nats": ("nats-server",),
}


@cache
def versions() -> str:
    """Of the servers that answer, in words."""

    async def ask_postgres() -> str:
        import asyncpg

        connection = await asyncpg.connect(POSTGRES)
        found = await connection.fetchval("show server_version")
        await connection.close()
        return f"PostgreSQL {found.split()[0]}"

    async def ask_mysql() -> str:
        connection = await mysql_connection(MYSQL)
        async with connection.cursor() as cursor:
            await cursor.execute("select version()")
            found = (await cursor.fetchone())[0]
        connection.close()
        return f"MariaDB {found.partition('-')[0]}"

    found = []
    if program := shutil.which("redis-server"):
        words = subprocess.run([program, "--version"], capture_output=True, text=True, check=True).stdout
        found.append(f"Redis {words.split('v=')[1].split()[0]}")
    for ask in (ask_postgres, ask_mysql):
        with suppress(Exception):  # none there, or no driver: then nothing was measured on it either
            found.append(asyncio.run(ask()))
    return ", ".join(found)


_FRESH: dict[str, Callable[[], str]] = {"redis": _redis, "postgres": _postgres, "mysql": _mysql}
