"""Streams of messages of a test's own, on the machine's brokers or on private ones, forgotten afterwards."""

from __future__ import annotations

import json
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from shike.connect import Source, from_mqtt, from_nats, from_rabbitmq, from_redis
from shike.connect.jetstream import JetStream
from shike.connect.mqtt import Mqtt
from shike.connect.rabbit import Rabbit
from shike.connect.redis import RedisLink
from tests import servers
from tests.unit.connect.brokers import fresh


class Topic(ABC):
    """One, with a sender whose broker has confirmed what `send` returned from."""

    def __init__(self, url: str) -> None:
        self.url, self.name = url, fresh()

    async def open(self) -> None:
        await self.link.open()

    link: Any

    @abstractmethod
    def source(self) -> Source: ...

    @abstractmethod
    async def put(self, id: str, body: bytes) -> None: ...

    async def send(self, *orders: int) -> None:
        for order in orders:
            await self.put(str(order), json.dumps({"order": order}).encode())

    @abstractmethod
    async def drop(self, reader: str) -> None: ...

    async def close(self) -> None:
        await self.link.close()


class NatsTopic(Topic):
    def __init__(self, url: str) -> None:
        super().__init__(url)
        self.link = JetStream(url)

    async def make(self) -> None:
        await self.link.stream.add_stream(name=self.name, subjects=[f"{self.name}.*"])

    def source(self) -> Source:
        return from_nats(self.url, f"{self.name}.*")

    async def put(self, id: str, body: bytes) -> None:
        await self.link.stream.publish(f"{self.name}.paid", body, headers={"Nats-Msg-Id": id} if id else None)

    async def drop(self, reader: str) -> None:
        await self.link.stream.delete_stream(self.name)


class RabbitTopic(Topic):
    def __init__(self, url: str) -> None:
        super().__init__(url)
        self.link = Rabbit(url)

    async def make(self) -> None:
        await self.link.channel.declare_queue(self.name, durable=True)

    def source(self) -> Source:
        return from_rabbitmq(self.url, self.name)

    async def put(self, id: str, body: bytes) -> None:
        from aio_pika import DeliveryMode, Message

        message = Message(body, message_id=id or None, delivery_mode=DeliveryMode.PERSISTENT)
        await self.link.channel.default_exchange.publish(message, self.name)

    async def drop(self, reader: str) -> None:
        await self.link.channel.queue_delete(self.name)


class RedisTopic(Topic):
    def __init__(self, url: str) -> None:
        super().__init__(url)
        self.link = RedisLink(url)

    async def make(self) -> None:
        """It is made by what is added to it."""

    def source(self) -> Source:
        return from_redis(self.url, self.name, field="body")

    async def put(self, id: str, body: bytes) -> None:
        await self.link.asked(self.link.client.xadd(self.name, {"body": body, **({"id": id} if id else {})}))

    async def drop(self, reader: str) -> None:
        await self.link.asked(self.link.client.delete(self.name))


class MqttTopic(Topic):
    def __init__(self, url: str) -> None:
        super().__init__(url)
        self.link = Mqtt(url)

    async def make(self) -> None:
        """It is made by whoever subscribes to it."""

    def source(self) -> Source:
        return from_mqtt(self.url, f"{self.name}/+")

    async def put(self, id: str, body: bytes) -> None:
        await self.link.publish(f"{self.name}/paid", body, {"id": id} if id else {})

    async def drop(self, reader: str) -> None:
        """End the reader's session, with what waits for it."""
        from paho.mqtt.client import Client, MQTTv311
        from paho.mqtt.enums import CallbackAPIVersion

        client = Client(CallbackAPIVersion.VERSION2, client_id=reader, protocol=MQTTv311, clean_session=True)
        client.connect(self.link._parts.hostname, self.link._port)
        client.loop_start()
        client.disconnect()
        client.loop_stop()


TOPICS = {"nats": NatsTopic, "rabbitmq": RabbitTopic, "redis": RedisTopic, "mqtt": MqttTopic}
PRIVATE = {
    "nats": servers.PrivateNats,
    "rabbitmq": servers.PrivateRabbit,
    "redis": servers.PrivateRedis,
    "mqtt": servers.PrivateMosquitto,
}


@asynccontextmanager
async def topic_of(service: str, url: str = "", reader: str = "") -> AsyncIterator[Any]:
    """A topic that `reader` has subscribed to: an MQTT broker keeps nothing for whom it never met."""
    topic: Any = TOPICS[service](url or servers.url(service))
    await topic.open()
    try:
        await topic.make()
        source = topic.source()
        await source.open(reader)
        await source.close()
        yield topic
        await topic.drop(reader)
    finally:
        await topic.close()
