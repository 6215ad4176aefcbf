"""Messages of Kafka, by a consumer group: by aiokafka (the extra `kafka`), loaded on use."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from functools import partial
from typing import Any

from shike.connect.bounds import ANSWER_SECONDS, BLOCK_SECONDS, CONNECT_SECONDS, TAKEN_AT_ONCE
from shike.connect.drivers import need
from shike.connect.sources.base import Message, Source, Take, surely
from shike.errors import BadBrokerURL, BrokerError, BrokerUnavailable

ID = "id"  # the header that gives a message's id
KNOWN = "kafka://host:9092,host2:9092"


class KafkaSource(Source):
    """What is written to `topic`, from its beginning, by a consumer group of its name.

    The id is the header `id`, else topic, partition and offset. A group's place moves on when all that was read at once
    was taken, so what comes again after a crash is at most TAKEN_AT_ONCE messages. *Lost*: what Kafka drops after the
    topic's retention time, read or not.
    """

    def __init__(self, url: str, topic: str, *, consumer: Callable[..., Any] | None = None) -> None:
        """`consumer`: what to make in place of aiokafka's AIOKafkaConsumer, with the same arguments."""
        super().__init__(url)
        scheme, separator, servers = url.partition("://")
        if scheme != "kafka" or not separator or not servers.strip("/"):
            raise BadBrokerURL(f"this is no URL of Kafka; write {KNOWN}")
        if consumer is None:
            need("Kafka", "aiokafka", "kafka")
        self._servers = servers.strip("/").split(",")
        self._topic = topic
        self._make = consumer or _driver
        self._consumer: Any = None

    async def open(self, name: str) -> None:
        self._consumer = self._make(
            self._topic,
            bootstrap_servers=self._servers,
            group_id=name,
            enable_auto_commit=False,
            auto_offset_reset="earliest",
            request_timeout_ms=round(ANSWER_SECONDS * 1_000),
        )
        try:
            async with told(), asyncio.timeout(2 * CONNECT_SECONDS):
                await self._consumer.start()
        except BaseException:
            await self.close()
            raise

    async def close(self) -> None:
        consumer, self._consumer = self._consumer, None
        if consumer is not None:
            async with told(quietly=True), asyncio.timeout(ANSWER_SECONDS):
                await consumer.stop()

    async def receive(self, take: Take) -> None:
        while True:
            async with told():
                read = await self._consumer.getmany(timeout_ms=round(BLOCK_SECONDS * 1_000), max_records=TAKEN_AT_ONCE)
            records = [record for partition in read.values() for record in partition]
            if not records:
                continue
            async with asyncio.TaskGroup() as group:
                for work in map(partial(surely, take), map(_read, records)):
                    group.create_task(work)
            async with told():
                await self._consumer.commit({where: part[-1].offset + 1 for where, part in read.items() if part})


def _driver(*topics: str, **settings: Any) -> Any:
    from aiokafka import AIOKafkaConsumer

    return AIOKafkaConsumer(*topics, **settings)


def _read(record: Any) -> Message:
    headers = {name: (value or b"").decode(errors="replace") for name, value in record.headers}
    sent_id = headers.get(ID) or f"{record.topic}/{record.partition}/{record.offset}"
    return Message(sent_id, record.value or b"", record.topic, headers)


@asynccontextmanager
async def told(*, quietly: bool = False) -> AsyncIterator[None]:
    """Say what the driver says in words of ours, or say nothing."""
    from aiokafka.errors import AuthenticationFailedError, KafkaError

    try:
        yield
    except AuthenticationFailedError as error:
        if not quietly:
            raise BrokerError(f"Kafka does not let us in: {error}") from error
    except (KafkaError, OSError, TimeoutError) as error:
        if not quietly:
            raise BrokerUnavailable(f"Kafka did not do it: {error or 'no answer in time'}") from error
