"""Messages of RabbitMQ, from a queue."""

from __future__ import annotations

import asyncio
from functools import partial
from typing import TYPE_CHECKING

from shike.connect.bounds import AGAIN_SECONDS, ANSWER_SECONDS, STILL_THERE_SECONDS
from shike.connect.rabbit import Rabbit, told
from shike.connect.sources.base import Hands, Message, Source, Take
from shike.errors import BrokerLacks

if TYPE_CHECKING:
    from aio_pika.abc import AbstractIncomingMessage, AbstractQueue


class RabbitSource(Source):
    """What lies in `queue`, which has to be there; with `exchange` and `key` it is made where it is missing, durable,
    and bound to that exchange.

    The id is the message's `message_id`: RabbitMQ gives none of its own, so senders have to, or `Map(id=…)` finds one
    in the body. Receivers of one queue share its messages, whatever their names.
    """

    def __init__(self, url: str, queue: str, *, exchange: str = "", key: str = "#") -> None:
        super().__init__(url)
        self._queue_name = queue
        self._exchange = exchange
        self._key = key
        self._rabbit = Rabbit(url)
        self._queue: AbstractQueue | None = None

    async def open(self, name: str) -> None:
        from aio_pika.exceptions import ChannelNotFoundEntity

        await self._rabbit.open()
        try:
            async with told():
                try:
                    self._queue = await self._declared()
                except ChannelNotFoundEntity as error:
                    words = (
                        f"RabbitMQ has not what is to be read ({error}); make it, or name exchange=… to bind a queue to"
                    )
                    raise BrokerLacks(words, needs=self._queue_name) from None
        except BaseException:
            await self._rabbit.close()
            raise

    async def _declared(self) -> AbstractQueue:
        channel = self._rabbit.channel
        if not self._exchange:
            return await channel.declare_queue(self._queue_name, passive=True, timeout=ANSWER_SECONDS)
        exchange = await channel.get_exchange(self._exchange)
        queue = await channel.declare_queue(self._queue_name, durable=True, timeout=ANSWER_SECONDS)
        await queue.bind(exchange, self._key, timeout=ANSWER_SECONDS)
        return queue

    async def close(self) -> None:
        await self._rabbit.close()

    async def receive(self, take: Take) -> None:
        assert self._queue is not None, "open it first"
        hands = Hands(take)

        async def one(incoming: AbstractIncomingMessage) -> None:
            await hands.give(_read(incoming), partial(_tell, incoming))

        try:
            async with told():
                await self._queue.consume(one)
            await self._rabbit.during(self._still_there())
        finally:
            await hands.empty()

    async def _still_there(self) -> None:
        """Raises `BrokerError` when the queue was deleted."""
        while True:
            await asyncio.sleep(STILL_THERE_SECONDS)
            async with told():
                await self._rabbit.channel.declare_queue(self._queue_name, passive=True, timeout=ANSWER_SECONDS)


async def _tell(incoming: AbstractIncomingMessage, taken: bool) -> None:
    if not taken:
        await asyncio.sleep(AGAIN_SECONDS)
    async with told():
        await (incoming.ack() if taken else incoming.nack(requeue=True))


def _read(incoming: AbstractIncomingMessage) -> Message:
    headers = {name: str(value) for name, value in (incoming.headers or {}).items()}
    return Message(incoming.message_id or "", incoming.body, incoming.routing_key or "", headers)
