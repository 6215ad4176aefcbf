"""Messages of an MQTT broker."""

from __future__ import annotations

import asyncio
from functools import partial
from typing import TYPE_CHECKING

from shike.connect.mqtt import Mqtt
from shike.connect.sources.base import Hands, Message, Source, Take, surely

if TYPE_CHECKING:
    from paho.mqtt.client import MQTTMessage

ID = "id"  # the user property that gives a message's id


class MqttSource(Source):
    """What is published to `topic` (with `+` and `#` as MQTT has them), QoS 1, by a session of its name.

    The id is the user property `id`: MQTT has none of its own, so senders give it, or `Map(id=…)` finds one in the
    body. One receiver of a name at a time: the broker closes the connection of the older one. *Lost*: what the broker
    does not keep for a session that is away: Mosquitto keeps 1,000 messages (`max_queued_messages`) unless told
    otherwise, over its own restart only with `persistence true`; and what was published at QoS 0.
    """

    def __init__(self, url: str, topic: str) -> None:
        super().__init__(url)
        self._topic = topic
        self._link = Mqtt(url)
        self._came: asyncio.Queue[MQTTMessage] = asyncio.Queue()  # at most as many as the broker may give at once

    async def open(self, name: str) -> None:
        came: asyncio.Queue[MQTTMessage] = asyncio.Queue()
        self._came = came
        await self._link.open(name, came.put_nowait)
        try:
            await self._link.subscribe(self._topic)
        except BaseException:
            await self._link.close()
            raise

    async def close(self) -> None:
        await self._link.close()

    async def receive(self, take: Take) -> None:
        hands = Hands(partial(surely, take))
        giving = asyncio.ensure_future(self._give(hands))
        try:
            await self._link.lost()
        finally:
            giving.cancel()
            await asyncio.wait([giving])
            await hands.empty()

    async def _give(self, hands: Hands) -> None:
        while True:
            incoming = await self._came.get()
            await hands.give(_read(incoming), partial(self._tell, incoming))

    async def _tell(self, incoming: MQTTMessage, taken: bool) -> None:
        assert taken, "it is given until it is taken"
        self._link.acknowledge(incoming)


def _read(incoming: MQTTMessage) -> Message:
    headers = dict(getattr(incoming.properties, "UserProperty", ()))
    return Message(headers.get(ID, ""), bytes(incoming.payload), incoming.topic, headers)
