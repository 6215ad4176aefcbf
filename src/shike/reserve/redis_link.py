"""A connection to Redis for what stands beside the journal: queues, and numbers to be read. By redis-py, on use."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, Final

from shike.errors import BadStoreURL, StoreUnavailable
from shike.store.redis.options import check_namespace

CONNECT_SECONDS: Final = 2.0
REPLY_SECONDS: Final = 6.0  # of one command, also of one that waits for something
CONNECTIONS_MAX: Final = 8


class RedisLink:
    """A few connections to one server; all keys of a namespace carry one hash tag. Options of a store's URL that follow
    its `?` say nothing here."""

    def __init__(self, url: str, namespace: str) -> None:
        check_namespace(namespace)
        self._url = url.partition("?")[0]
        self._tag = f"{{{namespace}}}"
        self._client: Any = None

    async def open(self) -> None:
        """Raises `BadStoreURL` without the driver or for a URL that it cannot read, `StoreUnavailable`."""
        try:
            from redis.asyncio import BlockingConnectionPool, Redis
        except ImportError:
            raise BadStoreURL("this needs the driver of Redis: pip install 'shike[redis]'") from None
        try:
            pool = BlockingConnectionPool.from_url(
                self._url,
                max_connections=CONNECTIONS_MAX,
                timeout=None,
                socket_timeout=REPLY_SECONDS,
                socket_connect_timeout=CONNECT_SECONDS,
            )
        except ValueError as error:
            raise BadStoreURL(f"{error}; write redis://localhost:6379/0") from None
        self._client = Redis.from_pool(pool)
        async with self.talking() as client:
            await client.ping()

    async def close(self) -> None:
        client, self._client = self._client, None
        if client is not None:
            await client.aclose()

    def key(self, *parts: str) -> str:
        """A key of this namespace."""
        return ":".join((self._tag, *parts))

    @asynccontextmanager
    async def talking(self) -> AsyncIterator[Any]:
        """The driver's client; what it raises is said in words of ours (`StoreUnavailable`)."""
        from redis.exceptions import RedisError

        if self._client is None:
            raise StoreUnavailable("this connection to Redis is not open")
        try:
            yield self._client
        except (RedisError, OSError, TimeoutError) as error:
            raise StoreUnavailable(f"Redis does not answer: {str(error) or 'no answer in time'}") from error
