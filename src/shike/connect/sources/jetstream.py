"""Messages of NATS, from a stream of JetStream."""

from __future__ import annotations

import asyncio
from functools import partial
from typing import TYPE_CHECKING

from shike.connect.bounds import AGAIN_SECONDS, HAND_SECONDS, STILL_THERE_SECONDS, TAKEN_AT_ONCE
from shike.connect.jetstream import JetStream, told
from shike.connect.sources.base import Hands, Message, Source, Take
from shike.errors import BrokerLacks

if TYPE_CHECKING:
    from nats.aio.msg import Msg

ID = "Nats-Msg-Id"


class JetStreamSource(Source):
    """What is published to `subject` (with `*` and `>` as NATS has them), by a durable push consumer of its name.

    The id is the header `Nats-Msg-Id`, else the stream and the number in it. Without a stream, NATS itself forgets what
    nobody hears: one has to keep the subject, by the name `stream` or whichever does; `make` makes it where there is
    none. Receivers of one name share its messages; one in hand for longer than HAND_SECONDS is given to another, too.
    *Lost*: what the stream loses; its limits drop old messages, read or not.
    """

    def __init__(self, url: str, subject: str, *, stream: str = "", make: bool = False) -> None:
        super().__init__(url)
        self._subject = subject
        self._wanted = stream
        self._make = make
        self._link = JetStream(url)

    async def open(self, name: str) -> None:
        await self._link.open()
        self._name = name
        try:
            self._stream = await self._found()
        except BaseException:
            await self._link.close()
            raise

    async def _found(self) -> str:
        from nats.js.errors import NotFoundError

        async with told():
            try:
                if self._wanted:
                    await self._link.stream.stream_info(self._wanted)
                    return self._wanted
                return await self._link.stream.find_stream_name_by_subject(self._subject)
            except NotFoundError:
                if not (self._make and self._wanted):
                    words = (
                        f"no stream of this NATS keeps {self._wanted or self._subject}: "
                        "make one, or name it with stream=…, make=True"
                    )
                    raise BrokerLacks(words, needs="a stream") from None
            await self._link.stream.add_stream(name=self._wanted, subjects=[self._subject])
            return self._wanted

    async def close(self) -> None:
        await self._link.close()

    async def receive(self, take: Take) -> None:
        from nats.js.api import AckPolicy, ConsumerConfig

        hands = Hands(take)

        async def one(incoming: Msg) -> None:
            await hands.give(_read(incoming), partial(_tell, incoming))

        config = ConsumerConfig(
            ack_policy=AckPolicy.EXPLICIT,
            ack_wait=HAND_SECONDS,
            max_ack_pending=TAKEN_AT_ONCE,
            filter_subject=self._subject,
        )
        try:
            async with told():
                await self._link.stream.subscribe(
                    self._subject, queue=self._name, cb=one, stream=self._stream, manual_ack=True, config=config
                )
            await self._link.during(self._still_there())
        finally:
            await hands.empty()

    async def _still_there(self) -> None:
        """Raises `BrokerError` when stream or consumer were deleted: what is pushed says nothing of that."""
        while True:
            await asyncio.sleep(STILL_THERE_SECONDS)
            async with told():
                await self._link.stream.consumer_info(self._stream, self._name)


async def _tell(incoming: Msg, taken: bool) -> None:
    async with told():
        await (incoming.ack() if taken else incoming.nak(AGAIN_SECONDS))


def _read(incoming: Msg) -> Message:
    headers = dict(incoming.headers or {})
    where = incoming.metadata
    return Message(
        headers.get(ID) or f"{where.stream}:{where.sequence.stream}", incoming.data, incoming.subject, headers
    )
