"""The sources by name. Drivers load on use, but are missed at once."""

from __future__ import annotations

from shike.connect.sources.base import Source


def from_nats(url: str, subject: str, *, stream: str = "", make: bool = False) -> Source:
    """Messages of NATS JetStream (`shike[nats]`): see `JetStreamSource`."""
    from shike.connect.sources.jetstream import JetStreamSource

    return JetStreamSource(url, subject, stream=stream, make=make)


def from_rabbitmq(url: str, queue: str, *, exchange: str = "", key: str = "#") -> Source:
    """Messages of a queue of RabbitMQ (`shike[rabbitmq]`): see `RabbitSource`."""
    from shike.connect.sources.rabbit import RabbitSource

    return RabbitSource(url, queue, exchange=exchange, key=key)


def from_redis(url: str, key: str, *, field: str = "") -> Source:
    """Messages of a Redis stream (`shike[redis]`): see `RedisStreamSource`."""
    from shike.connect.sources.redis import RedisStreamSource

    return RedisStreamSource(url, key, field=field)


def from_mqtt(url: str, topic: str) -> Source:
    """Messages of an MQTT broker (`shike[mqtt]`): see `MqttSource`."""
    from shike.connect.sources.mqtt import MqttSource

    return MqttSource(url, topic)


def from_kafka(url: str, topic: str) -> Source:
    """Messages of Kafka (`shike[kafka]`): see `KafkaSource`."""
    from shike.connect.sources.kafka import KafkaSource

    return KafkaSource(url, topic)
