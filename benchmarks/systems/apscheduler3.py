"""APScheduler 3 with its memory or SQLAlchemy store on SQLite, and its default pool of ten threads.

It has no worker apart from the scheduler: a separate producer adds to the file with its scheduler paused, and the
scheduler that works finds what is there when it starts. Runs have no misfire limit, so that a late one still runs.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from apscheduler.schedulers.background import BackgroundScheduler

from benchmarks.systems.base import Unasked


class APSchedulerSystem(Unasked):
    """One scheduler, paused until it is told to work."""

    def __init__(self, folder: Path, durable: bool) -> None:
        self._scheduler: Any = BackgroundScheduler(timezone=UTC)
        if durable:
            self._scheduler.add_jobstore("sqlalchemy", url=f"sqlite:///{folder / 'apscheduler.db'}")
        self._scheduler.start(paused=True)

    def submit(self, body: str, numbers: Sequence[int], due: Sequence[float] | None) -> None:
        times = [None] * len(numbers) if due is None else due
        for number, at in zip(numbers, times, strict=True):
            run_date = datetime.now(UTC) if at is None else datetime.fromtimestamp(at, UTC)
            self._scheduler.add_job(
                f"benchmarks.body:{body}", "date", run_date=run_date, args=(number,), misfire_grace_time=None
            )

    def submit_bulk(self, body: str, numbers: Sequence[int]) -> None:
        raise NotImplementedError("APScheduler 3 has no bulk submit")

    def submit_crowd(self, body: str, numbers: Sequence[int]) -> None:
        raise NotImplementedError("APScheduler 3 is called one by one")

    def preload(self, count: int, due: float) -> None:
        self.submit("mark", range(count), [due] * count)

    def work(self) -> None:
        self._scheduler.resume()
        while True:
            time.sleep(3600)


def open_system(folder: Path, *, durable: bool) -> APSchedulerSystem:
    return APSchedulerSystem(folder, durable)
