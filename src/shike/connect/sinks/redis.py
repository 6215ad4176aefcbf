"""Outcomes to a Redis stream."""

from __future__ import annotations

from shike.connect.redis import RedisLink
from shike.connect.sinks.base import Outcome, Sink


class RedisStreamSink(Sink):
    """Added to the stream `key` as the fields `id` and `body`. It is trimmed to about `length_max`, read or not."""

    def __init__(self, url: str, key: str, *, length_max: int) -> None:
        self._key = key
        self._length_max = length_max
        self._link = RedisLink(url)

    async def open(self) -> None:
        await self._link.open()

    async def close(self) -> None:
        await self._link.close()

    async def put(self, outcome: Outcome) -> None:
        fields = {"id": outcome.run_id, "body": outcome.body}
        await self._link.asked(self._link.client.xadd(self._key, fields, maxlen=self._length_max, approximate=True))
