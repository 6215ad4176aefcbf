"""Outcomes to an exchange of RabbitMQ."""

from __future__ import annotations

from shike.connect.bounds import ANSWER_SECONDS
from shike.connect.rabbit import Rabbit, told
from shike.connect.sinks.base import Outcome, Sink
from shike.errors import BrokerLacks


class RabbitSink(Sink):
    """Published to `exchange` (the default one: `key` is a queue) under `key`, persistent, confirmed; `message_id` is
    the run's id. One that no queue takes is not told: that is an error, which is tried again."""

    def __init__(self, url: str, key: str, *, exchange: str = "") -> None:
        self._key = key
        self._exchange = exchange
        self._rabbit = Rabbit(url)

    async def open(self) -> None:
        await self._rabbit.open()

    async def close(self) -> None:
        await self._rabbit.close()

    async def put(self, outcome: Outcome) -> None:
        from aio_pika import DeliveryMode, Message
        from aio_pika.exceptions import DeliveryError

        async with told():
            channel = self._rabbit.channel
            exchange = await channel.get_exchange(self._exchange, ensure=False)
            message = Message(
                outcome.body,
                message_id=outcome.run_id,
                delivery_mode=DeliveryMode.PERSISTENT,
                content_type="application/json",
            )
            try:
                await exchange.publish(message, self._key, mandatory=True, timeout=ANSWER_SECONDS)
            except DeliveryError:
                words = f"no queue of this RabbitMQ takes {self._key!r}: make one, or bind one to the exchange"
                raise BrokerLacks(words, needs="a queue") from None
