"""A connection to Redis, by redis-py (the extra `redis`), loaded on use."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable
from contextlib import asynccontextmanager
from functools import cache
from importlib import resources
from typing import Any
from urllib.parse import urlsplit

from shike.connect.bounds import ANSWER_SECONDS, CONNECT_SECONDS, REDIS_CONNECTIONS_MAX
from shike.connect.drivers import need
from shike.errors import BadBrokerURL, BrokerError, BrokerUnavailable


class RedisLink:
    """A few connections to one server."""

    def __init__(self, url: str) -> None:
        """Raises `BadBrokerURL` without the driver, and for a database that is no number: the driver would take 0."""
        need("Redis", "redis", "redis")
        database = urlsplit(url).path.strip("/")
        if database and not (database.isascii() and database.isdecimal()) and not url.startswith("unix:"):
            raise BadBrokerURL(f"the broker's URL names database {database!r}, not a number; write redis://host:6379/0")
        self._url = url
        self._client: Any = None
        self._asking: set[asyncio.Future[Any]] = set()

    @property
    def client(self) -> Any:
        """Raises `BrokerUnavailable` where there is none."""
        if self._client is None:
            raise BrokerUnavailable("the connection to Redis is not open; open it first")
        return self._client

    async def open(self) -> None:
        """Raises `BadBrokerURL` for a URL that the driver cannot read, `BrokerUnavailable`, `BrokerError`."""
        from redis.asyncio import BlockingConnectionPool, Redis
        from redis.asyncio.retry import Retry
        from redis.backoff import NoBackoff

        try:
            pool = BlockingConnectionPool.from_url(
                self._url,
                max_connections=REDIS_CONNECTIONS_MAX,
                timeout=None,  # for one another: each command has a time-out of its own
                socket_timeout=ANSWER_SECONDS,
                socket_connect_timeout=CONNECT_SECONDS,
                retry=Retry(NoBackoff(), 1),  # one, on a new connection: the server may have closed an idle one
            )
        except ValueError as error:
            raise BadBrokerURL(f"the broker's URL cannot be used ({error}); write redis://host:6379/0") from None
        self._client = Redis.from_pool(pool)
        try:
            await self.asked(self._client.ping())
        except BaseException:
            await self.close()
            raise

    async def asked(self, command: Awaitable[Any]) -> Any:
        """What Redis answers. A cancellation leaves the command alone, which ends within its time-out: redis-py (8.1)
        loses one that meets it while it reads, and whoever was cancelled would go on for ever."""
        async with told():
            asking = asyncio.ensure_future(command)
            self._asking.add(asking)
            asking.add_done_callback(self._answered)
            return await asyncio.shield(asking)

    def _answered(self, asking: asyncio.Future[Any]) -> None:
        self._asking.discard(asking)
        if not asking.cancelled():
            asking.exception()  # nobody may be left to look at it

    async def close(self) -> None:
        """When what was asked is answered. Idempotent."""
        client, self._client = self._client, None
        if self._asking:
            await asyncio.wait(self._asking)
        if client is not None:
            await client.aclose()


@asynccontextmanager
async def told() -> AsyncIterator[None]:
    """Say what the driver says in words of ours."""
    from redis import exceptions

    try:
        yield
    except (exceptions.ConnectionError, exceptions.TimeoutError, OSError, TimeoutError) as error:
        if isinstance(error, exceptions.AuthenticationError):
            raise BrokerError(f"Redis does not let us in ({error}); look at the URL's user and password") from error
        raise BrokerUnavailable(f"Redis did not do it: {str(error) or 'no answer in time'}") from error
    except exceptions.RedisError as error:
        raise BrokerError(f"Redis refused it: {error}") from error


@cache
def script(name: str) -> str:
    """The text of `delays/lua/NAME.lua`."""
    return resources.files(__package__).joinpath("delays", "lua", f"{name}.lua").read_text(encoding="utf-8")
