"""The one seam through which a process gets its clock, its randomness, a look at its machine, and its background roles.

Production and simulation run the same roles: only this object differs. A *role* is a coroutine function that runs
until it is cancelled; should an error end it that nobody foresaw, it is called again. A role that must go on while
handlers hog the event loop is started `apart`: in production on a thread with an event loop of its own, in the
simulator as one more task.
"""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, Protocol, TypeVar, cast

from shike.bounds import SLEEP_SECONDS_MAX
from shike.clock import Clock, SystemClock
from shike.ids import Entropy, SystemEntropy
from shike.usage import Counters, counters

log = logging.getLogger("shike")

T = TypeVar("T")
RoleFunction = Callable[[], Awaitable[None]]


async def woken(event: asyncio.Event, seconds: float | None) -> bool:
    """Wait for an event, at most so long; whether it came. A cancellation is never swallowed."""
    try:
        async with asyncio.timeout(seconds):
            await event.wait()
    except TimeoutError:
        return False
    return True


def driven(work: Coroutine[Any, Any, T]) -> T:
    """Do work here and now, on a thread without an event loop. What it awaits has to block instead of giving way there,
    as the verbs of a store that `blocks` do, and `rest`."""
    try:
        work.send(None)
    except StopIteration as done:
        return cast(T, done.value)
    work.close()
    raise RuntimeError("this work has to wait for an event loop, and none runs here")


async def rest(seconds: float) -> None:
    """Sleep, with an event loop or without one."""
    if asyncio._get_running_loop() is None:
        time.sleep(seconds)  # noqa: ASYNC251 - there is nobody else to give way to
    else:
        await asyncio.sleep(seconds)


class Role(Protocol):
    """A running role, as its starter sees it."""

    async def stop(self) -> None:
        """Cancel it and wait until it is over. Idempotent."""
        ...


async def _kept_up(function: RoleFunction, name: str, failed: Callable[[BaseException], None] | None) -> None:
    """Begin a role again whenever an error ends it: a process that beats and does nothing would never be missed."""
    while True:
        try:
            await function()
            return
        except Exception as error:
            log.exception("role %s failed; it begins again", name)
            if failed is not None:
                failed(error)
        await asyncio.sleep(SLEEP_SECONDS_MAX)


class TaskRole:
    """A role on the event loop of its starter."""

    def __init__(self, function: RoleFunction, name: str, failed: Callable[[BaseException], None] | None) -> None:
        self._task = asyncio.get_running_loop().create_task(_kept_up(function, name, failed), name=f"shike:{name}")

    async def stop(self) -> None:
        self._task.cancel()
        await asyncio.wait([self._task])


class ThreadRole:
    """A role on a thread and an event loop of its own."""

    def __init__(self, function: RoleFunction, name: str, failed: Callable[[BaseException], None] | None) -> None:
        self._function = function
        self._name = name
        self._failed = failed
        self._home = asyncio.get_running_loop()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._task: asyncio.Task[None] | None = None
        self._ready = threading.Event()
        self._over: asyncio.Future[None] = self._home.create_future()
        self._thread = threading.Thread(target=self._main, name=f"shike:{name}", daemon=True)
        self._thread.start()

    def _main(self) -> None:
        try:
            asyncio.run(self._run())
        finally:
            self._ready.set()
            try:
                self._home.call_soon_threadsafe(self._end)
            except RuntimeError:  # closed: nobody waits there any more
                pass

    def _end(self) -> None:
        if not self._over.done():
            self._over.set_result(None)

    async def _run(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._task = asyncio.ensure_future(_kept_up(self._function, self._name, self._tell_home))
        self._ready.set()
        try:
            await self._task
        except asyncio.CancelledError:
            pass

    def _tell_home(self, error: BaseException) -> None:
        if self._failed is not None and not self._home.is_closed():
            self._home.call_soon_threadsafe(self._failed, error)

    async def stop(self) -> None:
        self._ready.wait()
        if self._loop is not None and self._task is not None and self._thread.is_alive():
            try:
                self._loop.call_soon_threadsafe(self._task.cancel)
            except RuntimeError:  # its loop closed in between
                pass
        await asyncio.wait([self._over])  # by no executor: those are shut before `atexit`
        self._thread.join()


class Runtime:
    """What a process of Shike stands on."""

    def __init__(
        self,
        clock: Clock | None = None,
        entropy: Entropy | None = None,
        counters: Callable[[], Counters | None] = counters,
    ) -> None:
        self.clock = clock or SystemClock()
        self.entropy = entropy or SystemEntropy()
        self.counters = counters  # what the machine says of how busy it is

    def start(
        self,
        function: RoleFunction,
        name: str,
        *,
        apart: bool = False,
        failed: Callable[[BaseException], None] | None = None,
    ) -> Role:
        """Start a role on the running event loop, or apart from it. It goes on until it returns or is stopped: an error
        is logged, told to `failed`, and after SLEEP_SECONDS_MAX the role begins again."""
        return (ThreadRole if apart else TaskRole)(function, name, failed)
