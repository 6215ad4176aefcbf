"""Scheduler and worker beside a program that has no event loop: a WSGI server, a script, a notebook."""

from __future__ import annotations

import asyncio
import atexit
import logging
import threading
from collections.abc import Callable
from concurrent.futures import Future
from contextlib import AbstractAsyncContextManager
from typing import Final

from shike.engine import Engine
from shike.errors import StoreError, StoreUnavailable
from shike.ids.forks import FORKS

log = logging.getLogger("shike")

START_SECONDS_MAX: Final = 60.0  # a store that is not there by then is not going to be

Running = Callable[[], AbstractAsyncContextManager[Engine]]


class Hosted:
    """One engine on a thread and an event loop of its own.

    Ends with the program, politely where that ends by itself (`atexit`); a signal that kills it kills this too, and
    what was under way is rescued by others. A forked child does not inherit it: what it starts is its own.
    """

    def __init__(self) -> None:
        self._stay: _Stay | None = None
        FORKS.in_child(self._forget)

    def start(self, running: Running) -> None:
        """Begin, and return once it works. Raises what keeps it from beginning. Does nothing where it works already."""
        if self._stay is not None and self._stay.thread.is_alive():
            return
        stay = _Stay(running)
        try:
            stay.begun.result(START_SECONDS_MAX)
        except TimeoutError:
            stay.leave()
            raise StoreUnavailable(f"the store did not answer within {START_SECONDS_MAX:g} s; nothing runs") from None
        except BaseException:
            stay.leave()
            raise
        self._stay = stay
        atexit.register(self.stop)

    def stop(self) -> None:
        """End it: what runs may finish within the grace, the rest is given back. Returns when all is over."""
        stay, self._stay = self._stay, None
        if stay is not None:
            atexit.unregister(self.stop)
            stay.leave()

    def _forget(self) -> None:
        self._stay = None


class _Stay:
    """From one start to the next stop."""

    def __init__(self, running: Running) -> None:
        self.begun: Future[None] = Future()
        self._running = running
        self._loop = asyncio.new_event_loop()
        self._work = self._loop.create_task(self._serve())
        self._ended = asyncio.Event()
        self.thread = threading.Thread(target=self._main, name="shike:hosted", daemon=True)
        self.thread.start()

    def leave(self) -> None:
        """Have it end, and wait until it has."""
        try:
            self._loop.call_soon_threadsafe(self._end)
        except RuntimeError:  # it ended by itself
            pass
        self.thread.join()

    def _end(self) -> None:
        if self.begun.done():
            self._ended.set()
        else:
            self._work.cancel()

    def _main(self) -> None:
        with asyncio.Runner(loop_factory=lambda: self._loop) as runner:
            runner.get_loop().run_until_complete(asyncio.wait([self._work]))

    async def _serve(self) -> None:
        try:
            async with self._running() as engine:
                engine.member.on_gone.append(self._gone)
                self.begun.set_result(None)
                await self._ended.wait()
        except BaseException as error:
            if not self.begun.done():
                self.begun.set_exception(error)
            elif not isinstance(error, asyncio.CancelledError):
                log.exception("scheduler and worker of this process ended")

    def _gone(self, error: StoreError) -> None:
        log.error("scheduler and worker of this process end: %s", error)
        self._ended.set()
