"""Redis: a sorted set whose members are the runs themselves, a list a lease; every step one command or one script."""

from __future__ import annotations

from typing import Any

from benchmarks.raw.base import EIGHT, PAYLOAD
from benchmarks.systems.base import broker_url

_CLAIM = """
local found = redis.call('ZRANGE', KEYS[1], 0, ARGV[1] - 1)
if #found > 0 then
  redis.call('ZREMRANGEBYRANK', KEYS[1], 0, #found - 1)
  for first = 1, #found, 1000 do
    redis.call('RPUSH', KEYS[2], unpack(found, first, math.min(first + 999, #found)))
  end
  redis.call('ZADD', KEYS[3], ARGV[2], KEYS[2])
end
return found
"""
_ACK = """
redis.call('DEL', KEYS[1])
redis.call('ZREM', KEYS[2], KEYS[1])
return redis.call('RPUSH', KEYS[3], ARGV[1])
"""


class RawRedis:
    """One synchronous connection of redis-py with hiredis."""

    async def open(self) -> None:
        import redis

        self._redis: Any = redis.Redis.from_url(broker_url())
        self._claim: Any = self._redis.register_script(_CLAIM)
        self._ack: Any = self._redis.register_script(_ACK)

    async def append(self, first: int, count: int) -> None:
        self._redis.rpush(
            "appended", *[number.to_bytes(EIGHT, "big") + PAYLOAD for number in range(first, first + count)]
        )

    async def insert(self, first: int, count: int) -> None:
        members = {number.to_bytes(EIGHT, "big") + PAYLOAD: number for number in range(first, first + count)}
        self._redis.zadd("due", members)

    async def claim(self, token: int, count: int) -> int:
        return len(self._claim(keys=["due", f"lease:{token}", "leases"], args=[count, token]))

    async def ack(self, token: int) -> None:
        self._ack(keys=[f"lease:{token}", "leases", "history"], args=[PAYLOAD])

    async def close(self) -> None:
        self._redis.close()
