"""Listening: the application behind a socket, in the event loop that is there. Closed by default (P10).

Beyond this machine nobody is let in while there is no key: the server does not start. On this machine alone the first
start makes one, and shows it once.
"""

from __future__ import annotations

import asyncio
import contextlib
import ipaddress
import logging
import socket
from collections.abc import Awaitable, Callable, Iterator
from typing import Any, Final

import uvicorn

from shike.errors import BadSetting, OpenToAll
from shike.server.keys import Keys, NewKey
from shike.server.roles import Role

log = logging.getLogger("shike.server")

LEAVE_SECONDS: Final = 3  # for requests under way when the server ends; streams and long polls are cut off then
IDLE_SECONDS: Final = 75  # of a connection that is kept: longer than those of proxies, which should be first
CONNECTIONS_MAX: Final = 4_000  # more are answered 503
BACKLOG: Final = 1_024
FIRST_KEY: Final = "first"


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach it."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


async def first_key(keys: Keys, host: str) -> NewKey | None:
    """The key of a first start; None where there is one. Raises `OpenToAll` for a server that others could reach."""
    if await keys.any_valid():
        return None
    if not is_loopback(host):
        raise OpenToAll(
            f"the server would listen on {host}, and there is no access key yet: "
            "`shike keys create NAME --role admin` makes one, then start it again"
        )
    return await keys.make(FIRST_KEY, Role.ADMIN, by="first start")


def bound(host: str, port: int) -> socket.socket:
    """A socket at that address; raises `BadSetting` where it cannot be had."""
    try:
        (family, kind, protocol, _, address), *_ = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        sock = socket.socket(family, kind, protocol)
    except OSError as error:
        raise BadSetting(f"{host} is no address of this machine: {error.strerror or error}") from None
    try:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.bind(address)
        sock.listen(BACKLOG)  # from here on callers wait, and are not refused
    except OSError as error:
        sock.close()
        raise BadSetting(f"cannot listen on {host}:{port}: {error.strerror}; choose another --port") from None
    return sock


def url_of(sock: socket.socket) -> str:
    """Where it is to be found."""
    host, port = sock.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


class _Server(uvicorn.Server):
    """Without the signal handlers: the process has its own."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


class Front:
    """Serves an application until it is stopped."""

    def __init__(self, application: Any, sock: socket.socket, close: Callable[[], Awaitable[None]]) -> None:
        config = uvicorn.Config(
            application,
            http="httptools",
            ws="none",
            loop="none",
            lifespan="off",
            log_config=None,
            access_log=False,
            server_header=False,
            proxy_headers=False,
            timeout_keep_alive=IDLE_SECONDS,
            timeout_graceful_shutdown=LEAVE_SECONDS,
            limit_concurrency=CONNECTIONS_MAX,
            backlog=BACKLOG,
        )
        logging.getLogger("uvicorn").setLevel(logging.WARNING)  # it tells of itself what we tell
        self._server = _Server(config)
        self._sock = sock
        self._close = close
        self._task: asyncio.Task[None] | None = None

    @property
    def url(self) -> str:
        return url_of(self._sock)

    def start(self) -> None:
        """Begin to listen."""
        serving = self._server.serve(sockets=[self._sock])
        self._task = asyncio.get_running_loop().create_task(serving, name="shike:server")

    async def stop(self) -> None:
        """Take no more; what is under way has LEAVE_SECONDS. Idempotent."""
        self._server.should_exit = True
        if self._task is not None:
            await asyncio.wait([self._task])
            self._task = None
            self._sock.close()
        await self._close()
