"""The queue of commands on Redis (7 or newer): a list for each part, a list of answers for each asker.

All keys carry one hash tag. A list that nobody looks into is forgotten after POST_SECONDS: its askers have given up.
"""

from __future__ import annotations

import random
from collections.abc import AsyncIterator, Collection, Sequence
from contextlib import asynccontextmanager
from typing import Any, Final

from shike.errors import BadStoreURL, StoreUnavailable
from shike.reserve.spread.bounds import ANSWER_SECONDS, POST_SECONDS, WAITING_MAX
from shike.reserve.spread.post import ANSWERS, ASKS, Answer, Ask, encode, full
from shike.store.redis.options import check_namespace

CONNECT_SECONDS: Final = 2.0
REPLY_SECONDS: Final = 5.0  # of one command that does not wait
CONNECTIONS_MAX: Final = 8
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
        check_namespace(namespace)
        self._url = url.partition("?")[0]
        self._tag = f"{{{namespace}}}"
        self._client: Any = None
        self._put: Any = None

    async def open(self) -> None:
        """Raises `BadStoreURL` without the driver or for a URL that it cannot read."""
        try:
            from redis.asyncio import BlockingConnectionPool, Redis
        except ImportError:
            raise BadStoreURL("a queue on Redis needs its driver: pip install 'shike[redis]'") from None
        try:
            pool = BlockingConnectionPool.from_url(
                self._url,
                max_connections=CONNECTIONS_MAX,
                timeout=None,
                socket_timeout=REPLY_SECONDS + ANSWER_SECONDS,
                socket_connect_timeout=CONNECT_SECONDS,
            )
        except ValueError as error:
            raise BadStoreURL(f"{error}; write redis://localhost:6379/0") from None
        self._client = Redis.from_pool(pool)
        self._put = self._client.register_script(PUT)
        async with _told():
            await self._client.ping()

    async def close(self) -> None:
        client, self._client = self._client, None
        if client is not None:
            await client.aclose()

    async def send(self, asks: Sequence[tuple[int, Ask]]) -> None:
        by_part: dict[int, list[bytes]] = {}
        for part, ask in asks:
            by_part.setdefault(part, []).append(encode(ask))
        for part, packed in by_part.items():
            words = [WAITING_MAX, round(POST_SECONDS * MILLIS), *packed]
            async with _told():
                was_put = await self._put(keys=[self._asks(part)], args=words)
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
        async with _told(), self._client.pipeline(transaction=False) as pipe:
            for reply, packed in by_reply.items():
                pipe.rpush(self._answers(reply), *packed)
                pipe.pexpire(self._answers(reply), round(POST_SECONDS * MILLIS))
            await pipe.execute()

    async def answers(self, reply: str, most: int, seconds: float) -> list[Answer]:
        return [ANSWERS.decode(packed) for packed in await self._pop([self._answers(reply)], most, seconds)]

    async def _pop(self, keys: list[str], most: int, seconds: float) -> list[bytes]:
        async with _told():
            found = await self._client.blmpop(seconds, len(keys), *keys, direction="LEFT", count=most)
        return found[1] if found else []

    def _asks(self, part: int) -> str:
        return f"{self._tag}:asks:{part}"

    def _answers(self, reply: str) -> str:
        return f"{self._tag}:answers:{reply}"


@asynccontextmanager
async def _told() -> AsyncIterator[None]:
    """Say what the driver says in words of ours."""
    from redis.exceptions import RedisError

    try:
        yield
    except (RedisError, OSError, TimeoutError) as error:
        raise StoreUnavailable(f"the queue on Redis does not answer: {str(error) or 'no answer in time'}") from error
