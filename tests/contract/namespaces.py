"""Namespaces of the machine's Redis for tests: a fresh one for each folder, all of them dropped at the end."""

from __future__ import annotations

import atexit
import os
import shutil
import socket
import tempfile
import time
from collections.abc import Sequence
from functools import lru_cache
from itertools import count
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

import hiredis

from shike.clock import Clock
from shike.store.liveness import Liveness
from shike.store.redis import RedisStore
from tests import servers

PREFIX: Final = f"test_{os.getpid()}_"
PAGE: Final = 1_000
SLOTS: Final = 16_384
PORT_MAX: Final = 55_535  # the nodes of a cluster speak to each other 10,000 above
_numbers = count()
_by_folder: dict[tuple[Path, int], str] = {}


class EmptyRedis(RedisStore):
    """A store under the namespace of a folder; it says that its name is the usual one."""

    def __init__(self, folder: Path, clock: Clock | None, *, words: str = "", where: str = "", **options: Any) -> None:
        where = where or servers.url("redis")
        key = (folder, options.get("virtual_buckets") or 1)
        if key not in _by_folder:
            _by_folder[key] = f"{PREFIX}{next(_numbers)}"
        where = f"{where}?accept=no-aof,eviction&history_hours=1000000{words}"
        super().__init__(where, clock=clock, namespace=_by_folder[key], **options)
        self._liveness = Liveness(folder)  # identities are used again and again, and by many at once

    async def open(self) -> None:
        await super().open()
        self.namespace = "shike"


class EmptyCluster(EmptyRedis):
    """The same on a cluster of three nodes: with one virtual bucket unless a test asks for more."""

    def __init__(self, folder: Path, clock: Clock | None, **options: Any) -> None:
        options = {"virtual_buckets": 1} | options
        super().__init__(folder, clock, where=cluster_url(), **options)


class ClusterNode(servers.PrivateRedis):
    """Forgets everything with its process: no test of these is about power."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        while self.port > PORT_MAX:
            self.port = servers.free_port()

    def command(self) -> Sequence[str]:
        return (*super().command(), "--appendonly", "no", "--cluster-enabled", "yes", "--cluster-node-timeout", "5000")


@lru_cache(maxsize=1)
def cluster_url() -> str:
    """Three nodes of this process's own, with a third of the slots each."""
    return url_of(new_cluster())


def url_of(nodes: Sequence[ClusterNode]) -> str:
    return f"redis+cluster://{','.join(f'127.0.0.1:{node.port}' for node in nodes)}/"


def new_cluster() -> list[ClusterNode]:
    """Three nodes with a third of the slots each, gone with this process."""
    nodes = []
    for _ in range(3):
        folder = Path(tempfile.mkdtemp(prefix="shike-node-"))
        atexit.register(shutil.rmtree, folder, ignore_errors=True)
        node = ClusterNode(folder)
        node.start()
        atexit.register(node.kill)
        nodes.append(node)
    lines = [Line(node.url) for node in nodes]
    for number, line in enumerate(lines):
        line.ask("CLUSTER", "ADDSLOTSRANGE", number * SLOTS // 3, (number + 1) * SLOTS // 3 - 1)
        line.ask("CLUSTER", "SET-CONFIG-EPOCH", number + 1)
        lines[0].ask("CLUSTER", "MEET", "127.0.0.1", nodes[number].port)
    end = time.monotonic() + servers.START_SECONDS
    while not all(_is_whole(line) for line in lines):
        assert time.monotonic() < end, "the nodes do not find each other"
        time.sleep(servers.LOOK_SECONDS)
    for line in lines:
        line.close()
    return nodes


def drop_cluster() -> None:
    """Forget all that the cluster of this process holds."""
    for host in urlsplit(cluster_url()).netloc.split(","):
        line = Line(f"redis://{host}/0")
        line.ask("FLUSHALL")
        line.close()


def _is_whole(line: Line) -> bool:
    info = line.ask("CLUSTER", "INFO").decode()
    return "cluster_state:ok" in info and f"cluster_slots_ok:{SLOTS}" in info and "cluster_known_nodes:3" in info


class Line:
    """A blocking connection, for what tests say to a server themselves."""

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        self._socket = socket.create_connection((parts.hostname or "127.0.0.1", parts.port or 6379), timeout=10)
        self._reader = hiredis.Reader()
        if database := int(parts.path.strip("/") or 0):
            self.ask("SELECT", database)

    def ask(self, *words: Any) -> Any:
        self._socket.sendall(hiredis.pack_command(words))
        while (reply := self._reader.gets()) is False:
            self._reader.feed(self._socket.recv(1 << 20))
        if isinstance(reply, Exception):
            raise reply
        return reply

    def close(self) -> None:
        self._socket.close()

    __del__ = close


def drop(url: str, prefix: str) -> int:
    """Remove every key of the namespaces that begin so, a page at a time; how many there were."""
    line = Line(url)
    cursor, dropped = b"0", 0
    while True:
        cursor, keys = line.ask("SCAN", cursor, "MATCH", "{" + prefix + "*", "COUNT", PAGE)
        if keys:
            dropped += line.ask("UNLINK", *keys)
        if cursor == b"0":
            line.close()
            return dropped


@atexit.register
def _drop() -> None:
    if _by_folder:
        drop(servers.url("redis"), PREFIX)
