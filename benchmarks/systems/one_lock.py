"""A source's simple design on Redis, written fairly: one sorted set, one global lock, a scan each second.

Who gets the lock moves what is due by then to the workers' list, a thousand a step, in one script; then it lets go, by
compare-and-delete. The scan begins with each whole second, or as often as the configuration says: a
shorter interval is all that many put into this design, and shown beside it so that nothing else gets its credit.
"""

from __future__ import annotations

import secrets
import time
from pathlib import Path
from typing import Any

import redis

from benchmarks import body
from benchmarks.systems.base import Unasked, broker_url

LOCK_MILLIS = 5_000
STEP = 1_000
BATCH = 5_000
_DISPATCH = """
local found = redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', ARGV[1], 'LIMIT', 0, ARGV[2])
if #found > 0 then
  redis.call('ZREM', KEYS[1], unpack(found))
  redis.call('RPUSH', KEYS[2], unpack(found))
end
return found
"""
_UNLOCK = "if redis.call('GET', KEYS[1]) == ARGV[1] then return redis.call('DEL', KEYS[1]) end return 0"


class OneLock(Unasked):
    """One scheduler process; several may run, and take turns."""

    def __init__(self, scan_seconds: float) -> None:
        self._redis: Any = redis.Redis.from_url(broker_url())
        self._dispatch: Any = self._redis.register_script(_DISPATCH)
        self._unlock: Any = self._redis.register_script(_UNLOCK)
        self._scan_seconds = scan_seconds

    def plan(self, first: int, count: int, start: float, per_second: float) -> None:
        for begin in range(0, count, BATCH):
            places = range(begin, min(begin + BATCH, count))
            self._redis.zadd("due", {str(first + place): start + place / per_second for place in places})

    def preload(self, count: int, due: float) -> None:
        for begin in range(0, count, BATCH):
            self._redis.zadd("due", {f"far-{number}": due for number in range(begin, min(begin + BATCH, count))})

    def work(self) -> None:
        while True:
            time.sleep(self._scan_seconds - time.time() % self._scan_seconds)
            word = secrets.token_hex(8)
            if self._redis.set("lock", word, nx=True, px=LOCK_MILLIS):
                try:
                    self._scan()
                finally:
                    self._unlock(keys=["lock"], args=[word])

    def _scan(self) -> None:
        now = time.time()
        while found := self._dispatch(keys=["due", "workers"], args=[now, STEP]):
            for number in found:
                body.mark(int(number))


def open_system(folder: Path, *, scan_seconds: float) -> OneLock:
    return OneLock(scan_seconds)
