"""No system at all: one event loop and its timers. What remains of lateness here is the machine's own."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from pathlib import Path

from benchmarks import body as bodies
from benchmarks.systems.base import Unasked


class AsyncioFloor(Unasked):
    """Handlers called by `call_at`; nothing is kept, nothing is retried."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._running = False

    def submit(self, body: str, numbers: Sequence[int], due: Sequence[float] | None) -> None:
        for index, number in enumerate(numbers):
            self._call(body, number, 0.0 if due is None else due[index] - time.time())

    def submit_bulk(self, body: str, numbers: Sequence[int]) -> None:
        self.submit(body, numbers, None)

    def submit_crowd(self, body: str, numbers: Sequence[int]) -> None:
        self.submit(body, numbers, None)

    def preload(self, count: int, due: float) -> None:
        self.submit("mark", range(count), [due] * count)

    def work(self) -> None:
        self._running = True
        self._loop.run_forever()

    def _call(self, body: str, number: int, wait_seconds: float) -> None:
        handler = getattr(bodies, body)
        if not self._running:
            self._loop.call_later(wait_seconds, handler, number)
        elif wait_seconds <= 0:
            self._loop.call_soon_threadsafe(handler, number)
        else:
            self._loop.call_soon_threadsafe(self._loop.call_later, wait_seconds, handler, number)


def open_system(folder: Path) -> AsyncioFloor:
    return AsyncioFloor()
