"""Delays of every technique, on the machine's own brokers under names of the test's own, forgotten afterwards."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from typing import Any
from uuid import uuid1

import pytest

from shike.connect import Delayed, Delays, open_delays
from shike.errors import BrokerLacks
from tests import servers

TECHNIQUES = ("amqp", "amqp+exchange", "nats", "redis", "redis+expiry")
SERVICES = {"amqp": "rabbitmq", "nats": "nats", "redis": "redis"}
WAIT_SECONDS = 60.0  # the last resort against a message that never comes


def url_of(technique: str, notifying: str = "") -> str:
    """The broker's URL; `notifying` is a Redis that tells of expired keys, as the machine's own does not."""
    plain = technique.partition("+")[0]
    url = notifying if technique == "redis+expiry" and notifying else servers.url(SERVICES[plain])
    return f"{technique}://{url.partition('://')[2]}"


def fresh() -> str:
    return f"test-{uuid1().hex}"


@asynccontextmanager
async def opened(url: str, name: str = "", **named: Any) -> AsyncIterator[Delays]:
    """Delays of a new name. Skips the test where the broker has no delayed-message exchange: Debian has no package."""
    delays = open_delays(url, name or fresh(), namespace="shiketest", **named)
    try:
        await delays.open()
    except BrokerLacks as error:
        if url.startswith("amqp+exchange"):
            pytest.skip(str(error))
        raise
    try:
        yield delays
        if not name:
            await delays.drop()
    finally:
        await delays.close()


@asynccontextmanager
async def receiving(
    delays: Delays, take: Callable[[Delayed], Coroutine[Any, Any, None]] | None = None
) -> AsyncIterator[asyncio.Queue[Delayed]]:
    """What comes, in order, while the block lasts."""
    came: asyncio.Queue[Delayed] = asyncio.Queue()

    async def one(message: Delayed) -> None:
        if take is not None:
            await take(message)
        came.put_nowait(message)

    def ended(_: object) -> None:  # nobody shall wait for more
        came.put_nowait(Delayed("", b"the receiver ended"))

    receiver = asyncio.ensure_future(delays.receive(one))
    receiver.add_done_callback(ended)
    try:
        yield came
    finally:
        receiver.remove_done_callback(ended)
        receiver.cancel()
        await asyncio.wait([receiver])
    if not receiver.cancelled() and (error := receiver.exception()) is not None:
        raise error


async def next_of(came: asyncio.Queue[Delayed]) -> Delayed:
    async with asyncio.timeout(WAIT_SECONDS):
        return await came.get()


def run(story: Coroutine[Any, Any, None]) -> None:
    asyncio.run(story)
