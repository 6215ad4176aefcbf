"""huey 3 on its SQLite storage, with the consumer's threads in the worker process.

Its connection keeps SQLite's default `synchronous=FULL`, as ours does. The consumer's default is to poll up to 10 s
apart when idle; both configurations here poll at a fixed short interval, which is to huey's advantage in latency.
Due times are aware datetimes, since naive ones lose their microseconds and start early.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from huey import SqliteHuey  # type: ignore[import-untyped]

from benchmarks import body as bodies


class HueySystem:
    """One huey application on one file."""

    def __init__(self, folder: Path, workers: int, poll_seconds: float) -> None:
        self._huey: Any = SqliteHuey("bench", filename=str(folder / "huey.db"))
        self._workers = workers
        self._poll_seconds = poll_seconds
        self._tasks: dict[str, Callable[..., Any]] = {
            name: self._huey.task(name=name)(getattr(bodies, name)) for name in ("mark", "mark_result", "nap")
        }

    def submit(self, body: str, numbers: Sequence[int], due: Sequence[float] | None) -> None:
        task: Any = self._tasks[body]
        if due is None:
            for number in numbers:
                task(number)
            return
        for number, at in zip(numbers, due, strict=True):
            task.schedule((number,), eta=datetime.fromtimestamp(at, UTC))

    def submit_bulk(self, body: str, numbers: Sequence[int]) -> None:
        raise NotImplementedError("huey has no bulk submit")

    def submit_crowd(self, body: str, numbers: Sequence[int]) -> None:
        raise NotImplementedError("huey is called one by one")

    def preload(self, count: int, due: float) -> None:
        storage = self._huey.storage
        task: Any = self._tasks["mark"]
        rows = (
            (storage.name, self._huey.serialize_task(task.s(number, eta=datetime.fromtimestamp(due, UTC))), due)
            for number in range(count)
        )
        with storage.db(commit=True) as cursor:
            cursor.executemany("insert into schedule (queue, data, timestamp) values (?, ?, ?)", rows)

    def work(self) -> None:
        self._huey.create_consumer(
            workers=self._workers,
            periodic=False,
            initial_delay=self._poll_seconds,
            max_delay=self._poll_seconds,
        ).run()


def open_system(folder: Path, *, workers: int, poll_seconds: float) -> HueySystem:
    return HueySystem(folder, workers, poll_seconds)
