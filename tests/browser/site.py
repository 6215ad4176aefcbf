"""A real server on a free port, over a store with a day of history, in a thread of its own."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Coroutine
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from typing import Any, TypeVar

from shike.app import Shike
from shike.demo.day import SLOTS, lived, shop
from shike.engine import Roles
from shike.server.desk import Desk
from shike.server.opening import Opening
from shike.server.roles import Role
from shike.server.serving import Front, bound
from shike.server.web import build
from shike.store.memory import MemoryStore

T = TypeVar("T")
SECONDS = 60.0  # nothing here takes so long, on any machine


def elsewhere(make: Callable[[], T]) -> T:
    """In a thread of its own: playwright's loop runs in this one, and virtual time has a loop, too."""
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(make).result()


class Site:
    """Use as a context manager. `url` is where it answers; `key(role)` lets in. `alive`: a worker works, too."""

    def __init__(self, store: MemoryStore | None = None, app: Shike | None = None, *, alive: bool = False) -> None:
        self.alive = alive
        self.store = store or elsewhere(lambda: lived(datetime.now(UTC)))
        self.app = app or shop(self.store, lively=alive)
        self.url = ""
        self.desk: Desk
        self._keys: dict[Role, str] = {}
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="site", daemon=True)
        self._front: Front
        self._work: asyncio.Task[None] | None = None

    def __enter__(self) -> Site:
        self._thread.start()
        self.do(self._start())
        return self

    def __exit__(self, *_: object) -> None:
        self.do(self._stop())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(SECONDS)
        self._loop.close()

    def do(self, work: Coroutine[Any, Any, T]) -> T:
        """Await something in the server's loop."""
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(SECONDS)

    def key(self, role: Role = Role.ADMIN) -> str:
        """An access key of that role."""
        if role not in self._keys:
            self._keys[role] = self.do(self.desk.keys.make(str(role), role, per_second=1e6)).key
        return self._keys[role]

    async def _start(self) -> None:
        await self.app.client.settle_here()
        opening = Opening(self.app.client, self.app)
        self.desk = await opening.desk()
        self._front = Front(build(opening), bound("127.0.0.1", 0), opening.close)
        self._front.start()
        if self.alive:
            self._work = asyncio.create_task(self._working())
        self.url = self._front.url

    async def _working(self) -> None:
        async with self.app.running(Roles(slots=SLOTS, name="shop-1", queues=tuple(self.app.queues))):
            await asyncio.Event().wait()

    async def _stop(self) -> None:
        if self._work is not None:
            self._work.cancel()
            await asyncio.wait([self._work])
        await self._front.stop()
        await self.app.client.close()
