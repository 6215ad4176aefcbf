"""Shike at its defaults: scheduler and worker in the working process, a hundred slots, history and traces kept.

Handlers are `async def`, or plain functions on threads where the configuration says so. A producer of its own is sync
code, as the peers' are; where client and worker share a process, the client is async code on the worker's loop.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Coroutine, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from benchmarks import body as bodies
from shike import Shike
from shike.call import Call, Task

CROWD = 100
URLS = {"memory": "memory://", "full": "sqlite:///{}", "normal": "sqlite:///{}?synchronous=normal"}


class ShikeSystem:
    """One app on one store."""

    def __init__(self, folder: Path, store: str, threads: bool, embedded: bool) -> None:
        self._app = Shike(URLS[store].format(folder / "shike.db"))
        handlers = (bodies.mark, bodies.mark_result, bodies.nap) if threads else (_mark, _mark_result, bodies.nap_async)
        self._tasks: dict[str, Task[..., Any]] = {
            name: self._app.task(name=name)(handler)
            for name, handler in zip(("mark", "mark_result", "nap"), handlers, strict=True)
        }
        self._embedded = embedded
        self._loop = asyncio.new_event_loop()

    def submit(self, body: str, numbers: Sequence[int], due: Sequence[float] | None) -> None:
        calls = [self._due(body, None if due is None else due[index]) for index in range(len(numbers))]
        if self._embedded:
            self._on_loop(self._submit_each(calls, numbers))
            return
        for task, number in zip(calls, numbers, strict=True):
            task.submit(number)

    def submit_bulk(self, body: str, numbers: Sequence[int]) -> None:
        self._submit_many([self._tasks[body].bind(number) for number in numbers])

    def submit_crowd(self, body: str, numbers: Sequence[int]) -> None:
        self._on_loop(self._crowd(self._tasks[body], numbers))

    def preload(self, count: int, due: float) -> None:
        task = self._due("mark", due)
        for first in range(0, count, 50_000):
            self._submit_many([task.bind(number) for number in range(first, min(first + 50_000, count))])

    def work(self) -> None:
        asyncio.set_event_loop(self._loop)
        self._loop.run_until_complete(self._work())

    def _due(self, body: str, due: float | None) -> Task[..., Any]:
        task = self._tasks[body]
        return task if due is None else task.at(datetime.fromtimestamp(due, UTC))

    def _on_loop(self, work: Coroutine[Any, Any, None]) -> None:
        if threading.current_thread() is threading.main_thread():
            self._loop.run_until_complete(work)
        else:
            asyncio.run_coroutine_threadsafe(work, self._loop).result()

    def _submit_many(self, calls: list[Call[Any]]) -> None:
        if self._embedded:
            self._on_loop(self._submit_all(calls))
        else:
            self._app.submit_many(calls)

    async def _submit_all(self, calls: list[Call[Any]]) -> None:
        await self._app.client.settle_here()
        await self._app.submit_many(calls)

    async def _submit_each(self, tasks: Sequence[Task[..., Any]], numbers: Sequence[int]) -> None:
        await self._app.client.settle_here()
        for task, number in zip(tasks, numbers, strict=True):
            await task.submit(number)

    async def _crowd(self, task: Task[..., Any], numbers: Sequence[int]) -> None:
        async def caller(share: Sequence[int]) -> None:
            for number in share:
                await task.submit(number)

        if self._embedded:
            await self._app.client.settle_here()
        async with asyncio.TaskGroup() as callers:
            for first in range(CROWD):
                callers.create_task(caller(numbers[first::CROWD]))

    async def _work(self) -> None:
        async with self._app.running():
            await asyncio.Event().wait()


async def _mark(number: int) -> None:
    bodies.mark(number)


async def _mark_result(number: int) -> int:
    return bodies.mark_result(number)


def open_system(folder: Path, *, store: str, threads: bool = False, embedded: bool = False) -> ShikeSystem:
    return ShikeSystem(folder, store, threads, embedded)
