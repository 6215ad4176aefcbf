"""Events of every broker (R2.11): each message becomes one run, also where receiver or broker die in the middle."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from aiormq.exceptions import PublishError

from shike import Shike
from shike.connect import Became, Intake, Message, Source, from_kafka, from_mqtt, from_nats, from_rabbitmq, from_redis
from shike.connect.sources import base, jetstream, rabbit
from shike.connect.sources import redis as redis_source
from shike.errors import BadBrokerURL, BrokerError, BrokerLacks, BrokerUnavailable
from tests import servers
from tests.unit.connect.brokers import WAIT_SECONDS, fresh, run
from tests.unit.connect.topics import PRIVATE, TOPICS, topic_of

pytestmark = pytest.mark.servers

each_broker = pytest.mark.parametrize("service", TOPICS)


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """What a dead receiver had in hand is given to another after a moment."""
    for module in (jetstream, redis_source):
        monkeypatch.setattr(module, "HAND_SECONDS", 0.5)
    for module in (base, jetstream, rabbit):
        monkeypatch.setattr(module, "AGAIN_SECONDS", 0.05)


class Shop:
    def __init__(self, source: Source, name: str) -> None:
        self.app = Shike("memory://", namespace="shiketest")
        self.paid: list[int] = []

        @self.app.task
        async def pay(order: int) -> None:
            self.paid.append(order)

        self.intake = Intake(self.app, name, source, pay)

    async def until(self, true: Callable[[], bool]) -> None:
        async with asyncio.timeout(WAIT_SECONDS):
            while not true():
                await asyncio.sleep(0.01)


@each_broker
def test_each_message_becomes_one_run_and_a_bad_one_holds_up_nothing(service: str) -> None:
    async def story() -> None:
        name = fresh()
        async with topic_of(service, reader=f"shiketest-{name}") as topic:
            shop = Shop(topic.source(), name)
            await topic.send(1, 2)
            await topic.put("bad", b"{")
            async with shop.app.running(), shop.intake.serving():
                await topic.send(3)
                await shop.until(lambda: len(shop.paid) == 3)
                await topic.send(1, 4)  # NATS itself drops what comes again within two minutes
                await shop.until(lambda: 4 in shop.paid)
                await shop.until(lambda: shop.intake.counts[Became.ASIDE] > 0)
                (aside,) = await shop.intake.set_aside()
            assert sorted(shop.paid) == [1, 2, 3, 4] and (aside.id, aside.body) == ("bad", b"{")

    run(story())


@pytest.mark.parametrize("service", ["nats", "rabbitmq", "redis"])
def test_what_is_deleted_and_made_again_is_read_again(service: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (jetstream, rabbit):
        monkeypatch.setattr(module, "STILL_THERE_SECONDS", 0.05)

    async def story() -> None:
        name = fresh()
        async with topic_of(service, reader=f"shiketest-{name}") as topic:
            shop = Shop(topic.source(), name)
            async with shop.app.running(), shop.intake.serving():
                await topic.send(1)
                await shop.until(lambda: shop.paid == [1])
                await topic.drop(name)
                await shop.until(lambda: shop.intake._broker_outage._tries > 0)
                await topic.make()
                await topic.send(2)
                await shop.until(lambda: 2 in shop.paid)

    run(story())


async def received(source: Source, name: str, take: Callable[[Message], Awaitable[None]], until: asyncio.Event) -> None:
    """Open, receive until something happened, and go away without a word."""
    await source.open(name)
    receiving = asyncio.ensure_future(source.receive(take))
    waiting = asyncio.ensure_future(until.wait())
    async with asyncio.timeout(WAIT_SECONDS):
        await asyncio.wait([receiving, waiting], return_when=asyncio.FIRST_COMPLETED)
    for task in (receiving, waiting):
        task.cancel()
    await asyncio.wait([receiving, waiting])
    await source.close()


@each_broker
def test_what_a_receiver_had_in_hand_when_it_died_comes_again_with_its_id(service: str) -> None:
    async def story() -> None:
        name = fresh()
        async with topic_of(service, reader=name) as topic:
            await topic.send(1, 2, 3)
            held, done = asyncio.Event(), asyncio.Event()
            seen: dict[str, bytes] = {}

            async def hold(message: Message) -> None:
                held.set()
                await asyncio.Event().wait()

            async def take(message: Message) -> None:
                seen[message.id] = message.body
                if len(seen) == 3:
                    done.set()

            await received(topic.source(), name, hold, held)
            await received(topic.source(), name, take, done)
            assert seen == {str(n): b'{"order": %d}' % n for n in (1, 2, 3)}

    run(story())


@each_broker
def test_what_was_not_taken_comes_again_and_what_was_taken_does_not(service: str) -> None:
    async def story() -> None:
        name = fresh()
        async with topic_of(service, reader=name) as topic:
            await topic.send(1, 2)
            tries: list[str] = []
            done, over = asyncio.Event(), asyncio.Event()

            async def clumsy(message: Message) -> None:
                tries.append(message.id)
                if message.id == "1" and tries.count("1") < 3:
                    raise RuntimeError("dropped")
                if tries.count("1") == 3 and "2" in tries:
                    done.set()

            async def last(message: Message) -> None:
                tries.append(message.id)
                over.set()

            await received(topic.source(), name, clumsy, done)
            await topic.send(3)
            await received(topic.source(), name, last, over)
            assert tries.count("2") == 1 and tries.count("1") == 3 and tries[-1] == "3"

    run(story())


@pytest.mark.parametrize("service", ["nats", "redis", "mqtt"])  # the driver that sends to RabbitMQ here gives one
def test_a_message_without_an_id_of_its_sender(service: str) -> None:
    async def story() -> None:
        name = fresh()
        async with topic_of(service, reader=name) as topic:
            await topic.put("", b"1")
            ids, came = [], asyncio.Event()

            async def take(message: Message) -> None:
                ids.append(message.id)
                came.set()

            await received(topic.source(), name, take, came)
            assert bool(ids[0]) == (service in ("nats", "redis")), "those number what they keep"

    run(story())


@pytest.mark.slow
@each_broker
def test_a_broker_that_is_killed_and_comes_back_loses_nothing(service: str, tmp_path: Path) -> None:
    async def story() -> None:
        server = PRIVATE[service](tmp_path)
        server.start()
        name = fresh()
        try:
            shop = await _killed_in_the_middle(service, server, name)
        finally:
            server.kill()
        assert sorted(shop.paid) == list(range(100)), "none lost, each once"

    run(story())


async def _killed_in_the_middle(service: str, server: Any, name: str) -> Shop:
    async with topic_of(service, server.url, f"shiketest-{name}") as topic:
        await topic.send(*range(50))
        shop = Shop(topic.source(), name)
        real = shop.app.client.deliver

        async def slow(entries: Any) -> Any:  # so that some are in hand when it is killed
            await asyncio.sleep(0.02)
            return await real(entries)

        shop.app.client.deliver = slow  # type: ignore[method-assign]
        async with shop.app.running(), shop.intake.serving():
            await shop.until(lambda: len(shop.paid) >= 1)
            server.kill()
            await topic.close()
            server.start()
            await _opened(topic)
            await _sent(topic, *range(50, 100))
            await shop.until(lambda: len(set(shop.paid)) == 100)
        return shop


async def _opened(topic: Any) -> None:
    """It listens before it lets anybody in."""
    async with asyncio.timeout(WAIT_SECONDS):
        while True:
            try:
                await topic.open()
                return
            except BrokerError:
                await asyncio.sleep(0.1)


async def _sent(topic: Any, *numbers: int) -> None:
    """It lets somebody in before it has found all that it had."""
    async with asyncio.timeout(WAIT_SECONDS):
        for number in numbers:
            while True:
                try:
                    await topic.send(number)
                    break
                except (BrokerError, PublishError):
                    await asyncio.sleep(0.1)


def test_what_is_not_there_is_told_by_name() -> None:
    for source in (
        from_nats(servers.url("nats"), f"{fresh()}.*"),
        from_nats(servers.url("nats"), "x", stream=fresh()),
        from_rabbitmq(servers.url("rabbitmq"), fresh()),
        from_rabbitmq(servers.url("rabbitmq"), fresh(), exchange=fresh()),
    ):
        with pytest.raises(BrokerLacks, match="make"):
            run(source.open("reader"))


@pytest.mark.parametrize(
    "source",
    [
        from_nats("nats://127.0.0.1:1", "x"),
        from_rabbitmq("amqp://127.0.0.1:1/", "x"),
        from_redis("redis://127.0.0.1:1/0", "x"),
        from_mqtt("mqtt://127.0.0.1:1", "x"),
    ],
)
def test_nobody_there_is_an_outage_and_closing_is_harmless(source: Source) -> None:
    async def story() -> None:
        with pytest.raises(BrokerUnavailable):
            await source.open("reader")
        await source.close()

    run(story())


@pytest.mark.parametrize("url", ["", "mqtt://", "localhost", "http://localhost", "mqtt://host:port"])
def test_a_url_of_no_broker_is_refused_at_once(url: str) -> None:
    with pytest.raises(BadBrokerURL, match="mqtt://"):
        from_mqtt(url, "x")
    with pytest.raises(BadBrokerURL, match="kafka://"):
        from_kafka(url, "x")


def test_a_queue_of_rabbitmq_is_made_and_bound_where_an_exchange_is_named() -> None:
    async def story() -> None:
        name = fresh()
        async with topic_of("rabbitmq", reader=name) as topic:
            source = from_rabbitmq(topic.url, f"{topic.name}-bound", exchange="amq.topic", key=f"{topic.name}.*")
            await source.open(name)
            await source.close()
            from aio_pika import Message as Out

            exchange = await topic.link.channel.get_exchange("amq.topic")
            await exchange.publish(Out(b"1", message_id="7"), f"{topic.name}.paid")
            seen, came = [], asyncio.Event()

            async def take(message: Message) -> None:
                seen.append((message.id, message.topic))
                came.set()

            await received(source, name, take, came)
            await topic.link.channel.queue_delete(f"{topic.name}-bound")
            assert seen == [("7", f"{topic.name}.paid")]

    run(story())


def test_a_stream_of_nats_is_made_where_that_is_asked_for() -> None:
    async def story() -> None:
        name = fresh()
        source = from_nats(servers.url("nats"), f"{name}.>", stream=name, make=True)
        await source.open(name)
        await source.close()
        topic: Any = TOPICS["nats"](servers.url("nats"))
        topic.name = name
        await topic.open()
        await topic.drop(name)
        await topic.close()

    run(story())
