"""How a listener is told so that it harms nobody: behind a bounded queue of its own, off the hot path, with a time-out.

A sync listener has a thread of its own, an async one a task on the event loop that the first event found. Each hears
its events one after the other, in order. What does not fit into its queue is dropped and counted; a call that takes
longer than LISTENER_SECONDS is cancelled where it is async, and given up where it is not: another thread goes on, but
for a listener that has STUCK_MAX threads which did not come back: that one hears no more until one of them does.
"""

from __future__ import annotations

import asyncio
import inspect
import logging
import threading
import time
from collections import deque
from collections.abc import Awaitable, Callable
from concurrent.futures import Future
from queue import SimpleQueue
from typing import Any, Final, Generic, TypeVar

from shike.bounds import LISTENER_CALLS_MAX, LISTENER_SECONDS

log = logging.getLogger("shike.events")

STUCK_MAX: Final = 5  # threads of one listener that do not come back: more would be a leak

E = TypeVar("E")


class Ear(Generic[E]):
    """One listener. `tell` may be called from any thread; it never raises and never waits."""

    def __init__(self, listener: Callable[[E], Awaitable[None] | None]) -> None:
        self.listener = listener
        self.name = getattr(listener, "__qualname__", None) or type(listener).__qualname__
        self.told = 0
        self.dropped = 0
        self.failed = 0  # calls that raised, or took too long
        self._mouth: _Aside[E] | _OnLoop[E] = _OnLoop(self) if _is_async(listener) else _Aside(self)

    def tell(self, event: E) -> None:
        """Hand an event over."""
        if self._mouth.waiting() >= LISTENER_CALLS_MAX:
            self.dropped += 1
            if self.dropped.bit_count() == 1:  # the 1st, 2nd, 4th, 8th …: as often as anybody wants to read it
                log.error("listener %s is too slow: %s of its events dropped so far", self.name, f"{self.dropped:,}")
            return
        self.told += 1
        self._mouth.put(event)

    def call(self, event: E) -> None:
        """Call a sync listener here and now; an async one as ever."""
        if isinstance(self._mouth, _OnLoop):
            self.tell(event)
            return
        self.told += 1
        self.run(event)

    def run(self, event: E) -> None:
        """The call of a sync listener."""
        try:
            told = self.listener(event)
            if inspect.isawaitable(told):  # a lambda around a coroutine function
                self._mouth = _OnLoop(self)
                self._mouth.go_on(told)
        except Exception:
            self.failed += 1
            log.exception("listener %s failed", self.name)

    async def rest(self) -> None:
        """Wait until all that was told has been heard, at most LISTENER_SECONDS; its thread or task ends."""
        await self._mouth.rest()


class _Aside(Generic[E]):
    """A thread that begins with the first event."""

    def __init__(self, ear: Ear[E]) -> None:
        self._ear = ear
        self._queue: SimpleQueue[E | Future[None]] = SimpleQueue()
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None
        self._began = 0.0  # when the call under way was begun; 0: none is
        self._given_up: list[threading.Thread] = []  # … and have not come back

    def waiting(self) -> int:
        return self._queue.qsize()

    def put(self, event: E) -> None:
        self._queue.put(event)
        self._hire()

    def _hire(self) -> None:
        began = self._began
        stuck = bool(began) and time.monotonic() - began > LISTENER_SECONDS
        if self._thread is not None and self._thread.is_alive() and not stuck:
            return
        with self._lock:
            if self._thread is not None and self._thread.is_alive() and not (stuck and self._began == began):
                return
            if stuck and self._thread is not None:
                self._given_up = [one for one in self._given_up if one.is_alive()]
                if len(self._given_up) >= STUCK_MAX:
                    return  # it would hold one thread more every few seconds, for ever
                self._given_up.append(self._thread)
                self._ear.failed += 1
                log.error("listener %s does not come back after %g s; it is given up", self._ear.name, LISTENER_SECONDS)
            self._began = 0.0
            self._thread = threading.Thread(target=self._main, name="shike:listener", daemon=True)
            self._thread.start()

    def _main(self) -> None:
        me = threading.current_thread()
        while True:
            item = self._queue.get()
            if isinstance(item, Future):
                over = self._leave(me)
                item.set_result(None)
                if over:
                    return
                continue
            self._began = time.monotonic()
            self._ear.run(item)
            if self._thread is not me:  # it was given up meanwhile, and another goes on
                return
            self._began = 0.0

    def _leave(self, me: threading.Thread) -> bool:
        """Whether this thread may end: nothing is left to be heard, and the next event finds nobody."""
        with self._lock:
            if self._queue.empty() or self._thread is not me:
                self._thread = None if self._thread is me else self._thread
                return True
            return False

    async def rest(self) -> None:
        if self._thread is None or not self._thread.is_alive():
            return
        heard: Future[None] = Future()
        self._queue.put(heard)
        try:
            async with asyncio.timeout(LISTENER_SECONDS):
                await asyncio.wrap_future(heard)
        except TimeoutError:
            log.error("listener %s is still at it; %d events are left to it", self._ear.name, self.waiting())


class _OnLoop(Generic[E]):
    """A task on an event loop that begins with the first event, and ends when nothing is left."""

    def __init__(self, ear: Ear[E]) -> None:
        self._ear = ear
        self._queue: deque[E | Awaitable[None]] = deque()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._task: asyncio.Task[None] | None = None

    def waiting(self) -> int:
        return len(self._queue)

    def put(self, event: E) -> None:
        self._queue.append(event)
        here = asyncio._get_running_loop()
        if here is not None and (self._loop is None or self._loop.is_closed() or not self._loop.is_running()):
            self._loop = here
        loop = self._loop
        if loop is here and here is not None:
            self._begin()
        elif loop is not None:
            try:
                loop.call_soon_threadsafe(self._begin)
            except RuntimeError:  # it is closed
                log.error("listener %s has no event loop any more", self._ear.name)

    def go_on(self, told: Awaitable[Any]) -> None:
        """An awaitable that a sync listener gave."""
        self._queue.append(told)
        if asyncio._get_running_loop() is not None:
            self._loop = asyncio.get_running_loop()
            self._begin()
        elif inspect.iscoroutine(told):
            told.close()
            self._queue.pop()
            log.error("listener %s gave a coroutine where no event loop runs: write `async def`", self._ear.name)

    def _begin(self) -> None:
        if self._task is None or self._task.done() or self._task.get_loop() is not self._loop:
            self._task = asyncio.get_running_loop().create_task(self._work(), name="shike:listener")

    async def _work(self) -> None:
        ear = self._ear
        while self._queue:
            item: Any = self._queue.popleft()
            try:
                async with asyncio.timeout(LISTENER_SECONDS):
                    await (item if inspect.isawaitable(item) else ear.listener(item))  # type: ignore[misc]
            except TimeoutError:
                ear.failed += 1
                log.error("listener %s took longer than %g s and was cancelled", ear.name, LISTENER_SECONDS)
            except Exception:
                ear.failed += 1
                log.exception("listener %s failed", ear.name)

    async def rest(self) -> None:
        task = self._task
        if task is not None and task.get_loop() is asyncio.get_running_loop():
            await asyncio.wait([task], timeout=LISTENER_SECONDS)


def _is_async(listener: Callable[..., Any]) -> bool:
    """A coroutine function, or an object whose calls are one."""
    return inspect.iscoroutinefunction(listener) or inspect.iscoroutinefunction(type(listener).__call__)
