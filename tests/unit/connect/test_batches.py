"""Batches over a queue (R2.10): the caller returns at once, each call becomes one run, and nothing grows for ever."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from shike import Shike
from shike.connect import Batches, Bridge, open_delays
from shike.connect import batches as module
from shike.connect.bounds import BODY_BYTES_MAX
from shike.connect.bridge import REFUSED
from shike.errors import BadInput, BrokerUnavailable
from tests import servers
from tests.unit.connect.brokers import WAIT_SECONDS, fresh, opened, run, url_of


class Shop:
    def __init__(self, url: str, **how: Any) -> None:
        self.app = Shike("memory://")
        self.url, self.name = url, fresh()
        self.batches = Batches(self.app, url, self.name, namespace="shiketest", **how)
        self.bridge = Bridge(self.app, url, self.name, namespace="shiketest")
        self.done: list[int] = []

        @self.app.task
        async def note(number: int, words: str = "") -> None:
            self.done.append(number)

        self.note = note
        self.bodies: list[list[Any]] = []

    def overheard(self, fails: int = 0) -> None:
        """No broker: what would be sent is kept here, after so many tries that fail."""
        left = [fails]

        async def send(body: bytes, delay: Any = 0, *, id: str = "") -> str:
            await asyncio.sleep(0)
            if left[0]:
                left[0] -= 1
                raise BrokerUnavailable("away")
            self.bodies.append(json.loads(body))
            assert len(body) <= BODY_BYTES_MAX
            return id

        self.batches._bridge.send = send  # type: ignore[method-assign]

    async def until(self, true: Callable[[], bool]) -> None:
        async with asyncio.timeout(WAIT_SECONDS):
            while not true():
                await asyncio.sleep(0.005)

    async def drop(self) -> None:
        for name in (self.name, self.name + REFUSED):
            async with open_delays(self.url, name, namespace="shiketest") as delays:
                await delays.drop()


NOWHERE = "redis://127.0.0.1:1/0"


def test_a_batch_goes_when_it_is_full_and_the_rest_at_the_end() -> None:
    async def story() -> None:
        shop = Shop(NOWHERE)
        shop.overheard()
        async with shop.batches as batches:
            ids = [batches.submit(shop.note.bind(number)) for number in range(250)]
            await shop.until(lambda: len(shop.bodies) == 2)
            assert batches.waiting == 50, "they wait for company"
        assert [len(body) for body in shop.bodies] == [100, 100, 50]
        assert [one["id"] for body in shop.bodies for one in body] == ids and len(set(ids)) == 250
        assert (batches.sent, batches.waiting) == (250, 0)

    run(story())


def test_a_batch_goes_when_its_first_call_has_waited_long_enough() -> None:
    async def story() -> None:
        shop = Shop(NOWHERE, seconds=0.01)
        shop.overheard()
        async with shop.batches as batches:
            for number in range(3):
                batches.submit(shop.note.bind(number))
                await shop.until(lambda number=number: batches.sent == number + 1)  # type: ignore[misc]
        assert [len(body) for body in shop.bodies] == [1, 1, 1]

    run(story())


def test_large_calls_fill_a_message_before_a_hundred_do() -> None:
    async def story() -> None:
        shop = Shop(NOWHERE)
        shop.overheard()
        async with shop.batches as batches:
            for number in range(10):
                batches.submit(shop.note.bind(number, "x" * 60_000))
            await shop.until(lambda: len(shop.bodies) >= 2)
        numbers = [json.loads(one["args"])["number"] for body in shop.bodies for one in body]
        assert numbers == list(range(10)) and max(map(len, shop.bodies)) <= 4

    run(story())


def test_a_broker_that_is_away_makes_them_wait_and_more_than_the_bound_are_refused(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(module, "BATCHED_MAX", 300)
    monkeypatch.setattr(module.Outage, "pause", lambda self, error: 0.001)

    async def story() -> None:
        shop = Shop(NOWHERE)
        shop.overheard(fails=20)
        async with shop.batches as batches:
            for number in range(300):
                batches.submit(shop.note.bind(number))
            with pytest.raises(BrokerUnavailable, match="wait for the broker"):
                batches.submit(shop.note.bind(300))
            await shop.until(lambda: batches.sent == 300)
            batches.submit(shop.note.bind(300))
        assert sum(map(len, shop.bodies)) == 301

    run(story())


def test_what_no_broker_takes_is_said_at_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "STOP_GRACE_SECONDS", 0.05)

    async def story() -> None:
        shop = Shop(NOWHERE)
        shop.overheard(fails=10**6)
        with pytest.raises(BrokerUnavailable, match="3 calls"):
            async with shop.batches as batches:
                for number in range(3):
                    batches.submit(shop.note.bind(number))

    run(story())


@pytest.mark.parametrize("how", [{"runs": 0}, {"runs": 1_001}, {"runs": True}, {"seconds": -1}, {"seconds": "10"}])
def test_a_size_that_cannot_be_used_is_refused(how: dict[str, Any]) -> None:
    with pytest.raises(BadInput):
        Shop(NOWHERE, **how)


def test_a_call_that_cannot_be_sent_is_refused_and_nothing_waits() -> None:
    async def story() -> None:
        shop = Shop(NOWHERE)
        with pytest.raises(BadInput, match="async with"):
            shop.batches.submit(shop.note.bind(1))
        shop.overheard()
        async with shop.batches as batches:
            with pytest.raises(BadInput, match="time of its own"):
                batches.submit(shop.note.in_(timedelta(minutes=1)).bind(1))
            assert batches.waiting == 0

    run(story())


@pytest.mark.servers
@pytest.mark.parametrize("technique", ["amqp", "nats", "redis"])
def test_each_call_becomes_one_run_though_its_batch_comes_twice(technique: str) -> None:
    async def story() -> None:
        shop = Shop(url_of(technique))
        sent: list[bytes] = []
        real = shop.batches._bridge.send

        async def send(body: bytes, *how: Any, **named: Any) -> str:
            sent.append(body)
            return await real(body, *how, **named)

        shop.batches._bridge.send = send  # type: ignore[method-assign]
        async with shop.app.running(), shop.bridge.serving() as bridge:
            async with shop.batches as batches:
                for number in range(150):
                    batches.submit(shop.note.bind(number))
            await shop.until(lambda: len(shop.done) == 150)
            async with opened(shop.url, shop.name) as delays:
                for body in sent:
                    await delays.send(body, 0)
            await shop.until(lambda: bridge.handed_on == 300)
        assert sorted(shop.done) == list(range(150))
        await shop.drop()

    run(story())


@pytest.mark.servers
def test_one_bad_call_of_a_batch_is_none_of_the_others_fault() -> None:
    bodies = [
        b"[]",
        b"[",
        b"[1]",
        json.dumps([{"task": "note", "args": '{"number": 1}'}, {"task": "nobody"}, {"task": "note"}]).encode(),
        json.dumps([{"task": "note"}] * 1_001).encode(),
    ]

    async def story() -> None:
        shop = Shop(url_of("redis"))
        async with shop.app.running(), shop.bridge.serving() as bridge:
            async with opened(shop.url, shop.name) as delays:
                for body in bodies:
                    await delays.send(body, 0)
            await shop.until(lambda: bridge.refused == 6 and bridge.handed_on == 1)
            await shop.until(lambda: shop.done == [1])
        await shop.drop()

    run(story())


@pytest.mark.slow
@pytest.mark.servers
def test_a_broker_that_is_killed_and_comes_back_loses_no_call(tmp_path: Path) -> None:
    async def story() -> None:
        server = servers.PrivateRedis(tmp_path)
        server.start()
        shop = Shop(server.url, seconds=0.01)
        try:
            async with shop.app.running(), shop.bridge.serving(), shop.batches as batches:
                for number in range(500):
                    batches.submit(shop.note.bind(number))
                    if number == 250:
                        await shop.until(lambda: batches.sent > 0)
                        server.kill()
                server.start()
                await shop.until(lambda: len(shop.done) >= 500)
        finally:
            server.kill()
        assert sorted(shop.done) == list(range(500))

    run(story())
