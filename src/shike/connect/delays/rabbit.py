"""What both techniques of RabbitMQ share: the inbox into which messages fall when their delay is over."""

from __future__ import annotations

import asyncio
from abc import abstractmethod
from typing import TYPE_CHECKING, Any, Final

from shike.connect.bounds import AGAIN_SECONDS, ANSWER_SECONDS
from shike.connect.delays.base import Delayed, Delays, Take
from shike.connect.rabbit import Rabbit, told

if TYPE_CHECKING:
    from aio_pika.abc import AbstractChannel, AbstractExchange, AbstractIncomingMessage, AbstractQueue, HeadersType

DUE_AT: Final = "shike-due-at"
DUE_AT_CHARS_MAX: Final = 19  # of µs; more are a word of somebody else


class RabbitDelays(Delays):
    """Opens the connection and the inbox, and receives; how a message waits is the subclass's."""

    _queue: AbstractQueue

    def __init__(self, *args: Any, **named: Any) -> None:
        super().__init__(*args, **named)
        self._rabbit = Rabbit(self.url)

    async def open(self) -> None:
        await self._rabbit.open()
        try:
            async with told():
                await self._declare(self._rabbit.channel)
        except BaseException:
            await self._rabbit.close()
            raise

    async def close(self) -> None:
        await self._rabbit.close()

    async def drop(self) -> None:
        async with told():
            await self._queue.delete(if_unused=False, if_empty=False, timeout=ANSWER_SECONDS)

    @abstractmethod
    async def _declare(self, channel: AbstractChannel) -> None:
        """Make the exchanges, and the inbox by `_inbox`."""

    @abstractmethod
    def _way(self, message: Delayed, millis: int) -> tuple[AbstractExchange, str, dict[str, int]]:
        """The exchange, routing key and headers by which a message waits so long."""

    async def _inbox(self, channel: AbstractChannel, exchange: AbstractExchange, key: str) -> None:
        name = f"{self.namespace}.delayed.{self.name}"
        durable = not self.transient
        self._queue = await channel.declare_queue(
            name, durable=durable, exclusive=self.transient, auto_delete=self.transient
        )
        await self._queue.bind(exchange, key)

    async def _send(self, message: Delayed, millis: int) -> None:
        from aio_pika import DeliveryMode, Message

        exchange, key, extra = self._way(message, millis)
        mode = DeliveryMode.NOT_PERSISTENT if self.transient else DeliveryMode.PERSISTENT
        headers: HeadersType = {DUE_AT: str(message.due_at), **extra}
        async with told():
            out = Message(message.body, message_id=message.id, delivery_mode=mode, headers=headers)
            await exchange.publish(out, key, mandatory=False, timeout=ANSWER_SECONDS)

    async def receive(self, take: Take) -> None:
        async def one(incoming: AbstractIncomingMessage) -> None:
            taken = await self._taken(take, _read(incoming))
            if not taken:
                await asyncio.sleep(AGAIN_SECONDS)
            async with told(quietly=True):  # it comes again where the connection is gone
                await (incoming.ack() if taken else incoming.nack(requeue=True))

        async with told():
            tag = await self._queue.consume(one)
        try:
            await self._rabbit.lost()
        finally:
            async with told(quietly=True):
                await self._queue.cancel(tag, timeout=ANSWER_SECONDS)


def _read(incoming: AbstractIncomingMessage) -> Delayed:
    """A message of whatever sender."""
    due_at = str((incoming.headers or {}).get(DUE_AT, ""))
    is_number = due_at.isdecimal() and len(due_at) <= DUE_AT_CHARS_MAX
    return Delayed(incoming.message_id or "", incoming.body, int(due_at) if is_number else 0)
