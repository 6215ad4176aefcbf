"""The shelf in Redis: a hash for each ledger, a field for each segment of a pool."""

from __future__ import annotations

from typing import Final

from shike.reserve.redis_link import RedisLink
from shike.reserve.shelf.base import Left, Page

SCAN: Final = 500

# KEYS: the hash of a ledger, {ns}:versions. ARGV: ledger, version, then field and number for each segment. Answers
# whether the version was newer than what lay there.
PUT: Final = """
local at = redis.call('hget', KEYS[2], ARGV[1])
if at and tonumber(at) >= tonumber(ARGV[2]) then return 0 end
redis.call('del', KEYS[1])
for i = 3, #ARGV, 2 do redis.call('hset', KEYS[1], ARGV[i], ARGV[i + 1]) end
redis.call('hset', KEYS[1], 'version', ARGV[2])
redis.call('hset', KEYS[2], ARGV[1], ARGV[2])
return 1
"""


class RedisShelf:
    """Keeps the promises of `Shelf` on one server. A question is one command."""

    def __init__(self, url: str, namespace: str = "reserve") -> None:
        self._link = RedisLink(url, namespace)

    async def open(self) -> None:
        await self._link.open()

    async def close(self) -> None:
        await self._link.close()

    async def versions(self) -> dict[str, int]:
        async with self._link.talking() as redis:
            found = await redis.hgetall(self._link.key("shelf-versions"))
        return {ledger.decode(): int(version) for ledger, version in found.items()}

    async def put(self, page: Page) -> bool:
        words: list[str | int] = [page.ledger, page.version]
        for row in page.rows:
            words += [f"{row.segment}/{row.pool}", row.left]
        keys = self._link.key("shelf", page.ledger), self._link.key("shelf-versions")
        async with self._link.talking() as redis:
            return bool(await redis.eval(PUT, 2, *keys, *words))

    async def left(self, ledger: str, pool: str, start: int, end: int) -> Left | None:
        fields = ["version", *(f"{segment}/{pool}" for segment in range(start, end))]
        async with self._link.talking() as redis:
            version, *numbers = await redis.hmget(self._link.key("shelf", ledger), fields)
        if version is None or not numbers or None in numbers:
            return None
        return Left(min(map(int, numbers)), int(version))

    async def looked(self, at: int) -> None:
        async with self._link.talking() as redis:
            await redis.set(self._link.key("shelf-as-of"), at)

    async def as_of(self) -> int:
        async with self._link.talking() as redis:
            return int(await redis.get(self._link.key("shelf-as-of")) or 0)

    async def clear(self) -> None:
        ledgers = list(await self.versions())
        keys = [self._link.key("shelf", ledger) for ledger in ledgers]
        async with self._link.talking() as redis:
            await redis.delete(self._link.key("shelf-versions"), self._link.key("shelf-as-of"))
            for first in range(0, len(keys), SCAN):
                await redis.delete(*keys[first : first + SCAN])
