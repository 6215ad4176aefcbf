"""RabbitMQ: the trap that its levels avoid, what survives a restart, and a plug-in that is not there."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from shike.connect import Delayed, open_delays
from shike.connect.delays.rabbit import DUE_AT
from shike.connect.delays.rabbit_exchange import PLUGIN
from shike.connect.delays.rabbit_levels import RabbitLevels
from shike.connect.rabbit import Rabbit
from shike.errors import BrokerError, BrokerLacks, BrokerUnavailable
from tests import servers
from tests.unit.connect.brokers import fresh, next_of, opened, receiving, run

pytestmark = pytest.mark.servers


async def order_of(names: dict[str, int], waiting_room: dict[str, int], url: str) -> list[str]:
    """In which order messages with a time to live of their own come out of one queue that dead-letters."""
    from aio_pika import Message

    rabbit, came = Rabbit(url), asyncio.Queue[str]()
    await rabbit.open()
    inbox = await rabbit.channel.declare_queue(exclusive=True)
    dead = {"x-dead-letter-exchange": "", "x-dead-letter-routing-key": inbox.name}
    room = await rabbit.channel.declare_queue(exclusive=True, arguments={**dead, **waiting_room})

    async def note(message: object) -> None:
        came.put_nowait(message.body.decode())  # type: ignore[attr-defined]

    await inbox.consume(note, no_ack=True)
    for name, millis in names.items():
        message = Message(name.encode(), expiration=millis / 1_000 if millis else None)
        await rabbit.channel.default_exchange.publish(message, room.name)
    order = [await asyncio.wait_for(came.get(), 60) for _ in names]
    await rabbit.close()
    return order


def test_the_trap_in_one_queue_a_short_time_to_live_waits_behind_a_long_one() -> None:
    """This is RabbitMQ itself, without Shike: the reason for levels."""

    async def story() -> None:
        url = servers.url("rabbitmq")
        assert await order_of({"long": 1_500, "short": 50}, {}, url) == ["long", "short"], "only its head expires"
        async with opened(url) as delays, receiving(delays) as came:
            for body, seconds in ((b"long", 1.5), (b"short", 0.05)):
                await delays.send(body, seconds)
            assert [(await next_of(came)).body, (await next_of(came)).body] == [b"short", b"long"]

    run(story())


@pytest.mark.parametrize(
    ("millis", "begins_at", "digits"),
    [
        (0, "delayed", "00000000"),
        (1, "delay.0", "00000001"),
        (1_500, "delay.2", "000005dc"),
        (2**32 - 1, "delay.7", "f" * 8),
    ],
)
def test_a_delay_begins_with_the_queue_of_its_first_digit(millis: int, begins_at: str, digits: str) -> None:
    async def story() -> None:
        async with opened(servers.url("rabbitmq")) as delays:
            assert isinstance(delays, RabbitLevels)
            exchange, key, _ = delays._way(Delayed("", b""), millis)
            assert exchange.name == f"shiketest.{begins_at}"
            assert key.split(".") == [*digits, delays.name]

    run(story())


def test_a_header_of_whatever_sender_holds_nothing_up() -> None:
    """A number of thousands of digits is none: Python would refuse to read it, and the message would stay in hand."""

    async def story() -> None:
        from aio_pika import Message

        async with opened(servers.url("rabbitmq")) as delays, receiving(delays) as came:
            assert isinstance(delays, RabbitLevels)
            exchange, key, _ = delays._way(Delayed("", b""), 0)
            for written in ("9" * 5_000, "9" * 20, "soon", "²"):
                await exchange.publish(Message(b"odd", headers={DUE_AT: written}), key)
                message = await next_of(came)
                assert (message.body, message.due_at) == (b"odd", 0)

    run(story())


def test_a_name_that_another_program_made_otherwise_is_told_of() -> None:
    async def story() -> None:
        name, rabbit = fresh(), Rabbit(servers.url("rabbitmq"))
        await rabbit.open()
        queue = await rabbit.channel.declare_queue(f"shiketest.delayed.{name}", durable=True, auto_delete=True)
        with pytest.raises(BrokerError, match="auto_delete") as caught:
            async with opened(servers.url("rabbitmq"), name):
                pass
        assert not isinstance(caught.value, BrokerUnavailable), "to try again would not help"
        await queue.delete()
        await rabbit.close()

    run(story())


def test_a_broker_without_the_plug_in_is_told_of_with_its_name() -> None:
    async def story() -> None:
        url = servers.url("rabbitmq").replace("amqp://", "amqp+exchange://")
        delays = open_delays(url, fresh())
        try:
            await delays.open()
        except BrokerLacks as error:
            assert error.needs == PLUGIN
            assert f"rabbitmq-plugins enable {PLUGIN}" in str(error) and "amqp://" in str(error)
        else:
            await delays.close()
            pytest.skip("this broker has the plug-in: tests/unit/connect/test_delays.py uses it")

    run(story())


def test_a_virtual_host_that_is_not_there_is_told_of_as_what_waiting_does_not_mend() -> None:
    async def story() -> None:
        with pytest.raises(BrokerError, match="virtual host") as caught:
            await open_delays(servers.url("rabbitmq").rstrip("/") + "/" + fresh(), fresh()).open()
        assert not isinstance(caught.value, BrokerUnavailable)

    run(story())


def test_a_wrong_password_is_told_in_words_without_it() -> None:
    async def story() -> None:
        url = servers.url("rabbitmq").replace("guest:guest", "guest:s3cret")
        with pytest.raises(BrokerError, match="does not let us in") as caught:
            await open_delays(url, fresh()).open()
        assert "s3cret" not in str(caught.value)

    run(story())


def test_what_waits_survives_a_broker_that_is_killed(tmp_path: Path) -> None:
    async def story() -> None:
        server = servers.PrivateRabbit(tmp_path)
        server.start()
        try:
            async with opened(server.url, "orders") as delays:
                sent = {await delays.send(b"x", millis / 1_000) for millis in (100, 1_000, 3_000, 6_000)}
                receiver = asyncio.ensure_future(delays.receive(lambda message: asyncio.sleep(3_600)))
                await asyncio.sleep(0)
                server.kill()
                with pytest.raises(BrokerUnavailable):
                    await receiver
                with pytest.raises(BrokerUnavailable):
                    await delays.send(b"x", 1)
            server.start()
            async with opened(server.url, "orders") as delays, receiving(delays) as came:
                assert {(await next_of(came)).id for _ in sent} == sent
        finally:
            server.kill()

    run(story())
