"""What every source does: hand on each message until somebody took it."""

from __future__ import annotations

import asyncio
import logging
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import TypeAlias

from msgspec import Struct, field

from shike.connect.bounds import AGAIN_SECONDS, TAKEN_AT_ONCE
from shike.errors import BrokerError

log = logging.getLogger("shike.connect")


class Message(Struct, frozen=True):
    """What a broker delivers. `id` is the same each time it comes; "": neither sender nor broker gave it one."""

    id: str
    body: bytes
    topic: str = ""  # the subject, routing key, stream or topic that it was sent to
    headers: dict[str, str] = field(default_factory=dict)


Take: TypeAlias = Callable[[Message], Awaitable[None]]
Tell: TypeAlias = Callable[[bool], Awaitable[None]]  # a broker, whether a message was taken


class Source(ABC):
    """A stream of messages in a broker, to be read under a name, by which the broker knows how far one has come.

    Promised by all: a message is acknowledged after it was taken, so none is lost by a receiver that dies; a connection
    that is lost ends `receive` with `BrokerUnavailable`, and after another `open` it goes on with what was not
    acknowledged. At most TAKEN_AT_ONCE messages are in hand; the others wait in the broker. No order.
    """

    def __init__(self, url: str) -> None:
        self.url = url

    @abstractmethod
    async def open(self, name: str) -> None:
        """Connect. Raises `BadBrokerURL` where the driver cannot read the URL, `BrokerLacks` where there is no such
        stream, `BrokerUnavailable` where the broker does not answer."""

    @abstractmethod
    async def close(self) -> None:
        """Let go. What was in hand comes again. Idempotent; may be opened again."""

    @abstractmethod
    async def receive(self, take: Take) -> None:
        """Hand each message to `take`, several at a time, until this is cancelled. When `take` returns the message is
        done with; where it raises, that is logged, and the message comes again a little later."""


class Hands:
    """What a receiver has in hand: at most TAKEN_AT_ONCE messages, of each of which its broker is told in the end."""

    def __init__(self, take: Take) -> None:
        self._take = take
        self._room = asyncio.Semaphore(TAKEN_AT_ONCE)
        self._tasks: set[asyncio.Task[None]] = set()
        self._is_over = False

    async def give(self, message: Message, tell: Tell) -> None:
        """Waits until there is room. `tell` may raise `BrokerError`: the message comes again, then."""
        await self._room.acquire()
        if self._is_over:  # it came while the connection was let go: it comes again
            return
        task = asyncio.ensure_future(self._hold(message, tell))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _hold(self, message: Message, tell: Tell) -> None:
        try:
            was_taken = await taken(self._take, message)
            with suppress(BrokerError):
                await tell(was_taken)
        finally:
            self._room.release()

    async def empty(self) -> None:
        """Let go of all, and take no more."""
        self._is_over = True
        held = list(self._tasks)
        for task in held:
            task.cancel()
        if held:
            await asyncio.wait(held)


async def taken(take: Take, message: Message) -> bool:
    """Whether it was. An error is the receiver's own, and no reason to stop."""
    try:
        await take(message)
    except Exception:
        log.exception("message %s of %s was not taken; it comes again", message.id, message.topic)
        return False
    return True


async def surely(take: Take, message: Message) -> None:
    """Until it was taken: for brokers that give a message again to a new connection only."""
    while not await taken(take, message):
        await asyncio.sleep(AGAIN_SECONDS)
