"""RabbitMQ without plug-ins: queues whose messages expire, and dead-letter into the next."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, ClassVar

from shike.connect.bounds import DELAY_DIGITS
from shike.connect.delays.base import Delayed
from shike.connect.delays.rabbit import RabbitDelays

if TYPE_CHECKING:
    from aio_pika.abc import AbstractChannel, AbstractExchange


class RabbitLevels(RabbitDelays):
    """Delays by time to live and dead-letter exchanges, in levels.

    RabbitMQ drops what has expired from the *head* of a queue only. With a time to live of each message's own, a short
    delay behind a long one therefore waits for the long one. So a delay is written in milliseconds as eight hexadecimal
    digits, there is a queue for each digit at each place, in which all messages live equally long, and a message walks
    through those of its digits: 1,500 ms are 5dc, so 1,280 ms, then 208, then 12. (The scheme of NServiceBus's RabbitMQ
    transport, which does it with binary digits: a quarter of the queues, and twice the walk.)

    *Late* by two or three milliseconds for each queue walked through. *Bounds*: 0 to 2^32 − 1 ms
    (49.7 days), in whole milliseconds. *At least once* from the inbox on; but on the way from one queue to the next
    RabbitMQ waits for no confirmation: a broker that dies at that instant may lose the message, or deliver it twice.
    *Survives* a restart of the broker (durable queues, persistent messages). *Lost*: with a queue of ours, by
    whoever deletes one; where another program declared our names with other arguments, opening fails.
    """

    delay_seconds_max: ClassVar[float] = (16**DELAY_DIGITS - 1) / 1_000

    async def _declare(self, channel: AbstractChannel) -> None:
        from aio_pika import ExchangeType

        below = await channel.declare_exchange(f"{self.namespace}.delayed", ExchangeType.TOPIC, durable=True)
        await self._inbox(channel, below, f"{'*.' * DELAY_DIGITS}{self.name}")
        self._places = [below]
        for place in range(DELAY_DIGITS):
            name = f"{self.namespace}.delay.{place}"
            exchange = await channel.declare_exchange(name, ExchangeType.TOPIC, durable=True)
            await below.bind(exchange, _pattern(place, 0))
            await asyncio.gather(*(self._room(channel, exchange, below, place, digit) for digit in range(1, 16)))
            self._places.append(below := exchange)

    async def _room(
        self, channel: AbstractChannel, exchange: AbstractExchange, below: AbstractExchange, place: int, digit: int
    ) -> None:
        """The queue for one digit at one place."""
        arguments: dict[str, Any] = {"x-message-ttl": digit << 4 * place, "x-dead-letter-exchange": below.name}
        waiting = await channel.declare_queue(f"{exchange.name}.{digit:x}", durable=True, arguments=arguments)
        await waiting.bind(exchange, _pattern(place, digit))

    def _way(self, message: Delayed, millis: int) -> tuple[AbstractExchange, str, dict[str, int]]:
        digits = f"{millis:0{DELAY_DIGITS}x}"
        place = len(digits.lstrip("0"))  # those above are nothing to wait for
        return self._places[place], f"{'.'.join(digits)}.{self.name}", {}


def _pattern(place: int, digit: int) -> str:
    """Routing keys with this digit at this place; the last place is their first word."""
    words = ["*"] * DELAY_DIGITS
    words[DELAY_DIGITS - 1 - place] = f"{digit:x}"
    return ".".join(words) + ".*"
