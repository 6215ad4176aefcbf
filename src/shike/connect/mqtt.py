"""A connection to an MQTT 5 broker, by paho-mqtt (the extra `mqtt`), loaded on use."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import unquote, urlsplit

from shike.connect.bounds import ANSWER_SECONDS, CONNECT_SECONDS, MQTT_KEEP_SECONDS, TAKEN_AT_ONCE
from shike.connect.drivers import need
from shike.connect.loss import Loss
from shike.errors import BadBrokerURL, BrokerError, BrokerUnavailable

if TYPE_CHECKING:
    from paho.mqtt.client import Client, MQTTMessage

PORTS: Final = {"mqtt": 1883, "mqtts": 8883}
ALIVE_SECONDS: Final = 10  # between two signs of life where nothing is said: half as much again and the broker gives up
LET_IN: Final = (0x86, 0x87)  # what a broker answers where user, password or rights are wrong


class Mqtt:
    """One connection. The driver's thread speaks with the broker; whatever it hears is told on the loop that opened it.

    By paho and not by aiomqtt, because a message must be acknowledged after it was taken, which that (2.5) leaves to
    the driver. It is not mended by itself: whoever uses it hears that it is lost, and opens another.
    """

    def __init__(self, url: str) -> None:
        """Raises `BadBrokerURL` without the driver, and for a URL that is none of `mqtt://` or `mqtts://`."""
        need("MQTT", "paho", "mqtt")
        try:
            self._parts = urlsplit(url)
            port = self._parts.port
        except ValueError as error:
            raise BadBrokerURL(f"the broker's URL cannot be used ({error}); write mqtt://host:1883") from None
        if self._parts.scheme not in PORTS or not self._parts.hostname:
            raise BadBrokerURL("this is no URL of an MQTT broker; write mqtt://user:password@host:1883, or mqtts://…")
        self._host = self._parts.hostname
        self._port = port or PORTS[self._parts.scheme]
        self._client: Client | None = None
        self._loss: Loss | None = None
        self._answers: dict[int, asyncio.Future[Any]] = {}  # by the numbers of what was sent

    @property
    def client(self) -> Client:
        """Raises `BrokerUnavailable` where there is no connection."""
        if self._client is None:
            raise BrokerUnavailable("the connection to the MQTT broker is not open; open it first")
        return self._client

    async def open(self, name: str = "", heard: Callable[[MQTTMessage], None] | None = None) -> None:
        """Connect. With a name the broker keeps what comes while nobody is connected under it, for MQTT_KEEP_SECONDS,
        and closes an older connection of that name. Raises `BrokerUnavailable`, `BrokerError`."""
        from paho.mqtt.packettypes import PacketTypes
        from paho.mqtt.properties import Properties

        self._loss = Loss()
        self._answers = {}
        let_in: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        self._client = client = self._made(name, let_in, heard)
        wanted = Properties(PacketTypes.CONNECT)  # type: ignore[no-untyped-call]
        wanted.ReceiveMaximum = TAKEN_AT_ONCE
        wanted.SessionExpiryInterval = MQTT_KEEP_SECONDS if name else 0
        where = (self._host, self._port, ALIVE_SECONDS)
        try:
            async with asyncio.timeout(CONNECT_SECONDS):
                await asyncio.to_thread(client.connect, *where, clean_start=not name, properties=wanted)
                client.loop_start()
                reason = await let_in
            if reason.is_failure:
                known = BrokerError if reason.value in LET_IN else BrokerUnavailable
                raise known(f"the MQTT broker does not let us in ({reason}); look at the URL's user and password")
        except (OSError, TimeoutError) as error:
            await self.close()
            raise BrokerUnavailable(f"the MQTT broker did not answer: {error or 'no answer in time'}") from error
        except BaseException:
            await self.close()
            raise

    def _made(self, name: str, let_in: asyncio.Future[Any], heard: Callable[[MQTTMessage], None] | None) -> Client:
        """A client of the driver, that tells what it hears on this loop."""
        from paho.mqtt.client import Client, MQTTv5
        from paho.mqtt.enums import CallbackAPIVersion

        loop, loss = asyncio.get_running_loop(), self._loss
        assert loss is not None

        def here(tell: Callable[..., None], *words: Any) -> None:
            """On the loop, where there still is one."""
            try:
                loop.call_soon_threadsafe(tell, *words)
            except RuntimeError:
                pass

        client = Client(CallbackAPIVersion.VERSION2, name, protocol=MQTTv5, manual_ack=True, reconnect_on_failure=False)
        client.on_connect = lambda client, data, flags, reason, more: here(_answer, let_in, reason)
        client.on_disconnect = lambda client, data, flags, reason, more: here(loss.tell, str(reason))
        client.on_publish = lambda client, data, number, reason, more: here(self._answered, number, reason)
        client.on_subscribe = lambda client, data, number, reasons, more: here(self._answered, number, reasons[0])
        if heard is not None:
            client.on_message = lambda client, data, message: here(heard, message)
        if self._parts.username:
            client.username_pw_set(unquote(self._parts.username), unquote(self._parts.password or ""))
        if self._parts.scheme == "mqtts":
            client.tls_set()
        client.connect_timeout = CONNECT_SECONDS
        return client

    async def subscribe(self, topic: str) -> None:
        """Have the broker deliver what is published there, each message until it is acknowledged (QoS 1)."""
        from paho.mqtt.subscribeoptions import SubscribeOptions

        options = SubscribeOptions(qos=1, retainHandling=SubscribeOptions.RETAIN_SEND_IF_NEW_SUB)
        _, number = self.client.subscribe(topic, options=options)
        reason = await self._answer_to(number)
        if reason.is_failure:
            raise BrokerError(f"the MQTT broker refuses {topic!r}: {reason}")

    async def publish(self, topic: str, body: bytes, headers: dict[str, str]) -> None:
        """Returns when the broker has it (QoS 1). Headers travel as user properties."""
        from paho.mqtt.packettypes import PacketTypes
        from paho.mqtt.properties import Properties

        told = Properties(PacketTypes.PUBLISH)  # type: ignore[no-untyped-call]
        told.UserProperty = list(headers.items())
        try:
            sent = self.client.publish(topic, body, qos=1, properties=told)
        except ValueError as error:
            raise BrokerError(f"MQTT cannot publish to {topic!r}: {error}") from None
        reason = await self._answer_to(sent.mid)
        if reason.is_failure:
            raise BrokerError(f"the MQTT broker refuses what is published to {topic!r}: {reason}")

    async def _answer_to(self, number: int | None) -> Any:
        """What the broker says to what was sent under a number. It is asked on this loop before the driver's thread can
        tell it here, so no answer is missed."""
        if number is None:
            raise BrokerUnavailable("the connection to the MQTT broker is lost")
        answer: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        self._answers[number] = answer
        try:
            async with asyncio.timeout(ANSWER_SECONDS):
                return await answer
        except TimeoutError:
            raise BrokerUnavailable("the MQTT broker did not answer in time") from None
        finally:
            self._answers.pop(number, None)

    def _answered(self, number: int, reason: Any) -> None:
        if (answer := self._answers.get(number)) is not None:
            _answer(answer, reason)

    def acknowledge(self, message: MQTTMessage) -> None:
        """This one was taken. Where the connection is gone it comes again."""
        self.client.ack(message.mid, message.qos)

    async def lost(self) -> None:
        """Wait for the end of the connection: raises `BrokerUnavailable`."""
        assert self._loss is not None, "open it first"
        await self._loss.wait()

    async def close(self) -> None:
        """Idempotent."""
        client, self._client = self._client, None
        if client is not None:
            client.disconnect()
            await asyncio.to_thread(client.loop_stop)


def _answer(future: asyncio.Future[Any], reason: Any) -> None:
    if not future.done():
        future.set_result(reason)
