"""The kernel is told to look after every connection to a server, the one that only listens first of all."""

from __future__ import annotations

import asyncio
import socket
from pathlib import Path

import pytest

from shike.store.redis.options import parse
from shike.store.redis.wire import connect
from shike.store.sockets import IDLE_SECONDS, UNANSWERED_SECONDS, watch
from tests import servers
from tests.contract.stores import STORES
from tests.contract.world import World

SECONDS_MAX = 10.0


def is_watched(transport: asyncio.BaseTransport) -> bool:
    line: socket.socket = transport.get_extra_info("socket")
    return (
        line.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE) != 0
        and line.getsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE) == IDLE_SECONDS
        and line.getsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT) == UNANSWERED_SECONDS * 1000
    )


def test_a_connection_over_a_network_is_watched() -> None:
    async def scene() -> None:
        server = await asyncio.start_server(lambda reader, writer: writer.close(), "127.0.0.1", 0)
        async with server:
            _, writer = await asyncio.open_connection(*server.sockets[0].getsockname()[:2])
            watch(writer.transport)
            assert is_watched(writer.transport)
            writer.close()
            await writer.wait_closed()

    asyncio.run(asyncio.wait_for(scene(), SECONDS_MAX))


def test_what_is_no_network_is_left_alone(tmp_path: Path) -> None:
    async def scene() -> None:
        path = str(tmp_path / "s")
        async with await asyncio.start_unix_server(lambda reader, writer: writer.close(), path):
            _, writer = await asyncio.open_unix_connection(path)
            watch(writer.transport)
            assert not writer.get_extra_info("socket").getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE)
            writer.close()
            await writer.wait_closed()
        watch(None)

    asyncio.run(asyncio.wait_for(scene(), SECONDS_MAX))


@pytest.mark.parametrize("kind", ["postgres", "mysql"])
def test_the_store_has_its_connections_watched(kind: str, tmp_path: Path) -> None:
    async def scene() -> None:
        world = World(STORES[kind], tmp_path)
        await world.open()
        link = await world.store._link()  # type: ignore[attr-defined]
        assert is_watched(link.connection._transport)
        await link.close()
        await world.close()

    asyncio.run(asyncio.wait_for(scene(), SECONDS_MAX))


def test_the_connection_that_listens_is_watched(tmp_path: Path) -> None:
    async def scene() -> None:
        world = World(STORES["postgres"], tmp_path)
        await world.open()
        connection = await world.store._listening()  # type: ignore[attr-defined]
        assert is_watched(connection._transport)
        await connection.close()
        await world.close()

    asyncio.run(asyncio.wait_for(scene(), SECONDS_MAX))


def test_redis_has_its_connections_watched_too() -> None:
    """The one that subscribes would else listen for ever to a server that is gone."""

    async def scene() -> None:
        options = parse(servers.url("redis"))
        connection = await connect(options, options.hosts[0])
        assert connection._transport is not None and is_watched(connection._transport)
        connection.close()

    asyncio.run(asyncio.wait_for(scene(), SECONDS_MAX))
