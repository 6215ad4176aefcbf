"""RabbitMQ with its delayed-message exchange, a plug-in that a broker has or has not."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Final

from shike.connect.bounds import EXCHANGE_DELAY_MILLIS_MAX
from shike.connect.delays.base import Delayed
from shike.connect.delays.rabbit import RabbitDelays
from shike.errors import BrokerLacks

if TYPE_CHECKING:
    from aio_pika.abc import AbstractChannel, AbstractExchange

PLUGIN: Final = "rabbitmq_delayed_message_exchange"
KIND: Final = "x-delayed-message"


class RabbitExchange(RabbitDelays):
    """Delays by the plug-in `rabbitmq_delayed_message_exchange`.

    An exchange of the type `x-delayed-message` keeps a message for as long as its header `x-delay` says. Whether the
    broker has it is seen when the exchange is declared; where it has not, `BrokerLacks` names the plug-in.

    By the plug-in's own pages, for Shike's tests have met no broker that has it: *bounds* 0 to 2^32 − 1 ms; waiting
    messages lie on *one* node, on disk, and are *lost* with that node, or when the plug-in is disabled; meant for some
    hundred thousand of them, not for millions; a timer of each message's own, so no walk through levels. Where it is
    not to be had, or a lost node must lose nothing: `RabbitLevels`.
    """

    delay_seconds_max: ClassVar[float] = EXCHANGE_DELAY_MILLIS_MAX / 1_000

    async def _declare(self, channel: AbstractChannel) -> None:
        from aio_pika.exceptions import AMQPError

        name = f"{self.namespace}.delayed.exchange"
        try:
            self._exchange = await channel.declare_exchange(
                name, KIND, durable=True, arguments={"x-delayed-type": "direct"}
            )
        except AMQPError as error:
            if "exchange type" not in str(error) and KIND not in str(error):
                raise
            raise BrokerLacks(
                f"this RabbitMQ has no exchange type {KIND}: install the plug-in {PLUGIN} of its version and run "
                f"`rabbitmq-plugins enable {PLUGIN}`, or use amqp:// (levels of queues), which needs no plug-in",
                needs=PLUGIN,
            ) from error
        await self._inbox(channel, self._exchange, self.name)

    def _way(self, message: Delayed, millis: int) -> tuple[AbstractExchange, str, dict[str, int]]:
        return self._exchange, self.name, {"x-delay": millis}
