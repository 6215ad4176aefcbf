"""arq on Redis: a hundred jobs at once, the queue polled every 20 ms (the default of 0.5 s is slower in everything).

`safe` limits each job to 5 s, because a killed worker's job is its own until job_timeout (300 s by default) is over.
"""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from arq import Worker, create_pool, func  # type: ignore[import-not-found]
from arq.connections import RedisSettings  # type: ignore[import-not-found]
from arq.jobs import Job  # type: ignore[import-not-found]

from benchmarks.systems.base import ASYNC_BODIES, OnALoop, broker_url


class ArqSystem(OnALoop):
    def __init__(self, safe: bool) -> None:
        super().__init__()
        self._settings: Any = RedisSettings.from_dsn(broker_url())
        self._pool: Any = self._loop.run_until_complete(create_pool(self._settings))
        self._limits = {"job_timeout": 5} if safe else {}

    async def enqueue(self, body: str, number: int, due: float | None) -> None:
        until = None if due is None else datetime.fromtimestamp(due, UTC)
        await self._pool.enqueue_job(body, number, _defer_until=until)

    async def answer(self, body: str, number: int) -> None:
        job = await self._pool.enqueue_job(body, number)
        await job.result(timeout=10, poll_delay=0.002)

    def submit_known(self, key: str) -> None:
        self.run(self._pool.enqueue_job("doze", 0, _job_id=key))

    def kept(self, key: str) -> str:
        info = self._loop.run_until_complete(Job(key, self._pool).result_info())
        return "unknown" if info is None else str(info.result)

    async def serve(self) -> None:
        functions = [func(_with_context(name), name=name) for name in ASYNC_BODIES]
        words = {"max_jobs": 100, "poll_delay": 0.02, "handle_signals": False, **self._limits}
        worker = Worker(functions, redis_settings=self._settings, **words)
        await worker.async_run()


def _with_context(name: str) -> Any:
    handler = ASYNC_BODIES[name]

    async def run(context: Any, number: int) -> Any:
        return await handler(number)

    return run


def open_system(folder: Path, *, safe: bool = False) -> ArqSystem:
    return ArqSystem(safe)
