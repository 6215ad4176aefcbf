"""Dramatiq 2 on Redis, one process with eight threads, no results (its default).

`safe` notices a dead worker after 5 s instead of 60, and looks for one at each tenth command, not each thousandth.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import dramatiq  # type: ignore[import-not-found]
from dramatiq.brokers.redis import RedisBroker  # type: ignore[import-not-found]

from benchmarks import body as bodies
from benchmarks.systems.base import NAMES, OneByOne, broker_url


class DramatiqSystem(OneByOne):
    def __init__(self, threads: int, safe: bool) -> None:
        limits: dict[str, Any] = {"heartbeat_timeout": 5_000, "maintenance_chance": 100_000} if safe else {}
        self._broker: Any = RedisBroker(url=broker_url(), **limits)
        self._threads = threads
        self._actors: dict[str, Any] = {
            name: dramatiq.actor(_without_result(name), actor_name=name, broker=self._broker) for name in NAMES
        }

    def enqueue(self, body: str, number: int, due: float | None) -> None:
        if due is None:
            self._actors[body].send(number)
        else:
            delay_ms = max(1, round((due - time.time()) * 1_000))
            self._actors[body].send_with_options(args=(number,), delay=delay_ms)

    def submit_known(self, key: str) -> None:
        self.enqueue("doze", 0, None)

    def kept(self, key: str) -> str:
        left = sum(self._broker.do_qsize(queue) for queue in self._broker.get_declared_queues())
        return f"nothing kept; {left} in the queue"

    def work(self) -> None:
        dramatiq.Worker(self._broker, worker_threads=self._threads).start()
        threading.Event().wait()


def _without_result(name: str) -> Callable[[int], None]:
    """By default nothing is kept, and a result is worth a warning."""
    handler = getattr(bodies, name)

    def run(number: int) -> None:
        handler(number)

    return run


def open_system(folder: Path, *, threads: int, safe: bool = False) -> DramatiqSystem:
    return DramatiqSystem(threads, safe)
