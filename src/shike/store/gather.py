"""Callers that come at the same time share one round trip.

What is asked for first goes at once; what is asked for while that is under way goes together, next. There is no window
in which anybody waits for company: measured, such windows only cost. Under load the batches grow by themselves to what
gathers in one round trip (a group commit: J. Gray, "Notes on data base operating systems", 1978).
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import Generic, TypeVar
from weakref import WeakKeyDictionary

T = TypeVar("T")
R = TypeVar("R")


@dataclass(slots=True, eq=False)
class _Line(Generic[T, R]):
    """Who stands in line on one event loop, with the task that serves them as long as anybody does."""

    waiting: deque[tuple[T, asyncio.Future[R]]] = field(default_factory=deque)
    served_by: asyncio.Task[None] | None = None


class Gather(Generic[T, R]):
    """Hands what callers ask for to `send`, one batch at a time on each event loop, in the order in which they came.

    `send` takes the things asked for and gives, for each, its answer or the exception that this one caller gets; what
    `send` itself raises is raised to every caller of that batch. A batch weighs at most `most`, by `weigh` (1 each
    unless told otherwise), or is a single thing that weighs more. A caller that is cancelled before its batch went has
    asked for nothing; later it may have been done. May be used from any number of event loops, each with a line of its
    own; a child of a fork calls `forget`.
    """

    def __init__(
        self,
        send: Callable[[list[T]], Awaitable[Sequence[R | BaseException]]],
        *,
        most: int,
        weigh: Callable[[T], int] | None = None,
    ) -> None:
        self._send = send
        self._most = most
        self._weigh = weigh
        self._lines: WeakKeyDictionary[asyncio.AbstractEventLoop, _Line[T, R]] = WeakKeyDictionary()

    async def ask(self, thing: T) -> R:
        """The answer to one thing, as soon as its batch is back. Where no event loop runs it goes at once, alone."""
        loop = asyncio._get_running_loop()
        if loop is None:
            (given,) = await self._send([thing])
            if isinstance(given, BaseException):
                raise given
            return given
        line = self._lines.get(loop)
        if line is None:
            line = self._lines[loop] = _Line()
        answer: asyncio.Future[R] = loop.create_future()
        line.waiting.append((thing, answer))
        if line.served_by is None:
            line.served_by = loop.create_task(self._serve(line), name="shike:gather")
        return await answer

    def forget(self) -> None:
        """Nobody stands in line any more: those who did live in the parent process."""
        self._lines = WeakKeyDictionary()

    async def _serve(self, line: _Line[T, R]) -> None:
        """Send batch after batch until nobody waits."""
        try:
            while batch := self._next(line):
                await self._deliver(batch)
        finally:
            line.served_by = None
            while line.waiting:  # only where this task was cancelled: the event loop ends
                line.waiting.popleft()[1].cancel()

    def _next(self, line: _Line[T, R]) -> list[tuple[T, asyncio.Future[R]]]:
        """Those in front that fit into one batch and still want an answer."""
        batch: list[tuple[T, asyncio.Future[R]]] = []
        weight = 0
        while line.waiting:
            thing, answer = line.waiting[0]
            if not answer.cancelled():
                weight += 1 if self._weigh is None else self._weigh(thing)
                if batch and weight > self._most:
                    break
                batch.append((thing, answer))
            line.waiting.popleft()
        return batch

    async def _deliver(self, batch: list[tuple[T, asyncio.Future[R]]]) -> None:
        try:
            answers = await self._send([thing for thing, _ in batch])
        except asyncio.CancelledError:
            for _, answer in batch:
                answer.cancel()
            raise
        except Exception as error:
            answers = [error] * len(batch)
        for (_, answer), given in zip(batch, answers, strict=True):
            if answer.done():
                continue
            if isinstance(given, BaseException):
                answer.set_exception(given)
            else:
                answer.set_result(given)
