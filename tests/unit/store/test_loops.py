"""Connections belong to event loops: they are closed before their loop is, on whichever thread it ran."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from collections.abc import Iterator

import asyncpg
import pytest

from shike.store.loops import at_the_end
from shike.store.relational.pools import Pool
from tests import servers
from tests.contract import databases

SECONDS_MAX = 60.0
PROGRAM = """
import asyncio, gc, sys
from shike import Shike

app = Shike(sys.argv[1], namespace=sys.argv[2])

@app.task
async def double(n: int) -> int:
    return 2 * n

async def main() -> None:
    async with app.running():
        handle = await double.submit(21)
        print(await handle.wait(timeout="20s"), flush=True)

asyncio.run(main())
gc.collect()
"""


def test_work_is_done_when_its_loop_ends() -> None:
    done: list[str] = []

    async def work() -> None:
        await asyncio.sleep(0)
        done.append("work")

    async def main() -> None:
        kept.append(at_the_end(work))
        done.append("main")

    kept: list[object] = []
    asyncio.run(main())
    assert done == ["main", "work"]


class Line:
    """A link that counts its good-byes."""

    is_usable = True
    closed = dropped = 0

    async def close(self) -> None:
        self.closed += 1

    def drop(self) -> None:
        self.dropped += 1


def test_what_a_pool_has_idle_is_closed_with_its_loop() -> None:
    line = Line()
    pools: list[Pool] = []

    async def connect() -> Line:
        return line

    async def main() -> None:
        pools.append(Pool(connect, 1, 1.0))  # type: ignore[arg-type]
        async with pools[0].link():
            assert not line.closed

    asyncio.run(main())
    assert (line.closed, line.dropped) == (1, 0)


@pytest.fixture(params=["postgresql", "mysql"])
def store_url(request: pytest.FixtureRequest) -> Iterator[str]:
    """The URL of an empty database."""
    name = f"shike_loops_{os.getpid()}"
    if request.param == "mysql":
        where = servers.url("mysql")
        asyncio.run(databases.execute(where, f"create database {name}"))
        yield databases.within(where, name)
        asyncio.run(databases.execute(where, f"drop database {name}"))
    else:
        where = servers.url("postgres")
        asyncio.run(_on_postgres(where, f"create schema {name}"))
        yield f"{where}?search_path={name}"
        asyncio.run(_on_postgres(where, f"drop schema {name} cascade"))


async def _on_postgres(where: str, script: str) -> None:
    connection = await asyncpg.connect(where)
    await connection.execute(script)
    await connection.close()


def test_a_process_leaves_no_connection_behind(store_url: str) -> None:
    argv = [sys.executable, "-X", "dev", "-W", "always::ResourceWarning", "-c", PROGRAM, store_url, "loops"]
    done = subprocess.run(argv, capture_output=True, text=True, timeout=SECONDS_MAX, check=False)
    assert done.stdout == "42\n", done.stderr
    assert "ResourceWarning" not in done.stderr
