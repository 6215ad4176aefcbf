"""Connections for code without an event loop: a call blocks its thread until its answer is there.

What sync code submits would otherwise go to another thread's event loop and back, which takes longer than the call.
"""

from __future__ import annotations

import select
import socket
import ssl
import threading
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from typing import Any, Final

import hiredis

from shike.errors import StoreUnavailable
from shike.runtime import driven
from shike.store.redis.options import Options
from shike.store.redis.wire import Command, checked, greeting, pack, tls, untrusted

CONNECTIONS_MAX: Final = 8  # of one process: more threads than that wait for one another here instead of there
READ_BYTES: Final = 65_536


class Answered:
    """What was asked is answered already: to be awaited as the future of a connection on an event loop is."""

    __slots__ = ("_error", "_reply")

    def __init__(self, reply: Any, error: StoreUnavailable | None = None) -> None:
        self._reply = reply
        self._error = error

    def __await__(self) -> Generator[Any, None, Any]:
        yield from ()
        if self._error is not None:
            raise self._error
        return self._reply


class BlockingConnection:
    """Used by one thread at a time. Once lost it stays so."""

    def __init__(self, where: str, plug: socket.socket) -> None:
        self.where = where
        self.is_lost = False
        self._socket = plug
        self._unasked = select.poll()
        self._unasked.register(plug, select.POLLIN)
        self._reader = hiredis.Reader()

    def ask(self, command: Command) -> Answered:
        """Send one command and wait for its answer. An error reply is in it as a value, not raised."""
        try:
            self._socket.sendall(pack(command))
            while (reply := self._reader.gets()) is False:
                data = self._socket.recv(READ_BYTES)
                if not data:
                    raise ConnectionResetError("the server closed the connection")
                self._reader.feed(data)
        except (OSError, hiredis.ProtocolError) as error:
            self.close()
            text = f"{self.where} did not answer ({error}); what was asked may have been done: repeat the same call"
            return Answered(None, StoreUnavailable(text))
        except BaseException:  # a signal: the answer will come when nobody waits for it
            self.close()
            raise
        return Answered(reply)

    def is_stale(self) -> bool:
        """Whether the server has closed it since it was used last: nothing else comes unasked."""
        return bool(self._unasked.poll(0))

    def close(self) -> None:
        self.is_lost = True
        self._socket.close()


class Pool:
    """The connections to one server of the threads of this process that have no event loop."""

    def __init__(self, options: Options) -> None:
        self._options = options
        self._free: list[BlockingConnection] = []
        self.forget()

    def forget(self) -> None:
        """In a forked child: what is open is the parent's."""
        self.close()
        self._room = threading.Semaphore(CONNECTIONS_MAX)

    def close(self) -> None:
        """Let go of those that nobody uses. The next call opens one."""
        while self._free:
            self._free.pop().close()

    @contextmanager
    def lent(self) -> Iterator[BlockingConnection]:
        """A connection for one call. Raises `StoreUnavailable` or `AccessDenied`."""
        with self._room:
            connection = self._take()
            try:
                yield connection
            finally:
                if not connection.is_lost:
                    self._free.append(connection)

    def _take(self) -> BlockingConnection:
        while self._free:
            connection = self._free.pop()
            if not connection.is_stale():
                return connection
            connection.close()
        return _connect(self._options)


def _connect(options: Options) -> BlockingConnection:
    host, port = options.hosts[0]
    where = f"Redis at {host}:{port}"
    try:
        plug = socket.create_connection((host, port), options.call_seconds)
        plug.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        context = tls(options)
        connection = BlockingConnection(where, context.wrap_socket(plug, server_hostname=host) if context else plug)
    except ssl.SSLError as error:
        raise untrusted(error, where) from error
    except OSError as error:
        raise StoreUnavailable(f"{where} cannot be reached: {error}; is it running, and is the URL right?") from error
    try:
        driven(checked(connection, greeting(options)))
    except BaseException:
        connection.close()
        raise
    return connection
