"""A URL chooses broker and technique."""

from __future__ import annotations

from importlib import import_module
from typing import Any, Final

from shike.connect.delays.base import Delays
from shike.errors import BadBrokerURL
from shike.store.opening import without_secrets

TECHNIQUES: Final = {
    "amqp": ("rabbit_levels", "RabbitLevels"),
    "amqps": ("rabbit_levels", "RabbitLevels"),
    "amqp+exchange": ("rabbit_exchange", "RabbitExchange"),
    "amqps+exchange": ("rabbit_exchange", "RabbitExchange"),
    "nats": ("jetstream", "JetStreamDelays"),
    "tls": ("jetstream", "JetStreamDelays"),
    "redis": ("redis_set", "RedisSetDelays"),
    "rediss": ("redis_set", "RedisSetDelays"),
    "redis+expiry": ("redis_expiry", "RedisExpiryDelays"),
    "rediss+expiry": ("redis_expiry", "RedisExpiryDelays"),
}


def open_delays(url: str, name: str, **named: Any) -> Delays:
    """The delays called `name` in a broker, to be opened with `async with`; each class tells what it promises.

    `amqp://guest:guest@host/`: RabbitMQ by levels of queues (`RabbitLevels`); `amqp+exchange://…`: by its
    delayed-message exchange; both need the extra `shike[rabbitmq]`. `nats://host:4222`: JetStream (`shike[nats]`).
    `redis://host:6379/0`: a sorted set, `redis+expiry://…`: keys that expire and tell so (`shike[redis]`). Further
    arguments are those of `Delays`. Raises `BadBrokerURL` for any other URL, and where the driver is not installed.
    """
    scheme, separator, rest = url.partition("://") if isinstance(url, str) else ("", "", "")
    if scheme not in TECHNIQUES or not separator:
        known = ", ".join(f"{one}://" for one in TECHNIQUES)
        shown = without_secrets(url) if separator else url
        raise BadBrokerURL(f"{shown!r} names no broker that keeps delays; they begin with {known}")
    module, kind = TECHNIQUES[scheme]
    plain = f"{scheme.partition('+')[0]}://{rest}"
    made: Delays = getattr(import_module(f"shike.connect.delays.{module}"), kind)(plain, name, **named)
    return made
