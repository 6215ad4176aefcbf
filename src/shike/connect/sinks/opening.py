"""The sinks by name. Drivers load on use, but are missed at once."""

from __future__ import annotations

from shike.connect.bounds import STREAM_LENGTH_MAX
from shike.connect.sinks.base import Sink


def to_nats(url: str, subject: str) -> Sink:
    """To a stream of NATS JetStream (`shike[nats]`): see `JetStreamSink`."""
    from shike.connect.sinks.jetstream import JetStreamSink

    return JetStreamSink(url, subject)


def to_rabbitmq(url: str, key: str, *, exchange: str = "") -> Sink:
    """To RabbitMQ (`shike[rabbitmq]`): see `RabbitSink`."""
    from shike.connect.sinks.rabbit import RabbitSink

    return RabbitSink(url, key, exchange=exchange)


def to_redis(url: str, key: str, *, length_max: int = STREAM_LENGTH_MAX) -> Sink:
    """To a Redis stream (`shike[redis]`): see `RedisStreamSink`."""
    from shike.connect.sinks.redis import RedisStreamSink

    return RedisStreamSink(url, key, length_max=length_max)


def to_mqtt(url: str, topic: str) -> Sink:
    """To an MQTT broker (`shike[mqtt]`): see `MqttSink`."""
    from shike.connect.sinks.mqtt import MqttSink

    return MqttSink(url, topic)


def to_table(url: str, table: str) -> Sink:
    """To a table of SQLite or PostgreSQL (`shike[postgres]`), a row for each run: see `shike.connect.sinks.table`."""
    from shike.connect.sinks.table import open_table

    return open_table(url, table)
