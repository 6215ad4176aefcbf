"""Outcomes to an MQTT broker."""

from __future__ import annotations

from shike.connect.mqtt import Mqtt
from shike.connect.sinks.base import Outcome, Sink


class MqttSink(Sink):
    """Published to `topic` at QoS 1; the user property `id` is the run's id. A broker keeps it for those who are
    subscribed, and for nobody else."""

    def __init__(self, url: str, topic: str) -> None:
        self._topic = topic
        self._link = Mqtt(url)

    async def open(self) -> None:
        await self._link.open()

    async def close(self) -> None:
        await self._link.close()

    async def put(self, outcome: Outcome) -> None:
        await self._link.publish(self._topic, outcome.body, {"id": outcome.run_id})
