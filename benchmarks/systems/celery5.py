"""Celery 5 on Redis: one prefork child, as many messages prefetched as helps, no gossip, mingle or heartbeat.

No result backend, which is its default. `safe` acknowledges late and redelivers after 10 s: without a short visibility
time-out a killed worker's messages wait for an hour, and with it every run longer than 10 s is started twice.
"""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from celery import Celery  # type: ignore[import-not-found]

from benchmarks import body as bodies
from benchmarks.systems.base import NAMES, OneByOne, broker_url

FLAGS = ("--pool=prefork", "-c1", "--without-gossip", "--without-mingle", "--without-heartbeat", "--loglevel=ERROR")


class CelerySystem(OneByOne):
    def __init__(self, safe: bool) -> None:
        self._app: Any = Celery("bench", broker=broker_url())
        self._app.conf.update(worker_prefetch_multiplier=1 if safe else 128, broker_connection_retry_on_startup=True)
        if safe:
            options = {"visibility_timeout": 10, "unacked_restore_interval": 1, "unacked_restore_throttle": 1}
            self._app.conf.update(
                task_acks_late=True, task_reject_on_worker_lost=True, broker_transport_options=options
            )
        self._tasks = {name: self._app.task(getattr(bodies, name), name=name) for name in NAMES}

    def enqueue(self, body: str, number: int, due: float | None) -> None:
        eta = None if due is None else datetime.fromtimestamp(due, UTC)
        self._tasks[body].apply_async((number,), eta=eta)

    def work(self) -> None:
        self._app.worker_main(["worker", *FLAGS])


def open_system(folder: Path, *, safe: bool = False) -> CelerySystem:
    return CelerySystem(safe)
