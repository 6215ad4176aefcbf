"""Kafka by way of a test double of aiokafka's consumer: no broker is spoken to here, for none is at hand.

The double keeps a log of one partition and a committed place, as a group's coordinator does; what is tested is that
Shike's part moves that place only after messages were taken. That aiokafka behaves so is its own affair.
"""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from shike import Shike
from shike.connect import Became, Intake, Message
from shike.connect.sources import base
from shike.connect.sources.kafka import KafkaSource
from shike.errors import BrokerError, BrokerUnavailable
from tests.unit.connect.brokers import WAIT_SECONDS, run

URL = "kafka://one:9092,two:9092"


class Record:
    def __init__(self, offset: int, value: bytes, headers: list[tuple[str, bytes]]) -> None:
        self.topic, self.partition, self.offset, self.value, self.headers = "orders", 0, offset, value, headers


class Log:
    """The double's broker: what was written, and how far the group is."""

    def __init__(self, *values: bytes) -> None:
        self.records = [Record(number, value, []) for number, value in enumerate(values)]
        self.committed = 0
        self.fails: list[Exception] = []
        self.made: list[dict[str, Any]] = []

    def consumer(self, *topics: str, **settings: Any) -> Consumer:
        self.made.append({"topics": topics, **settings})
        return Consumer(self)


class Consumer:
    def __init__(self, log: Log) -> None:
        self.log = log

    async def start(self) -> None:
        if self.log.fails:
            raise self.log.fails.pop()
        self.place = self.log.committed

    async def stop(self) -> None: ...

    async def getmany(self, *, timeout_ms: int, max_records: int) -> dict[str, list[Record]]:
        await asyncio.sleep(0)
        read = self.log.records[self.place : self.place + max_records]
        self.place += len(read)
        if not read:
            await asyncio.sleep(0.01)
        return {"orders-0": read} if read else {}

    async def commit(self, offsets: dict[str, int]) -> None:
        if self.log.fails:
            raise self.log.fails.pop()
        (self.log.committed,) = offsets.values()


async def receive(source: KafkaSource, take: Callable[[Message], Awaitable[None]], until: Callable[[], bool]) -> None:
    await source.open("readers")
    receiving = asyncio.ensure_future(source.receive(take))
    async with asyncio.timeout(WAIT_SECONDS):
        while not until() and not receiving.done():
            await asyncio.sleep(0.001)
    receiving.cancel()
    await asyncio.wait([receiving])
    await source.close()
    if not receiving.cancelled():
        receiving.result()


def test_the_double_takes_what_the_driver_takes() -> None:
    """Its calls fit aiokafka's, so that a driver that changes them is noticed."""
    from aiokafka import AIOKafkaConsumer

    log = Log()

    async def story() -> None:
        source = KafkaSource(URL, "orders", consumer=log.consumer)
        await source.open("readers")
        await source.close()

    run(story())
    (made,) = log.made
    known = inspect.signature(AIOKafkaConsumer.__init__).parameters
    assert set(made) - {"topics"} <= set(known)
    assert {"timeout_ms", "max_records"} <= set(inspect.signature(AIOKafkaConsumer.getmany).parameters)
    assert (made["bootstrap_servers"], made["group_id"]) == (["one:9092", "two:9092"], "readers")
    assert made["enable_auto_commit"] is False, "a place moves when messages were taken, not when they were read"


def test_the_groups_place_moves_when_all_that_was_read_was_taken() -> None:
    async def story() -> None:
        log, seen = Log(b"1", b"2", b"3"), []

        async def hold(message: Message) -> None:
            seen.append(message.id)
            if message.body == b"2":
                await asyncio.Event().wait()

        await receive(KafkaSource(URL, "orders", consumer=log.consumer), hold, lambda: len(seen) == 3)
        assert log.committed == 0, "one of them was still in hand"

        async def take(message: Message) -> None:
            seen.append(message.id)

        await receive(KafkaSource(URL, "orders", consumer=log.consumer), take, lambda: log.committed == 3)
        assert seen == ["orders/0/0", "orders/0/1", "orders/0/2"] * 2, "the same ids again"

    run(story())


def test_what_was_not_taken_is_given_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(base, "AGAIN_SECONDS", 0.0)

    async def story() -> None:
        log, tries = Log(b"1"), []

        async def clumsy(message: Message) -> None:
            tries.append(message.id)
            if len(tries) < 3:
                raise RuntimeError("dropped")

        await receive(KafkaSource(URL, "orders", consumer=log.consumer), clumsy, lambda: log.committed == 1)
        assert len(tries) == 3

    run(story())


def test_a_group_that_lost_its_partitions_hears_it_and_repeats_are_known() -> None:
    from aiokafka.errors import CommitFailedError

    async def story() -> None:
        log = Log(*(b'{"order": %d}' % number for number in range(150)))
        log.records[149].headers.append(("id", b"mine"))
        app = Shike("memory://")

        @app.task
        async def pay(order: int) -> None: ...

        intake = Intake(app, "orders", KafkaSource(URL, "orders", consumer=log.consumer), pay)
        async with intake.serving():
            async with asyncio.timeout(WAIT_SECONDS):
                while log.committed < 100:
                    await asyncio.sleep(0.001)
            log.fails.append(CommitFailedError())
            log.records.append(Record(150, b'{"order": 149}', [("id", b"mine")]))
            async with asyncio.timeout(WAIT_SECONDS):
                while log.committed < 151:
                    await asyncio.sleep(0.001)
        counts = await (await app.client.store()).counts()
        assert counts.eligible == 150 and intake.counts[Became.RUN] == 150
        assert intake.counts[Became.REPEAT] >= 1

    run(story())


def test_errors_of_the_driver_are_told_in_words_of_ours() -> None:
    from aiokafka.errors import AuthenticationFailedError, KafkaConnectionError

    log = Log()
    for error, known in ((KafkaConnectionError(), BrokerUnavailable), (AuthenticationFailedError(), BrokerError)):
        log.fails.append(error)
        with pytest.raises(known):
            run(KafkaSource(URL, "orders", consumer=log.consumer).open("readers"))
