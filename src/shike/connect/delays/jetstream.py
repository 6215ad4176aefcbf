"""NATS JetStream: a message is put back until its delay is over."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any, ClassVar, Final

from shike.clock import MICROS, to_micros
from shike.connect.bounds import (
    AGAIN_SECONDS,
    FETCH_SECONDS,
    HAND_SECONDS,
    JETSTREAM_DELAY_SECONDS_MAX,
    NAK_GATHER_SECONDS,
    TAKEN_AT_ONCE,
    WAITING_MAX,
    WAKES_KEEP_SECONDS,
)
from shike.connect.delays.base import Delayed, Delays, Take
from shike.connect.jetstream import JetStream, told

if TYPE_CHECKING:
    from nats.aio.msg import Msg

ONCE: Final = "Nats-Msg-Id"  # by which the server knows what is sent twice within two minutes, in all of a stream
ID: Final = "Shike-Id"
DELAY: Final = "Shike-Delay-Ms"
DUE_AT: Final = "Shike-Due-At"


class JetStreamDelays(Delays):
    """Delays by negative acknowledgement: a durable pull consumer gets each message at once, sees how long it has to
    wait, and puts it back with that delay (`-NAK {"delay": …}`); the server delivers it again then.

    An id that is sent twice within two minutes comes once.

    *Late* by a few milliseconds, but only because puttings back are gathered: each moves the server's one timer of the
    consumer off by 10 ms (nats-server 2.9), so that a steady stream of them, 200 a second, made others late by seconds.
    *At least once*: messages lie in a file until they are acknowledged. *Lost*: the server writes to the disk every two
    minutes unless told otherwise, so a power loss may take the last of them, a restart takes none. *Bounds*: 30 days.
    Each message is delivered at least twice, and each that waits is an entry in the server's memory: WAITING_MAX of one
    name, and behind so many even a short delay is *not looked at*. Nothing is put back, so nothing is looked at, while
    no receiver runs; what came due meanwhile comes when one does. The waits are counted by the server's time of arrival
    and the *receiver's* clock: one that is wrong by a second delivers a second early or late.

    Servers from 2.12 on can schedule messages themselves; Shike makes no use of that yet.
    """

    delay_seconds_max: ClassVar[float] = JETSTREAM_DELAY_SECONDS_MAX

    def __init__(self, *args: Any, **named: Any) -> None:
        super().__init__(*args, **named)
        self._link = JetStream(self.url)

    async def open(self) -> None:
        await self._link.open()
        self._stream = f"{self.namespace}-{'wakes' if self.transient else 'delayed'}"
        self._subject = f"{self._stream}.{self.name}"
        try:
            async with told():
                await self._make_stream()
        except BaseException:
            await self._link.close()
            raise

    async def _make_stream(self) -> None:
        from nats.js.api import RetentionPolicy, StorageType, StreamConfig
        from nats.js.errors import NotFoundError

        try:
            await self._link.stream.stream_info(self._stream)
        except NotFoundError:
            await self._link.stream.add_stream(
                StreamConfig(
                    name=self._stream,
                    subjects=[f"{self._stream}.>"],
                    retention=RetentionPolicy.WORK_QUEUE,
                    storage=StorageType.MEMORY if self.transient else StorageType.FILE,
                    max_age=WAKES_KEEP_SECONDS if self.transient else None,
                )
            )

    async def close(self) -> None:
        await self._link.close()

    async def drop(self) -> None:
        from nats.js.errors import NotFoundError

        async with told():
            try:
                await self._link.stream.delete_consumer(self._stream, self.name)
            except NotFoundError:  # nobody ever received
                pass
            await self._link.stream.purge_stream(self._stream, subject=self._subject)

    async def _send(self, message: Delayed, millis: int) -> None:
        headers = {ONCE: f"{self.name}/{message.id}", ID: message.id, DELAY: str(millis), DUE_AT: str(message.due_at)}
        async with told():
            await self._link.stream.publish(self._subject, message.body, headers=headers, stream=self._stream)

    async def receive(self, take: Take) -> None:
        from nats.js.api import ConsumerConfig

        config = ConsumerConfig(
            ack_wait=self.hand_seconds,
            max_ack_pending=WAITING_MAX,
            inactive_threshold=HAND_SECONDS if self.transient else None,
        )
        async with told():
            durable = None if self.transient else self.name
            pulled = await self._link.stream.pull_subscribe(self._subject, durable, self._stream, config)

        async def fetch() -> list[Msg]:
            return await pulled.fetch(1, FETCH_SECONDS)  # of more, this driver waits for the last as long as it may

        inbox = _Inbox(lambda message: self._taken(take, message), self._clock.wall)
        async with told():
            await self._link.during(inbox.run(fetch))


class _Inbox:
    """Sorts what is fetched: what is due is taken, what is due in a moment waits here, the rest goes back."""

    def __init__(self, taken: Callable[[Delayed], Awaitable[bool]], wall: Callable[[], int]) -> None:
        self._taken = taken
        self._wall = wall
        self._early: list[Msg] = []
        self._some_early = asyncio.Event()
        self._at_once = asyncio.Semaphore(TAKEN_AT_ONCE)
        self._hands: set[asyncio.Task[None]] = set()

    async def run(self, fetch: Callable[[], Awaitable[list[Msg]]]) -> None:
        back = asyncio.ensure_future(self._put_back())
        try:
            while True:
                async with self._at_once:  # as many as are in hand are not fetched
                    pass
                try:
                    fetched = await fetch()
                except TimeoutError:
                    continue
                for message in fetched:
                    self._sort(message)
        finally:
            for task in (back, *self._hands):
                task.cancel()
            await asyncio.wait([back, *self._hands])

    def _sort(self, message: Msg) -> None:
        if self._left(message) > NAK_GATHER_SECONDS:
            self._early.append(message)
            self._some_early.set()
            return
        task = asyncio.ensure_future(self._hand(message))
        self._hands.add(task)
        task.add_done_callback(self._hands.discard)

    def _left(self, message: Msg) -> float:
        """How many seconds it has to wait."""
        millis = _number(message, DELAY)
        arrived = to_micros(message.metadata.timestamp)
        return (arrived + millis * 1_000 - self._wall()) / MICROS

    async def _hand(self, message: Msg) -> None:
        async with self._at_once:
            while (left := self._left(message)) > 0:
                await asyncio.sleep(left)
            known = Delayed(_text(message, ID) or _text(message, ONCE), message.data, _number(message, DUE_AT))
            taken = await self._taken(known)
            async with told(quietly=True):  # it comes again where the connection is gone
                await (message.ack() if taken else message.nak(AGAIN_SECONDS))

    async def _put_back(self) -> None:
        """In bursts, and nothing in between: see `JetStreamDelays`."""
        while True:
            await self._some_early.wait()
            await asyncio.sleep(NAK_GATHER_SECONDS)
            self._some_early.clear()
            gathered, self._early = self._early, []
            for message in gathered:
                if (left := self._left(message)) > 0:
                    async with told(quietly=True):  # it comes again where the connection is gone
                        await message.nak(left)
                else:
                    self._sort(message)


def _number(message: Msg, name: str) -> int:
    """A header's number; 0 where another program's message has none."""
    text = _text(message, name)
    return int(text) if text.isdecimal() and len(text) < 20 else 0


def _text(message: Msg, name: str) -> str:
    return (message.headers or {}).get(name, "")
