"""A proxy that stands between a process and its server, and can swallow what passes, either way, or cut it off.

What was swallowed is gone: a connection that lost bytes says nothing for ever after, also when the way is open again,
as behind a firewall that forgot it. One that lost nothing goes on.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

T = TypeVar("T")

CHUNK_BYTES = 1 << 16
SECONDS_MAX = 10.0  # for what is asked of the proxy itself


class Way:
    """One connection: both of its ends, and whether bytes of it were lost."""

    def __init__(self, near: asyncio.StreamWriter, far: asyncio.StreamWriter) -> None:
        self.ends = near, far
        self.lost = {"up": False, "down": False}

    def cut(self) -> None:
        for end in self.ends:
            end.transport.abort()


class Proxy:
    """Listens on `port` of loopback, on a thread of its own. `made` counts the connections that came."""

    def __init__(self, target: int) -> None:
        self._target = target
        self._ways: set[Way] = set()
        self._swallows = {"up": False, "down": False}
        self._tasks: set[asyncio.Task[None]] = set()
        self.made = 0
        self.port = 0
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="proxy", daemon=True)
        self._thread.start()
        self._do(self._listen())

    def swallow(self, *, up: bool = False, down: bool = False) -> None:
        """From now on drop what goes to the server (`up`), what it answers (`down`), or let both pass."""
        self._call(lambda: self._swallows.update(up=up, down=down))

    def aim(self, target: int) -> None:
        """Lead to the server at another port from now on, as an address that moves does."""
        self._target = target
        self.cut()

    def cut(self) -> int:
        """Reset every connection there is; how many there were."""
        return self._call(self._cut)

    def close(self) -> None:
        self._do(self._end())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(SECONDS_MAX)
        self._loop.close()

    # ------------------------------------------------------------ on its thread

    def _do(self, work: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(SECONDS_MAX)

    def _call(self, function: Callable[[], T]) -> T:
        async def called() -> T:
            return function()

        return self._do(called())

    async def _listen(self) -> None:
        self._server = await asyncio.start_server(self._came, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]

    def _cut(self) -> int:
        ways = list(self._ways)
        for way in ways:
            way.cut()
        return len(ways)

    async def _end(self) -> None:
        self._server.close()
        self._cut()
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _came(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.made += 1
        try:
            far_reader, far_writer = await asyncio.open_connection("127.0.0.1", self._target)
        except OSError:
            writer.transport.abort()
            return
        way = Way(writer, far_writer)
        self._ways.add(way)
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(self._pass(way, "up", reader, far_writer))
                group.create_task(self._pass(way, "down", far_reader, writer))
        except* (OSError, asyncio.CancelledError):
            pass
        finally:
            way.cut()
            self._ways.discard(way)
            self._tasks.discard(task)

    async def _pass(self, way: Way, where: str, source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
        while data := await source.read(CHUNK_BYTES):
            way.lost[where] |= self._swallows[where]
            if not way.lost[where]:
                sink.write(data)
                await sink.drain()
        raise ConnectionResetError
