"""A program that people's connections lead to: each request submits a run and is answered when the run is over.

A request is a number of eight bytes, an answer the same eight; one request at a time on a connection.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

from benchmarks.systems import System

BYTES = 8


class _Served(asyncio.Protocol):
    def __init__(self, system: System) -> None:
        self._system = system

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport
        self._task: asyncio.Task[None] | None = None

    def data_received(self, data: bytes) -> None:
        self._task = asyncio.get_running_loop().create_task(self._answer(data))

    async def _answer(self, data: bytes) -> None:
        await self._system.whole(int.from_bytes(data, "big"))
        assert isinstance(self._transport, asyncio.WriteTransport)
        self._transport.write(data)


def serve(system: System, tell: Callable[[int], None]) -> None:
    """Answer requests for ever; `tell` is given the port."""
    asyncio.run(_serve(system, tell))


async def _serve(system: System, tell: Callable[[int], None]) -> None:
    server = await asyncio.get_running_loop().create_server(lambda: _Served(system), "127.0.0.1", 0, backlog=4_096)
    tell(server.sockets[0].getsockname()[1])
    await server.serve_forever()


class _Caller(asyncio.Protocol):
    """One connection: the next request leaves when the answer to the one before is here."""

    def __init__(self, crowd: Crowd) -> None:
        self._crowd = crowd

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.WriteTransport)
        self.transport = transport

    def ask(self) -> None:
        self._began = time.perf_counter()
        self.transport.write(self._crowd.next().to_bytes(BYTES, "big"))

    def data_received(self, data: bytes) -> None:
        self._crowd.took.append(time.perf_counter() - self._began)
        self._crowd.answered += 1
        if self._crowd.going:
            self.ask()


class Crowd:
    """Many connections, each always waiting for one answer."""

    def __init__(self) -> None:
        self.took: list[float] = []
        self.answered = 0
        self.going = True
        self._number = 0

    def next(self) -> int:
        self._number += 1
        return self._number

    async def load(self, port: int, connections: int, warm_seconds: float, seconds: float) -> list[float]:
        """Answer times, in seconds, within the window after the first ones were let pass."""
        loop = asyncio.get_running_loop()
        callers = [
            (await loop.create_connection(lambda: _Caller(self), "127.0.0.1", port))[1] for _ in range(connections)
        ]
        for caller in callers:
            caller.ask()
        await asyncio.sleep(warm_seconds)
        self.took.clear()
        await asyncio.sleep(seconds)
        took, self.going = list(self.took), False
        for caller in callers:
            caller.transport.abort()
        return took
