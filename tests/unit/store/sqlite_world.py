"""Short words for the tests of the SQLite store."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, TypeVar

from shike.clock import ManualClock
from shike.model import RECORD_VERSION, Run, State
from shike.store.guards import Entry
from shike.store.sqlite import SQLiteStore
from shike.store.verbs import Ack, Batch, Claim, NewSession, Want
from tests import bounded

T = TypeVar("T")
TASK = "mail"


def run(work: Coroutine[Any, Any, T]) -> T:
    return bounded.run(work)


@asynccontextmanager
async def opened(where: str | Path, **options: Any) -> AsyncIterator[SQLiteStore]:
    """An open store with a clock that stands still."""
    store = SQLiteStore(where, **({"clock": ManualClock()} | options))
    await store.open()
    try:
        yield store
    finally:
        await store.close()


def entry(number: int, **fields: Any) -> Entry:
    """A run that is eligible at once."""
    return Entry(Run(RECORD_VERSION, number << 8, TASK, **fields))


async def join(store: SQLiteStore, identity: str = "worker", lease_seconds: float = 1e6) -> None:
    await store.open_session(
        NewSession(identity=identity, name="", kind="worker", host="", pid=1, lease_seconds=lease_seconds, protocol=1)
    )


async def claim(store: SQLiteStore, count: int, number: int = 1) -> Batch:
    wants = (Want("default", count, count),)
    return await store.claim(Claim(session="worker", number=number, wants=wants, tasks=frozenset({TASK})))


async def succeed(store: SQLiteStore, batch: Batch) -> None:
    await store.settle("worker", [Ack(one.run.id, one.token, State.SUCCESS) for one in batch.runs])


async def until(condition: Callable[[], bool]) -> None:
    """Wait for something that another thread or socket brings about."""
    async with asyncio.timeout(20):
        while not condition():
            await asyncio.sleep(0.001)
