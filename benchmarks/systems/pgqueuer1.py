"""PgQueuer 1 on PostgreSQL through asyncpg, batches of 200. `safe` notices a dead worker after 5 s instead of 30."""

from __future__ import annotations

import time
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

import asyncpg
from pgqueuer import PgQueuer  # type: ignore[import-not-found]
from pgqueuer.db import AsyncpgPoolDriver  # type: ignore[import-not-found]
from pgqueuer.queries import Queries  # type: ignore[import-not-found]

from benchmarks.systems.base import ASYNC_BODIES, OnALoop, broker_url

BATCH = 10_000


class PgQueuerSystem(OnALoop):
    def __init__(self, heartbeat_seconds: float) -> None:
        super().__init__()
        self._heartbeat = timedelta(seconds=heartbeat_seconds)
        self.run(self._open())

    async def enqueue(self, body: str, number: int, due: float | None) -> None:
        after = None if due is None else timedelta(seconds=max(0.0, due - time.time()))
        await self._queries.enqueue(body, str(number).encode(), 0, after)

    async def enqueue_all(self, body: str, numbers: Sequence[int]) -> None:
        for first in range(0, len(numbers), BATCH):
            payloads = [str(number).encode() for number in numbers[first : first + BATCH]]
            await self._queries.enqueue([body] * len(payloads), payloads, [0] * len(payloads))

    async def serve(self) -> None:
        queuer: Any = PgQueuer(self._driver)
        for name in ASYNC_BODIES:
            queuer.entrypoint(name)(_of_job(name))
        await queuer.run(batch_size=200, heartbeat_timeout=self._heartbeat)

    async def _open(self) -> None:
        self._pool: Any = await asyncpg.create_pool(broker_url(), min_size=2, max_size=20)
        self._driver: Any = AsyncpgPoolDriver(self._pool)
        self._queries: Any = Queries(self._driver)
        if await self._pool.fetchval("select to_regclass('pgqueuer')") is None:
            await self._queries.install()


def _of_job(name: str) -> Any:
    handler = ASYNC_BODIES[name]

    async def run(job: Any) -> None:
        await handler(int(job.payload))

    return run


def open_system(folder: Path, *, heartbeat_seconds: float = 30.0) -> PgQueuerSystem:
    return PgQueuerSystem(heartbeat_seconds)
