"""The one seam through which a process gets its clock, its randomness, and its background roles.

Production and simulation run the same roles: only this object differs. A *role* is a coroutine function that runs
until it is cancelled. A role that must go on while handlers hog the event loop is started `apart`: in production
on a thread with an event loop of its own, in the simulator as one more task.
"""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Awaitable, Callable
from typing import Protocol

from shike.clock import Clock, SystemClock
from shike.ids import Entropy, SystemEntropy

log = logging.getLogger("shike")

RoleFunction = Callable[[], Awaitable[None]]


async def woken(event: asyncio.Event, seconds: float | None) -> bool:
    """Wait for an event, at most so long; whether it came. A cancellation is never swallowed."""
    try:
        async with asyncio.timeout(seconds):
            await event.wait()
    except TimeoutError:
        return False
    return True


class Role(Protocol):
    """A running role, as its starter sees it."""

    async def stop(self) -> None:
        """Cancel it and wait until it is over. Idempotent."""
        ...


class TaskRole:
    """A role on the event loop of its starter. One that ends with an error is logged and reported."""

    def __init__(self, function: RoleFunction, name: str, failed: Callable[[BaseException], None] | None) -> None:
        self._failed = failed
        self._name = name
        self._task = asyncio.get_running_loop().create_task(self._run(function), name=f"shike:{name}")

    async def _run(self, function: RoleFunction) -> None:
        try:
            await function()
        except Exception as error:
            log.exception("role %s ended with an error", self._name)
            if self._failed is not None:
                self._failed(error)

    async def stop(self) -> None:
        self._task.cancel()
        await asyncio.wait([self._task])


class ThreadRole:
    """A role on a thread and an event loop of its own."""

    def __init__(self, function: RoleFunction, name: str, failed: Callable[[BaseException], None] | None) -> None:
        self._function = function
        self._failed = failed
        self._home = asyncio.get_running_loop()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._task: asyncio.Task[None] | None = None
        self._ready = threading.Event()
        self._thread = threading.Thread(target=self._main, name=f"shike:{name}", daemon=True)
        self._thread.start()

    def _main(self) -> None:
        try:
            asyncio.run(self._run())
        except Exception as error:
            log.exception("role %s ended with an error", self._thread.name)
            if self._failed is not None and not self._home.is_closed():
                self._home.call_soon_threadsafe(self._failed, error)
        finally:
            self._ready.set()

    async def _run(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._task = asyncio.ensure_future(self._function())
        self._ready.set()
        try:
            await self._task
        except asyncio.CancelledError:
            pass

    async def stop(self) -> None:
        self._ready.wait()
        if self._loop is not None and self._task is not None and self._thread.is_alive():
            try:
                self._loop.call_soon_threadsafe(self._task.cancel)
            except RuntimeError:  # its loop closed in between
                pass
        await asyncio.get_running_loop().run_in_executor(None, self._thread.join)


class Runtime:
    """What a process of Shike stands on."""

    def __init__(self, clock: Clock | None = None, entropy: Entropy | None = None) -> None:
        self.clock = clock or SystemClock()
        self.entropy = entropy or SystemEntropy()

    def start(
        self,
        function: RoleFunction,
        name: str,
        *,
        apart: bool = False,
        failed: Callable[[BaseException], None] | None = None,
    ) -> Role:
        """Start a role on the running event loop, or apart from it. `failed` hears of an error that ended it."""
        return (ThreadRole if apart else TaskRole)(function, name, failed)
