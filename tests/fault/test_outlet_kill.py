"""Whoever tells a broker of an end is killed with -9 at a step of it: the end is told, twice at most (R2.11)."""

from __future__ import annotations

import asyncio
import secrets
import sys
from asyncio.subprocess import Process
from pathlib import Path

import pytest

from shike.app import Shike
from shike.model import Ended, State
from shike.store.base import RunFilter, Store
from tests import bounded, servers
from tests.fault.processes import importing

pytestmark = [pytest.mark.slow, pytest.mark.servers]


@pytest.mark.parametrize(
    ("step", "most"),
    [
        ("before it is handed over", 1),
        ("before it is noted", 1),
        ("before the broker has it", 1),
        ("before the store knows of it", 2),
    ],
)
def test_killed_at(step: str, most: int, tmp_path: Path) -> None:
    async def story() -> None:
        import redis.asyncio

        stream = f"told-{secrets.token_hex(8)}"
        run_id = await taken_back(tmp_path)
        first = await child(tmp_path, stream, step)
        assert await first.wait() == -9
        second = await child(tmp_path, stream)
        try:
            await is_told(tmp_path)
        finally:
            second.kill()
            await second.wait()
        client = redis.asyncio.Redis.from_url(servers.url("redis"))
        entries = await client.xrange(stream)
        await client.delete(stream)
        await client.aclose()
        assert {fields[b"id"].decode() for _, fields in entries} == {run_id}
        assert 1 <= len(entries) <= most

    bounded.run(story(), bounded.CROWD_SECONDS)


def program(folder: Path) -> Shike:
    return Shike(f"sqlite:///{folder / 'shike.db'}?synchronous=normal")


async def taken_back(folder: Path) -> str:
    """A run that is cancelled where nobody works and nobody schedules."""
    app = program(folder)

    @app.task(name="pay")
    async def pay() -> None: ...

    handle = await pay.submit()
    await handle.cancel()
    await app.client.close()
    return handle.id


async def child(folder: Path, stream: str, step: str = "") -> Process:
    environment = importing() | {
        "OUTLET_STORE": str(folder / "shike.db"),
        "OUTLET_REDIS": servers.url("redis"),
        "OUTLET_STREAM": stream,
        "OUTLET_STEP": step,
    }
    script = str(Path(__file__).with_name("outlet_child.py"))
    return await asyncio.create_subprocess_exec(sys.executable, script, env=environment, cwd=folder)


async def is_told(folder: Path) -> None:
    app = program(folder)
    store = await app.client.store()
    while [run.state for run in await tellers(store)] != [State.SUCCESS]:
        await asyncio.sleep(0.05)
    await app.client.close()


async def tellers(store: Store) -> list[Ended]:
    """The runs that tell, in the store; one that is under way is none of them."""
    return [run for run in await store.runs(RunFilter(task="shike.outlet.receipts")) if isinstance(run, Ended)]
