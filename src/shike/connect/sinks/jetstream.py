"""Outcomes to a stream of NATS JetStream."""

from __future__ import annotations

from shike.connect.jetstream import JetStream, told
from shike.connect.sinks.base import Outcome, Sink
from shike.errors import BrokerLacks


class JetStreamSink(Sink):
    """Published to `subject`, which a stream has to keep: without one NATS forgets what nobody hears. `Nats-Msg-Id` is
    the run's id, so a repeat within two minutes is dropped by the server."""

    def __init__(self, url: str, subject: str) -> None:
        self._subject = subject
        self._link = JetStream(url)

    async def open(self) -> None:
        await self._link.open()

    async def close(self) -> None:
        await self._link.close()

    async def put(self, outcome: Outcome) -> None:
        from nats.js.errors import NoStreamResponseError

        async with told():
            try:
                await self._link.stream.publish(self._subject, outcome.body, headers={"Nats-Msg-Id": outcome.run_id})
            except NoStreamResponseError:
                words = f"no stream of this NATS keeps {self._subject}: make one"
                raise BrokerLacks(words, needs="a stream") from None
