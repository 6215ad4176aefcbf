"""A connection to NATS with JetStream, by nats-py (the extra `nats`), loaded on use."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, Final

from shike.connect.bounds import ANSWER_SECONDS, CONNECT_SECONDS
from shike.connect.drivers import need
from shike.connect.loss import Loss
from shike.errors import BadBrokerURL, BrokerError, BrokerLacks, BrokerUnavailable

if TYPE_CHECKING:
    from nats.aio.client import Client
    from nats.js import JetStreamContext

UNREADABLE: Final = "connect url"  # in what the driver says of a URL that it cannot read


class JetStream:
    """One connection. It is not mended by itself: whoever uses it hears that it is lost, and opens another."""

    def __init__(self, url: str) -> None:
        """Raises `BadBrokerURL` without the driver."""
        need("NATS", "nats", "nats")
        self._url = url
        self._client: Client | None = None
        self._context: JetStreamContext | None = None
        self._loss: Loss | None = None

    @property
    def stream(self) -> JetStreamContext:
        """Raises `BrokerUnavailable` where there is no connection."""
        if self._client is None or self._context is None or not self._client.is_connected:
            raise BrokerUnavailable("the connection to NATS is not open; open it first")
        return self._context

    async def open(self) -> None:
        """Raises `BadBrokerURL` for a URL that the driver cannot read, `BrokerUnavailable`, `BrokerError`;
        `BrokerLacks` where the server was started without JetStream."""
        from nats.aio.client import Client

        self._loss = loss = Loss()
        self._client = client = Client()

        async def lost() -> None:
            loss.tell(client.last_error)

        async def noted(error: Exception) -> None:
            """What goes wrong is told by the calls that it goes wrong with."""

        try:
            async with told(), asyncio.timeout(CONNECT_SECONDS):
                await client.connect(
                    self._url,
                    connect_timeout=round(CONNECT_SECONDS),
                    allow_reconnect=False,
                    max_reconnect_attempts=1,  # of the first connection; none would mean without an end
                    reconnect_time_wait=0,
                    closed_cb=lost,
                    disconnected_cb=lost,
                    error_cb=noted,
                )
                self._context = client.jetstream(timeout=ANSWER_SECONDS)
                await self._context.account_info()
        except ValueError as error:
            raise BadBrokerURL(f"the broker's URL cannot be used ({error}); write nats://host:4222") from None
        except BrokerError as error:
            if UNREADABLE in str(error):  # the driver has no class of its own for that, and cannot close what never was
                self._client = None
                raise BadBrokerURL(f"the broker's URL cannot be used ({error}); write nats://host:4222") from None
            await self.close()
            raise

    async def during(self, work: Coroutine[Any, Any, None]) -> None:
        """Do work for as long as there is a connection: raises `BrokerUnavailable` when it is lost."""
        assert self._loss is not None, "open it first"
        await self._loss.during(work)

    async def close(self) -> None:
        """Idempotent."""
        client, self._client = self._client, None
        if client is not None:
            async with told(quietly=True):
                await client.close()


@asynccontextmanager
async def told(*, quietly: bool = False) -> AsyncIterator[None]:
    """Say what the driver says in words of ours, or say nothing."""
    from nats import errors
    from nats.js import errors as js

    try:
        yield
    except errors.AuthorizationError as error:
        if not quietly:
            raise BrokerError(f"NATS does not let us in ({error}); look at the URL's user and password") from error
    except (errors.NoRespondersError, js.ServiceUnavailableError) as error:
        if not quietly:
            words = "this NATS server answers without JetStream: start it with `-js`, or use another broker"
            raise BrokerLacks(words, needs="JetStream") from error
    except js.APIError as error:
        if not quietly:
            raise BrokerError(f"JetStream refused it: {error.description or error}") from error
    except (errors.Error, OSError, TimeoutError) as error:
        if not quietly:
            raise BrokerUnavailable(f"NATS did not do it: {str(error) or 'no answer in time'}") from error
