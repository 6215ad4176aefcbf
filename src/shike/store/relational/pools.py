"""Connections: each belongs to one event loop, so each loop has a small pool of its own."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

from shike.errors import StoreUnavailable
from shike.ids.forks import FORKS
from shike.store.loops import at_the_end
from shike.store.relational.link import Link

Connect = Callable[[], Awaitable[Link]]


class Pool:
    """At most `size` connections of the running loop; who comes later waits in line, for `wait_seconds` at most. Those
    that are idle are closed before the loop is."""

    def __init__(self, connect: Connect, size: int, wait_seconds: float) -> None:
        self._connect = connect
        self._places = asyncio.Semaphore(size)
        self._wait_seconds = wait_seconds
        self._idle: list[Link] = []
        self._is_closed = False
        self._end = at_the_end(self.close)

    @asynccontextmanager
    async def link(self) -> AsyncIterator[Link]:
        """A connection for a while. One that is not fit to be used again is dropped."""
        if self._places.locked():
            await self._wait()
        else:
            await self._places.acquire()
        try:
            link = self._take() or await self._connect()
            try:
                yield link
            finally:
                if link.is_usable and not self._is_closed:
                    self._idle.append(link)
                else:
                    link.drop()
        finally:
            self._places.release()

    async def _wait(self) -> None:
        try:
            async with asyncio.timeout(self._wait_seconds):
                await self._places.acquire()
        except TimeoutError:
            raise StoreUnavailable(
                f"no connection to the database became free within {self._wait_seconds:g} s; repeat the call"
            ) from None

    def _take(self) -> Link | None:
        """The one used last, so that the others may be seen to be idle."""
        while self._idle:
            link = self._idle.pop()
            if link.is_usable:
                return link
            link.drop()
        return None

    def forget_idle(self) -> None:
        """The server went away: what is idle leads nowhere either."""
        idle, self._idle = self._idle, []
        for link in idle:
            link.drop()

    async def close(self) -> None:
        self._is_closed = True
        idle, self._idle = self._idle, []
        for link in idle:
            await link.close()

    def drop(self) -> None:
        """As `close`, where the loop may be over."""
        self._is_closed = True
        self.forget_idle()


class Pools:
    """The pools of one store, by event loop."""

    def __init__(self, connect: Connect, size: int, wait_seconds: float) -> None:
        self._connect = connect
        self._size = size
        self._wait_seconds = wait_seconds
        self._lock = threading.Lock()
        self._by_loop: dict[asyncio.AbstractEventLoop, Pool] = {}
        self._parents: list[object] = []
        FORKS.in_child(self._forked)

    def here(self) -> Pool:
        """The pool of the running loop; those of loops that are over are dropped on the way."""
        loop = asyncio.get_running_loop()
        pool = self._by_loop.get(loop)
        return pool if pool is not None else self._make(loop)

    def _make(self, loop: asyncio.AbstractEventLoop) -> Pool:
        with self._lock:
            for old in [known for known in self._by_loop if known.is_closed()]:
                self._by_loop.pop(old).drop()
            pool = self._by_loop[loop] = Pool(self._connect, self._size, self._wait_seconds)
        return pool

    async def close(self) -> None:
        """Say good-bye on every connection that can be reached from here; the others are cut."""
        here = asyncio.get_running_loop()
        with self._lock:
            pools, self._by_loop = self._by_loop, {}
        for loop, pool in pools.items():
            if loop is here:
                await pool.close()
            elif loop.is_closed():
                pool.drop()
            else:
                try:
                    loop.call_soon_threadsafe(pool.drop)
                except RuntimeError:  # it was closed just now
                    pool.drop()

    def _forked(self) -> None:
        """The connections are the parent's. They are kept, unused, so that nothing in this child says good-bye on
        them."""
        self._lock = threading.Lock()
        self._parents.append(self._by_loop)
        self._by_loop = {}
