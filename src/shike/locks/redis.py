"""Locks on Redis: `SET NX PX`, compare-and-delete in Lua, and a token from the same step."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from shike.bounds import LOCK_ANSWER_SECONDS, LOCK_CONNECTIONS_MAX
from shike.clock import Clock
from shike.errors import BadStoreURL, StoreUnavailable
from shike.ids import Entropy
from shike.locks.base import Grant, Locks
from shike.locks.files import script

_SCRIPTS = ("take", "extend", "free")


class RedisLocks(Locks):
    """Locks of one Redis server (5 or newer): one round trip each to take, renew and release.

    Redis answers before a replica or the disk has it. After a failover, or a restart without an append-only file,
    a lock may be granted while its old holder still believes in it; its token is higher all the same, since it
    follows the server's clock too, unless that clock was set back. Where that matters, check the token, or
    lock where the data is (`PostgresLocks.row`). Locking on several independent servers (Redlock) is left out on
    purpose: it gives no fencing token, so it would not help a paused holder.
    """

    def __init__(
        self, url: str, *, namespace: str = "shike", clock: Clock | None = None, entropy: Entropy | None = None
    ) -> None:
        super().__init__(namespace=namespace, clock=clock, entropy=entropy)
        self._url = url
        self._client: Any = None
        self._scripts: dict[str, Any] = {}

    async def open(self) -> None:
        if self._client is not None:
            return
        try:
            from redis.asyncio import BlockingConnectionPool, Redis
        except ImportError:
            raise BadStoreURL("locks on Redis need its driver: pip install 'shike[redis]'") from None
        try:
            pool = BlockingConnectionPool.from_url(
                self._url,
                max_connections=LOCK_CONNECTIONS_MAX,
                timeout=LOCK_ANSWER_SECONDS,
                socket_timeout=LOCK_ANSWER_SECONDS,
                decode_responses=True,
            )
        except ValueError as error:
            raise BadStoreURL(f"{error}; write redis://localhost:6379/0") from None
        self._client = Redis.from_pool(pool)
        self._scripts = {name: self._client.register_script(script(name)) for name in _SCRIPTS}

    async def _disconnect(self) -> None:
        client, self._client = self._client, None
        if client is not None:
            await client.aclose()

    async def _take(self, names: tuple[str, ...], owner: str, lease_us: int) -> Grant | None:
        keys = [f"{{{self.namespace}:locks}}:token", *map(self._key, names)]
        answer = await self._run("take", keys, [owner, lease_us // 1_000])
        return None if answer is None else Grant(names[answer[0] - 1], answer[1])

    async def _extend(self, name: str, owner: str, lease_us: int) -> bool:
        return bool(await self._run("extend", [self._key(name)], [owner, lease_us // 1_000]))

    async def _free(self, name: str, owner: str) -> bool:
        return bool(await self._run("free", [self._key(name)], [owner]))

    def _key(self, name: str) -> str:
        return f"{{{self.namespace}:locks}}:held:{name}"

    async def _run(self, name: str, keys: list[str], args: list[str | int]) -> Any:
        await self.open()
        async with _told():
            return await self._scripts[name](keys=keys, args=args)


@asynccontextmanager
async def _told() -> AsyncIterator[None]:
    """Say what the driver says in words of ours."""
    from redis.exceptions import RedisError

    try:
        yield
    except (RedisError, OSError) as error:
        raise StoreUnavailable(f"Redis could not do what a lock asked: {error}") from error
