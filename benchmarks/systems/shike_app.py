"""Shike at its defaults: scheduler and worker in the working process, a hundred slots, history and traces kept.

Handlers are `async def`, or plain functions on threads where the configuration says so. A producer of its own is sync
code, as the peers' are; where client and worker share a process, the client is async code on the worker's loop.
"""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Coroutine, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from benchmarks import body as bodies
from benchmarks.systems.base import ASYNC_BODIES, CROWD, NAMES, broker_url
from shike import Shike
from shike.call import Call, Task
from shike.scheduler.preset import CLASSIC, PRESETS

URLS = {"memory": "memory://", "full": "sqlite:///{}", "normal": "sqlite:///{}?synchronous=normal"}


class ShikeSystem:
    """One app on one store."""

    def __init__(self, folder: Path, store: str, threads: bool, embedded: bool, preset: str = "") -> None:
        self._app = Shike(broker_url() if store == "server" else URLS[store].format(folder / "shike.db"))
        self._preset = PRESETS[preset] if preset else CLASSIC
        if preset:
            self._app.use(virtual_buckets=self._preset.virtual_buckets)
        handlers = {name: getattr(bodies, name) for name in NAMES} if threads else ASYNC_BODIES
        self._tasks: dict[str, Task[..., Any]] = {
            name: self._app.task(name=name)(handler) for name, handler in handlers.items()
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

    def ask(self, body: str, numbers: Sequence[int]) -> list[float]:
        return [self._answered(self._tasks[body], number) for number in numbers]

    def _answered(self, task: Task[..., Any], number: int) -> float:
        began = time.perf_counter()
        task.submit(number).result(timeout="10s")
        return time.perf_counter() - began

    async def whole(self, number: int) -> None:
        await self._tasks["mark_result"].submit(number).wait("30s")

    def plan(self, first: int, count: int, start: float, per_second: float) -> None:
        for begin in range(0, count, 50_000):
            places = range(begin, min(begin + 50_000, count))
            calls = [self._due("mark", start + place / per_second).bind(first + place) for place in places]
            self._submit_many(calls)

    def work(self) -> None:
        asyncio.set_event_loop(self._loop)
        self._loop.run_until_complete(self._work())

    def submit_known(self, key: str) -> None:
        self._known = self._tasks["doze"].options(key=key).submit(0)

    def kept(self, key: str) -> str:
        return str(self._known.result(timeout="10s"))

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
        from shike.engine import Roles  # a program that only submits needs none of it

        async with self._app.running(Roles(preset=self._preset)):
            await asyncio.Event().wait()


def open_system(
    folder: Path, *, store: str, threads: bool = False, embedded: bool = False, preset: str = ""
) -> ShikeSystem:
    return ShikeSystem(folder, store, threads, embedded, preset)
