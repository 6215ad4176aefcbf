"""How a script is called: on the connection of the running event loop, by its digest, in whatever kind of server."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Protocol, TypeAlias

from shike.errors import StoreUnavailable
from shike.store.loops import at_the_end
from shike.store.redis.blocking import Pool
from shike.store.redis.faults import NOSCRIPT, code_of, explain
from shike.store.redis.options import Options
from shike.store.redis.scripts import Script, scripts
from shike.store.redis.wire import Address, Asked, Command, Connection, checked, connect, is_error

Words: TypeAlias = Sequence[bytes | str | int]
Head: TypeAlias = Callable[[], Words]  # what every script is told first: `lua/base.lua`


class Server(Protocol):
    """Where scripts run."""

    one_step: bool
    """Whether one script may work in several buckets: one server, not a cluster."""

    async def script(self, name: str, tags: Sequence[bytes], words: Words) -> Any:
        """Run a script; its answer. Raises the errors of `faults`."""
        ...

    async def command(self, tag: bytes, *words: bytes | str | int) -> Any:
        """Send one command about keys of one bucket."""
        ...

    async def each(self, tags: Sequence[bytes], *words: bytes | str | int) -> dict[Address, Any]:
        """Send one command to every server that has one of these buckets; the answer of each."""
        ...

    async def near(self, tag: bytes) -> Sequence[Address]:
        """Who may be asked about a bucket, first the one that has it."""
        ...

    async def close(self) -> None: ...

    def forget(self) -> None:
        """In a forked child: the connections are the parent's."""
        ...


class Here:
    """The connections of one event loop, by address. They end with the loop, whether anybody closes them or not."""

    def __init__(self, options: Options) -> None:
        self._options = options
        self._open: dict[Address, Connection] = {}
        self._opening: dict[Address, asyncio.Task[Connection]] = {}
        self.loop = asyncio.get_running_loop()
        self._end = at_the_end(self._close)

    async def to(self, address: Address) -> Connection:
        """The connection to a server, made on first use and again when it was lost."""
        known = self._open.get(address)
        if known is not None and not known.is_lost:
            return known
        opening = self._opening.get(address)
        if opening is None:
            opening = self._opening[address] = self.loop.create_task(self._connect(address))
        return await asyncio.shield(opening)

    async def _connect(self, address: Address) -> Connection:
        try:
            connection = self._open[address] = await connect(self._options, address)
        finally:
            del self._opening[address]
        return connection

    async def _close(self) -> None:
        self.close()

    def close(self) -> None:
        for connection in self._open.values():
            connection.close()
        self._open.clear()


class Links:
    """The connections of this process: each event loop has its own."""

    def __init__(self, options: Options) -> None:
        self._options = options
        self._lock = threading.Lock()
        self._here: dict[asyncio.AbstractEventLoop, Here] = {}

    def here(self) -> Here:
        loop = asyncio.get_running_loop()
        found = self._here.get(loop)
        if found is None:
            with self._lock:
                self._here = {known: here for known, here in self._here.items() if not known.is_closed()}
                found = self._here[loop] = Here(self._options)
        return found

    async def close(self) -> None:
        """Let go of all, each on its own loop."""
        with self._lock:
            known, self._here = list(self._here.values()), {}
        for here in known:
            if here.loop is asyncio.get_running_loop():
                here.close()
            elif not here.loop.is_closed():
                here.loop.call_soon_threadsafe(here.close)

    def forget(self) -> None:
        self._lock = threading.Lock()
        self._here = {}


class OneServer:
    """A single server, and its replicas where writes wait for them. Serves code without an event loop, too."""

    one_step = True

    def __init__(self, options: Options, head: Head) -> None:
        self._options = options
        self._head = head
        self._links = Links(options)
        self._pool = Pool(options)
        self._scripts = scripts()

    async def script(self, name: str, tags: Sequence[bytes], words: Words) -> Any:
        script, command = self._scripts[name], (len(tags), *tags, *self._head(), *words)
        if asyncio._get_running_loop() is None:
            with self._pool.lent() as lent:
                return await run(lent, script, command, self._options)
        connection = await self._links.here().to(self._options.hosts[0])
        return await run(connection, script, command, self._options)

    async def command(self, tag: bytes, *words: bytes | str | int) -> Any:
        if asyncio._get_running_loop() is None:
            with self._pool.lent() as lent:
                return (await checked(lent, [words]))[0]
        connection = await self._links.here().to(self._options.hosts[0])
        return (await checked(connection, [words]))[0]

    async def each(self, tags: Sequence[bytes], *words: bytes | str | int) -> dict[Address, Any]:
        return {self._options.hosts[0]: await self.command(tags[0], *words)}

    async def near(self, tag: bytes) -> Sequence[Address]:
        return self._options.hosts

    async def close(self) -> None:
        self._pool.close()
        await self._links.close()

    def forget(self) -> None:
        self._pool.forget()
        self._links.forget()


async def run(connection: Asked, script: Script, words: Command, options: Options) -> Any:
    """Run a script on a connection: by its digest, and with its text where the server does not know it."""
    asked = connection.ask((b"EVALSHA", script.digest, *words))
    waited = _replicated(connection, options) if options.wait and script.writes else None
    answer = await asked
    if is_error(answer) and code_of(answer) == NOSCRIPT:
        if waited is not None:
            await waited
        asked = connection.ask((b"EVAL", script.text, *words))
        waited = _replicated(connection, options) if waited is not None else None
        answer = await asked
    if waited is not None:
        await _check_replicas(waited, connection, options)
    if is_error(answer):
        raise explain(answer, connection.where) from answer
    return answer


def _replicated(connection: Asked, options: Options) -> Awaitable[Any]:
    return connection.ask((b"WAIT", options.wait, options.wait_millis))


async def _check_replicas(waited: Awaitable[Any], connection: Asked, options: Options) -> None:
    reached = await waited
    if is_error(reached) or reached < options.wait:
        raise StoreUnavailable(
            f"{connection.where} wrote it, but {reached} of {options.wait} replicas had it after "
            f"{options.wait_millis} ms: it may be lost with the server. The same call may be repeated"
        )
