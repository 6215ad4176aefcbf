"""RQ 3 with the worker that runs jobs in its own process (its default forks one per job), and its scheduler.

Due times are whole seconds in RQ; they are rounded up here, or half of them would start early. `safe` lets a job be
tried again and looks for dead workers every 2 s instead of every 10 min.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from math import ceil
from pathlib import Path
from typing import Any

from redis import Redis
from rq import Queue, Retry, SimpleWorker  # type: ignore[import-not-found]
from rq.job import Job  # type: ignore[import-not-found]

from benchmarks.systems.base import OneByOne, broker_url


class RQSystem(OneByOne):
    def __init__(self, safe: bool) -> None:
        self._redis: Any = Redis.from_url(broker_url())
        self._queue: Any = Queue("bench", connection=self._redis)
        self._safe = safe

    def enqueue(self, body: str, number: int, due: float | None) -> None:
        function, retry = f"benchmarks.body.{body}", Retry(max=3) if self._safe else None
        if due is None:
            self._queue.enqueue(function, number, retry=retry)
        else:
            self._queue.enqueue_at(datetime.fromtimestamp(ceil(due), UTC), function, number)

    def answer(self, body: str, number: int) -> None:
        job = self._queue.enqueue(f"benchmarks.body.{body}", number)
        if job.latest_result(timeout=10) is None:
            raise RuntimeError("no result within 10 s")

    def submit_bulk(self, body: str, numbers: Sequence[int]) -> None:
        retry = Retry(max=3) if self._safe else None
        jobs = [Queue.prepare_data(f"benchmarks.body.{body}", args=(number,), retry=retry) for number in numbers]
        for first in range(0, len(jobs), 1_000):
            self._queue.enqueue_many(jobs[first : first + 1_000])

    def submit_known(self, key: str) -> None:
        self._queue.enqueue("benchmarks.body.doze", 0, job_id=key, retry=Retry(max=3))

    def kept(self, key: str) -> str:
        job = Job.fetch(key, connection=self._redis)
        return str(job.return_value() or job.get_status())

    def work(self) -> None:
        worker = SimpleWorker([self._queue], connection=self._redis, maintenance_interval=2 if self._safe else 600)
        worker.work(with_scheduler=True, logging_level="ERROR")


def open_system(folder: Path, *, safe: bool = False) -> RQSystem:
    return RQSystem(safe)
