"""Redis: a sorted set of moments, looked at again and again. The baseline of the family."""

from __future__ import annotations

import asyncio
import struct
from collections.abc import Awaitable, Callable
from typing import Any, ClassVar, Final

from shike.connect.bounds import (
    AGAIN_SECONDS,
    LOOK_SECONDS,
    REDIS_DELAY_SECONDS_MAX,
    TAKE_MAX,
    TAKEN_AT_ONCE,
    WAKES_KEEP_SECONDS,
)
from shike.connect.delays.base import Delayed, Delays, Take
from shike.connect.redis import RedisLink, script

_DUE_AT: Final = struct.Struct(">q")  # before each body


class RedisSetDelays(Delays):
    """Delays by a sorted set: the score is the millisecond, by Redis's clock, at which a message is due; a receiver
    takes what is due in one script, and sleeps until the next is, or for LOOK_SECONDS, whichever is less.

    *Late* by a few milliseconds; by LOOK_SECONDS where another process puts in something earlier than all that waits.
    *At least once*: what is taken stays in the set, due again after HAND_SECONDS, until it is done with. *Lost*: what
    Redis itself loses (with `appendfsync everysec` the last two seconds at a power loss, without an append-only file
    everything since the last snapshot at any crash). *Bounds*: ten years; the id is the key, so while a message waits,
    another with its id is not sent. By (due, id) in one receiver's looks, no order among several.
    """

    delay_seconds_max: ClassVar[float] = REDIS_DELAY_SECONDS_MAX

    announced: ClassVar[bool] = False  # whether a key expires with each message

    def __init__(self, *args: Any, **named: Any) -> None:
        super().__init__(*args, **named)
        self._link = RedisLink(self.url)

    async def open(self) -> None:
        await self._link.open()
        client = self._link.client
        tag = f"{{{self.namespace}:delayed:{self.name}}}"
        self._keys = [f"{tag}:due", f"{tag}:messages"]
        self._wake = f"{tag}:wake:"
        self._put, self._take, self._done = (client.register_script(script(one)) for one in ("put", "take", "done"))

    async def close(self) -> None:
        await self._link.close()

    async def drop(self) -> None:
        await self._link.asked(self._link.client.delete(*self._keys))

    async def _send(self, message: Delayed, millis: int) -> None:
        keep = round(WAKES_KEEP_SECONDS * 1_000) if self.transient else 0
        packed = _DUE_AT.pack(message.due_at) + message.body
        words = [message.id, packed, millis, keep, int(self.announced)]
        await self._link.asked(self._put(keys=[*self._keys, self._wake + message.id], args=words))

    async def receive(self, take: Take) -> None:
        await self._receive(take, lambda seconds: asyncio.sleep(min(seconds, LOOK_SECONDS)))

    async def _receive(self, take: Take, rest: Callable[[float], Awaitable[None]]) -> None:
        """Take what is due, and rest until the next is, for ever."""
        hands: set[asyncio.Task[None]] = set()
        try:
            while True:
                places = TAKEN_AT_ONCE - len(hands)
                if places:
                    left, due = await self._due(min(places, TAKE_MAX))
                    for raw, message in due:
                        hands.add(asyncio.ensure_future(self._hand(take, raw, message)))
                    if not due:
                        await rest(left)
                else:
                    await asyncio.wait(hands, return_when=asyncio.FIRST_COMPLETED)
                for ended in [one for one in hands if one.done()]:
                    hands.discard(ended)
                    ended.result()
        finally:
            for task in hands:
                task.cancel()
            if hands:
                await asyncio.wait(hands)

    async def _due(self, count: int) -> tuple[float, list[tuple[bytes, Delayed]]]:
        """What is due, each beside its id as Redis knows it, and how many seconds it is until more is."""
        answer: list[Any] = await self._link.asked(
            self._take(keys=self._keys, args=[count, round(self.hand_seconds * 1_000)])
        )
        due = [(raw, _read(raw, packed)) for raw, packed in zip(answer[1::2], answer[2::2], strict=True)]
        return (answer[0] / 1_000 if answer[0] >= 0 else float("inf")), due

    async def _hand(self, take: Take, raw: bytes, message: Delayed) -> None:
        taken = await self._taken(take, message)
        await self._link.asked(self._done(keys=self._keys, args=[raw, -1 if taken else round(AGAIN_SECONDS * 1_000)]))


def _read(raw: bytes, packed: bytes) -> Delayed:
    """A message of whatever sender: one that is not as ours are holds up no other."""
    identity = raw.decode(errors="replace")
    if len(packed) < _DUE_AT.size:
        return Delayed(identity, packed)
    (due_at,) = _DUE_AT.unpack_from(packed)
    return Delayed(identity, packed[_DUE_AT.size :], due_at)
