"""Procrastinate 3 on PostgreSQL through psycopg's pool: 20 jobs at once, its poll for due jobs every 0.2 s.

A job whose worker was killed stays `doing` for ever unless the application looks for it, as its manual shows; `safe`
does that every second, for workers that sent no heartbeat for 5 s.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from procrastinate import App, PsycopgConnector  # type: ignore[import-not-found]

from benchmarks.systems.base import ASYNC_BODIES, OnALoop, broker_url

BATCH = 1_000
STALLED_SECONDS = 5


class ProcrastinateSystem(OnALoop):
    def __init__(self, safe: bool) -> None:
        super().__init__()
        self._app: Any = App(connector=PsycopgConnector(conninfo=broker_url()))
        self._safe = safe
        self._tasks: dict[str, Any] = {
            name: self._app.task(name=name)(handler) for name, handler in ASYNC_BODIES.items()
        }
        self.run(self._open())

    async def enqueue(self, body: str, number: int, due: float | None) -> None:
        task = self._tasks[body]
        if due is not None:
            task = task.configure(schedule_at=datetime.fromtimestamp(due, UTC))
        await task.defer_async(number=number)

    async def enqueue_all(self, body: str, numbers: Sequence[int]) -> None:
        for first in range(0, len(numbers), BATCH):
            await self._tasks[body].batch_defer_async(*({"number": n} for n in numbers[first : first + BATCH]))

    def submit_known(self, key: str) -> None:
        self.run(self.enqueue("doze", 0, None))

    def kept(self, key: str) -> str:
        query = "select status::text as status, attempts from procrastinate_jobs"
        row = self._loop.run_until_complete(self._app.connector.execute_query_one_async(query))
        return f"{row['status']}, {row['attempts']} attempts; no results"

    async def serve(self) -> None:
        beat_seconds = 1.0 if self._safe else 10.0
        working = self._app.run_worker_async(
            concurrency=20, fetch_job_polling_interval=0.2, update_heartbeat_interval=beat_seconds
        )
        await asyncio.gather(working, *([self._rescue()] if self._safe else []))

    async def _open(self) -> None:
        await self._app.open_async()
        found = await self._app.connector.execute_query_one_async("select to_regclass('procrastinate_jobs') as found")
        if found["found"] is None:
            await self._app.schema_manager.apply_schema_async()

    async def _rescue(self) -> None:
        while True:
            stalled = await self._app.job_manager.get_stalled_jobs(seconds_since_heartbeat=STALLED_SECONDS)
            for job in stalled:
                await self._app.job_manager.retry_job(job)
            await asyncio.sleep(1)


def open_system(folder: Path, *, safe: bool = False) -> ProcrastinateSystem:
    return ProcrastinateSystem(safe)
