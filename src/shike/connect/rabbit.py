"""A connection to RabbitMQ, by aio-pika (the extra `rabbitmq`), loaded on use."""

from __future__ import annotations

from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

from shike.connect.bounds import CONNECT_SECONDS, TAKEN_AT_ONCE
from shike.connect.drivers import need
from shike.connect.loss import Loss
from shike.errors import BadBrokerURL, BrokerError, BrokerUnavailable

if TYPE_CHECKING:
    from aio_pika.abc import AbstractChannel, AbstractConnection


class Rabbit:
    """One connection and its channel. A publish is confirmed by the broker before it returns."""

    def __init__(self, url: str) -> None:
        """Raises `BadBrokerURL` without the driver."""
        need("RabbitMQ", "aio_pika", "rabbitmq")
        self._url = url
        self._connection: AbstractConnection | None = None
        self._channel: AbstractChannel | None = None
        self._loss: Loss | None = None

    @property
    def channel(self) -> AbstractChannel:
        """Raises `BrokerUnavailable` where there is no connection."""
        if self._channel is None:
            raise BrokerUnavailable("the connection to RabbitMQ is not open; open it first")
        return self._channel

    async def open(self) -> None:
        """Raises `BadBrokerURL` for a URL that the driver cannot read, `BrokerUnavailable`, `BrokerError`."""
        import aio_pika

        try:
            async with told():
                self._loss = loss = Loss()
                connection = await aio_pika.connect(self._url, timeout=CONNECT_SECONDS)
                self._connection = connection
                connection.close_callbacks.add(lambda _, why: loss.tell(why))
                self._channel = await connection.channel(publisher_confirms=True, on_return_raises=True)
                self._channel.close_callbacks.add(lambda _, why: loss.tell(why))
                await self._channel.set_qos(prefetch_count=TAKEN_AT_ONCE)
        except ValueError as error:
            raise BadBrokerURL(f"the broker's URL cannot be used ({error}); write amqp://user:password@host/") from None
        except BrokerError:
            await self.close()
            raise

    async def during(self, work: Coroutine[Any, Any, None]) -> None:
        """Do work for as long as there is a connection: raises `BrokerUnavailable` when it is lost."""
        assert self._loss is not None, "open it first"
        await self._loss.during(work)

    async def lost(self) -> None:
        """Wait for the end of the connection: raises `BrokerUnavailable`."""
        assert self._loss is not None, "open it first"
        await self._loss.wait()

    async def close(self) -> None:
        """Idempotent."""
        connection, self._connection, self._channel = self._connection, None, None
        if connection is not None:
            async with told(quietly=True):
                await connection.close()


@asynccontextmanager
async def told(*, quietly: bool = False) -> AsyncIterator[None]:
    """Say what the driver says in words of ours, or say nothing."""
    from aio_pika import exceptions
    from aiormq.exceptions import InvalidFrameError

    try:
        yield
    except InvalidFrameError as error:  # it has closed the connection; the driver (aiormq 7.2) does not read why
        if not quietly:
            kind = BrokerError if "Connection.OpenOk" in str(error) else BrokerUnavailable
            raise kind(
                "RabbitMQ hung up; is there the virtual host that the URL's path names, for this user?"
            ) from error
    except (exceptions.AuthenticationError, exceptions.ProbableAuthenticationError) as error:
        if not quietly:
            raise BrokerError(f"RabbitMQ does not let us in ({error}); look at the URL's user and password") from error
    except (exceptions.ChannelPreconditionFailed, exceptions.ChannelNotFoundEntity) as error:
        if not quietly:
            raise BrokerError(f"RabbitMQ refused it: {error}") from error
    except (exceptions.AMQPError, exceptions.ChannelInvalidStateError, OSError, TimeoutError) as error:
        if not quietly:
            raise BrokerUnavailable(f"RabbitMQ did not do it: {str(error) or 'no answer in time'}") from error
