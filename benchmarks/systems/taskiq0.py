"""taskiq on Redis streams (the broker with acknowledgements), a hundred tasks at once, its scheduler beside them.

`safe` takes over after 5 s what another worker left unacknowledged; its default is ten minutes.
"""

from __future__ import annotations

import asyncio
import logging
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from taskiq import TaskiqScheduler  # type: ignore[import-not-found]
from taskiq.api import run_receiver_task, run_scheduler_task  # type: ignore[import-not-found]
from taskiq_redis import ListRedisScheduleSource, RedisStreamBroker  # type: ignore[import-not-found]

from benchmarks.systems.base import ASYNC_BODIES, OnALoop, broker_url


class TaskiqSystem(OnALoop):
    def __init__(self, safe: bool) -> None:
        super().__init__()
        logging.getLogger("taskiq").setLevel(logging.ERROR)
        limits: dict[str, Any] = {"idle_timeout": 5_000, "unacknowledged_lock_timeout": 5.0} if safe else {}
        self._broker: Any = RedisStreamBroker(broker_url(), **limits)
        self._source: Any = ListRedisScheduleSource(broker_url())
        self._tasks: dict[str, Any] = {
            name: self._broker.register_task(handler, task_name=name) for name, handler in ASYNC_BODIES.items()
        }
        self._loop.run_until_complete(self._broker.startup())
        self._loop.run_until_complete(self._source.startup())

    async def enqueue(self, body: str, number: int, due: float | None) -> None:
        if due is None:
            await self._tasks[body].kiq(number)
        else:
            await self._tasks[body].schedule_by_time(self._source, datetime.fromtimestamp(due, UTC), number)

    async def serve(self) -> None:
        scheduler, often = TaskiqScheduler(self._broker, [self._source]), timedelta(seconds=1)
        await asyncio.gather(
            run_receiver_task(self._broker, max_async_tasks=100),
            run_scheduler_task(scheduler, interval=often, loop_interval=often),
        )


def open_system(folder: Path, *, safe: bool = False) -> TaskiqSystem:
    return TaskiqSystem(safe)
