"""SAQ on Redis: a hundred jobs at once. Due times are whole seconds in its API; they are rounded up here.

`safe` allows three tries, limits each job to 5 s and sweeps each second; by default a swept job is aborted.
"""

from __future__ import annotations

from math import ceil
from pathlib import Path
from typing import Any

from saq import Queue, Worker  # type: ignore[import-not-found]

from benchmarks.systems.base import ASYNC_BODIES, OnALoop, broker_url


class SAQSystem(OnALoop):
    def __init__(self, safe: bool) -> None:
        super().__init__()
        self._queue: Any = Queue.from_url(broker_url())
        self._loop.run_until_complete(self._queue.connect())
        self._words = {"retries": 3, "timeout": 5} if safe else {}
        self._timers = {"sweep": 1} if safe else {}

    async def enqueue(self, body: str, number: int, due: float | None) -> None:
        await self._queue.enqueue(body, number=number, scheduled=0 if due is None else ceil(due), **self._words)

    async def answer(self, body: str, number: int) -> None:
        await self._queue.apply(body, timeout=10, poll_interval=0.002, number=number)

    def submit_known(self, key: str) -> None:
        self.run(self._queue.enqueue("doze", key=key, number=0, **self._words))

    def kept(self, key: str) -> str:
        job = self._loop.run_until_complete(self._queue.job(key))
        return "unknown" if job is None else str(job.result or job.status)

    async def serve(self) -> None:
        functions = [(name, _with_context(name)) for name in ASYNC_BODIES]
        await Worker(self._queue, functions, concurrency=100, timers=self._timers).start()


def _with_context(name: str) -> Any:
    handler = ASYNC_BODIES[name]

    async def run(context: Any, *, number: int) -> Any:
        return await handler(number)

    return run


def open_system(folder: Path, *, safe: bool = False) -> SAQSystem:
    return SAQSystem(safe)
