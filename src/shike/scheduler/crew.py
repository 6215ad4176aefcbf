"""One task for each bucket in hand, begun when the bucket comes and cancelled when it goes."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Iterable
from typing import Any

from shike.model import Bucket
from shike.scheduler.shares import Range

Work = Callable[[Range], Coroutine[Any, Any, None]]


class Crew:
    """`work` is what is done for one bucket, until it is cancelled. An error that nobody foresaw ends `run`, as it
    would end any role: whoever keeps the role up begins it again, and with it the work on every bucket."""

    def __init__(self, owned: Callable[[], Iterable[Bucket]], work: Work, name: str) -> None:
        self._owned = owned
        self._work = work
        self._name = name
        self._changed = asyncio.Event()
        self._failure: BaseException | None = None

    def changed(self) -> None:
        """Buckets came or went."""
        self._changed.set()

    async def run(self) -> None:
        """The role."""
        tasks: dict[Range, asyncio.Task[None]] = {}
        self._failure = None
        try:
            while self._failure is None:
                self._changed.clear()
                ranges = [(bucket.low, bucket.high) for bucket in self._owned()]
                await self._dismiss([tasks.pop(one) for one in list(tasks) if one not in ranges])
                for one in ranges:
                    if one not in tasks:
                        tasks[one] = self._begin(one)
                await self._changed.wait()
            raise self._failure
        except (Exception, asyncio.CancelledError):
            await self._dismiss(list(tasks.values()))
            raise

    def _begin(self, one: Range) -> asyncio.Task[None]:
        name = f"shike:{self._name}:{one[0]}-{one[1]}"
        task = asyncio.get_running_loop().create_task(self._work(one), name=name)
        task.add_done_callback(self._ended)
        return task

    def _ended(self, task: asyncio.Task[None]) -> None:
        if not task.cancelled() and (error := task.exception()) is not None:
            self._failure = error
            self._changed.set()

    async def _dismiss(self, tasks: list[asyncio.Task[None]]) -> None:
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks)
