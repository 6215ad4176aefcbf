"""What the adapters of brokered peers share. It imports little: start-up is one of the measures."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from functools import partial
from typing import Any

from benchmarks import body as bodies

URL_VARIABLE = "BENCH_URL"
NAMES = ("mark", "mark_result", "nap", "doze")
CROWD = 100


def broker_url() -> str:
    """Where the server of this row is."""
    return os.environ[URL_VARIABLE]


async def _mark(number: int) -> None:
    bodies.mark(number)


async def _mark_result(number: int) -> int:
    return bodies.mark_result(number)


ASYNC_BODIES: dict[str, Callable[[int], Awaitable[Any]]] = {
    "mark": _mark,
    "mark_result": _mark_result,
    "nap": bodies.nap_async,
    "doze": bodies.doze_async,
}


def _timed(work: Callable[[], None]) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


class Unasked:
    """An adapter that is not asked what became of one run, nor for results, and is given no timetable in bulk."""

    def ask(self, body: str, numbers: Sequence[int]) -> list[float]:
        raise NotImplementedError("nobody waits for results of it")

    async def whole(self, number: int) -> None:
        raise NotImplementedError("nobody waits for results of it")

    def plan(self, first: int, count: int, start: float, per_second: float) -> None:
        raise NotImplementedError("nobody gives it a timetable in bulk")

    def submit_known(self, key: str) -> None:
        raise NotImplementedError("nobody asks about a single run of it")

    def kept(self, key: str) -> str:
        raise NotImplementedError("nobody asks about a single run of it")


class OneByOne(Unasked):
    """A sync library: `enqueue` submits one; bulk only where the adapter has it."""

    def enqueue(self, body: str, number: int, due: float | None) -> None:
        raise NotImplementedError

    def answer(self, body: str, number: int) -> None:
        raise NotImplementedError("nobody waits for results of it")

    def ask(self, body: str, numbers: Sequence[int]) -> list[float]:
        return [_timed(partial(self.answer, body, number)) for number in numbers]

    def submit(self, body: str, numbers: Sequence[int], due: Sequence[float] | None) -> None:
        for index, number in enumerate(numbers):
            self.enqueue(body, number, None if due is None else due[index])

    def submit_bulk(self, body: str, numbers: Sequence[int]) -> None:
        raise NotImplementedError("no bulk submit")

    def submit_crowd(self, body: str, numbers: Sequence[int]) -> None:
        raise NotImplementedError("it is called one by one")

    def preload(self, count: int, due: float) -> None:
        self.submit("mark", range(count), [due] * count)


class OnALoop(Unasked):
    """An async library on an event loop of its own: `enqueue` submits one, `serve` works until it is killed."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        asyncio.set_event_loop(self._loop)

    async def enqueue(self, body: str, number: int, due: float | None) -> None:
        raise NotImplementedError

    async def enqueue_all(self, body: str, numbers: Sequence[int]) -> None:
        raise NotImplementedError("no bulk submit")

    async def answer(self, body: str, number: int) -> None:
        raise NotImplementedError("nobody waits for results of it")

    async def serve(self) -> None:
        raise NotImplementedError

    def ask(self, body: str, numbers: Sequence[int]) -> list[float]:
        return [_timed(lambda number=number: self.run(self.answer(body, number))) for number in numbers]  # type: ignore[misc]

    def submit(self, body: str, numbers: Sequence[int], due: Sequence[float] | None) -> None:
        self.run(self._each(body, numbers, due))

    def submit_bulk(self, body: str, numbers: Sequence[int]) -> None:
        self.run(self.enqueue_all(body, numbers))

    def submit_crowd(self, body: str, numbers: Sequence[int]) -> None:
        self.run(self._crowd(body, numbers))

    def preload(self, count: int, due: float) -> None:
        self.submit("mark", range(count), [due] * count)

    def work(self) -> None:
        self.run(self.serve())

    def run(self, work: Coroutine[Any, Any, None]) -> None:
        self._loop.run_until_complete(work)

    async def _each(self, body: str, numbers: Sequence[int], due: Sequence[float] | None) -> None:
        for index, number in enumerate(numbers):
            await self.enqueue(body, number, None if due is None else due[index])

    async def _crowd(self, body: str, numbers: Sequence[int]) -> None:
        async with asyncio.TaskGroup() as callers:
            for first in range(CROWD):
                callers.create_task(self._each(body, numbers[first::CROWD], None))
