"""huey 3 on its SQLite or Redis storage, with the consumer's threads in the worker process.

Its SQLite connection keeps the default `synchronous=FULL`, as ours does. The consumer's default is to poll up to 10 s
apart when idle; both configurations here poll at a fixed short interval, which is to huey's advantage in latency.
Due times are aware datetimes, since naive ones lose their microseconds and start early.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from huey import RedisHuey, SqliteHuey

from benchmarks import body as bodies
from benchmarks.systems.base import NAMES, OneByOne, broker_url


class HueySystem(OneByOne):
    """One huey application."""

    def __init__(self, huey: Any, workers: int, poll_seconds: float) -> None:
        self._huey = huey
        self._workers = workers
        self._poll_seconds = poll_seconds
        self._tasks: dict[str, Callable[..., Any]] = {
            name: self._huey.task(name=name)(getattr(bodies, name)) for name in NAMES
        }

    def enqueue(self, body: str, number: int, due: float | None) -> None:
        task: Any = self._tasks[body]
        if due is None:
            task(number)
        else:
            task.schedule((number,), eta=datetime.fromtimestamp(due, UTC))

    def answer(self, body: str, number: int) -> None:
        self._tasks[body](number).get(blocking=True, timeout=10, max_delay=0.002)

    def work(self) -> None:
        self._huey.create_consumer(
            workers=self._workers,
            periodic=False,
            initial_delay=self._poll_seconds,
            max_delay=self._poll_seconds,
        ).run()


class HueyOnSQLite(HueySystem):
    """huey on a file of its own."""

    def __init__(self, folder: Path, workers: int, poll_seconds: float) -> None:
        super().__init__(SqliteHuey("bench", filename=str(folder / "huey.db")), workers, poll_seconds)

    def preload(self, count: int, due: float) -> None:
        storage = self._huey.storage
        task: Any = self._tasks["mark"]
        rows = (
            (storage.name, self._huey.serialize_task(task.s(number, eta=datetime.fromtimestamp(due, UTC))), due)
            for number in range(count)
        )
        with storage.db(commit=True) as cursor:
            cursor.executemany("insert into schedule (queue, data, timestamp) values (?, ?, ?)", rows)


def open_system(folder: Path, *, workers: int, poll_seconds: float, storage: str = "sqlite") -> HueySystem:
    if storage == "redis":
        return HueySystem(RedisHuey("bench", url=broker_url()), workers, poll_seconds)
    return HueyOnSQLite(folder, workers, poll_seconds)
