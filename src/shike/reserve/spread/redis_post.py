"""The queue of commands on Redis (7 or newer): a list for each part, a list of answers for each asker.

A list that nobody looks into is forgotten after POST_SECONDS: its askers have given up.
"""

from __future__ import annotations

import random
from collections.abc import Collection, Sequence
from typing import Final

from shike.reserve.redis_link import RedisLink
from shike.reserve.spread.bounds import POST_SECONDS, WAITING_MAX
from shike.reserve.spread.post import ANSWERS, ASKS, Answer, Ask, encode, full

MILLIS: Final = 1_000

# KEYS: the list of a part. ARGV: at most so many in it, forgotten after so many ms, then what is put. Answers whether
# it was put: all or nothing.
PUT: Final = """
if redis.call('llen', KEYS[1]) + #ARGV - 2 > tonumber(ARGV[1]) then return 0 end
for i = 3, #ARGV do redis.call('rpush', KEYS[1], ARGV[i]) end
redis.call('pexpire', KEYS[1], ARGV[2])
return 1
"""


class RedisPost:
    """Keeps the promises of `Post` on one server."""

    def __init__(self, url: str, namespace: str = "reserve") -> None:
        self._link = RedisLink(url, namespace)

    async def open(self) -> None:
        """Raises `BadStoreURL`, `StoreUnavailable`."""
        await self._link.open()

    async def close(self) -> None:
        await self._link.close()

    async def send(self, asks: Sequence[tuple[int, Ask]]) -> None:
        by_part: dict[int, list[bytes]] = {}
        for part, ask in asks:
            by_part.setdefault(part, []).append(encode(ask))
        for part, packed in by_part.items():
            words = [WAITING_MAX, round(POST_SECONDS * MILLIS), *packed]
            async with self._link.talking() as redis:
                was_put = await redis.eval(PUT, 1, self._asks(part), *words)
            if not was_put:
                raise full(part)

    async def take(self, parts: Collection[int], most: int, seconds: float) -> list[Ask]:
        keys = [self._asks(part) for part in parts]
        random.shuffle(keys)  # the first that has something is emptied: nobody is to be the last for ever
        return [ASKS.decode(packed) for packed in await self._pop(keys, most, seconds)]

    async def answer(self, answers: Sequence[tuple[str, Answer]]) -> None:
        by_reply: dict[str, list[bytes]] = {}
        for reply, answer in answers:
            by_reply.setdefault(reply, []).append(encode(answer))
        async with self._link.talking() as redis, redis.pipeline(transaction=False) as pipe:
            for reply, packed in by_reply.items():
                pipe.rpush(self._answers(reply), *packed)
                pipe.pexpire(self._answers(reply), round(POST_SECONDS * MILLIS))
            await pipe.execute()

    async def answers(self, reply: str, most: int, seconds: float) -> list[Answer]:
        return [ANSWERS.decode(packed) for packed in await self._pop([self._answers(reply)], most, seconds)]

    async def _pop(self, keys: list[str], most: int, seconds: float) -> list[bytes]:
        async with self._link.talking() as redis:
            found = await redis.blmpop(seconds, len(keys), *keys, direction="LEFT", count=most)
        return found[1] if found else []

    def _asks(self, part: int) -> str:
        return self._link.key("asks", str(part))

    def _answers(self, reply: str) -> str:
        return self._link.key("answers", reply)
