"""NATS JetStream: what survives a restart, a server without JetStream, and the trap of a steady stream of naks."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path

import pytest

from shike.connect import Delayed, open_delays
from shike.connect.delays import jetstream
from shike.errors import BrokerLacks, BrokerUnavailable
from tests import servers
from tests.unit.connect.brokers import fresh, next_of, opened, receiving, run

pytestmark = pytest.mark.servers

STREAM_SECONDS = 2.0  # of messages, one each EACH_SECONDS
EACH_SECONDS = 0.005
DELAY_SECONDS = 0.25


async def worst_late(url: str) -> float:
    """How late, in s, the latest of a steady stream of messages came that were all delayed alike."""
    late: list[float] = []

    async def note(message: Delayed) -> None:
        late.append(time.time() - message.due_at / 1e6)

    async with opened(url) as delays, receiving(delays, note) as came:
        begun = time.monotonic()
        count = int(STREAM_SECONDS / EACH_SECONDS)
        for number in range(count):
            await asyncio.sleep(max(begun + number * EACH_SECONDS - time.monotonic(), 0))
            await delays.send(b"x", DELAY_SECONDS)
        for _ in range(count):
            await next_of(came)
    return max(late)


def test_the_trap_naks_without_a_gap_hold_up_the_servers_timer(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """nats-server 2.9 sets a consumer's timer to 10 ms with each nak: put back one by one, all wait for the last."""

    async def story() -> None:
        server = servers.PrivateNats(tmp_path)
        server.start()
        try:
            gathered = await worst_late(server.url)
            monkeypatch.setattr(jetstream, "NAK_GATHER_SECONDS", 0.0)
            one_by_one = await worst_late(server.url)
        finally:
            server.kill()
        if "2.9." in server.log():
            assert gathered < one_by_one / 2, (gathered, one_by_one)

    run(story())


def test_what_waits_survives_a_server_that_is_killed(tmp_path: Path) -> None:
    async def story() -> None:
        server = servers.PrivateNats(tmp_path)
        server.start()
        try:
            async with opened(server.url, "orders", hand_seconds=1.0) as delays:
                sent = {await delays.send(b"x", millis / 1_000) for millis in (500, 1_000, 2_000)}
                with pytest.raises(BrokerUnavailable):
                    async with receiving(delays):
                        await asyncio.sleep(0.2)
                        server.kill()
                        await delays._link._loss.wait()  # type: ignore[attr-defined]
                with pytest.raises(BrokerUnavailable):
                    await delays.send(b"x", 1)
            server.start()
            async with opened(server.url, "orders", hand_seconds=1.0) as delays, receiving(delays) as came:
                assert {(await next_of(came)).id for _ in sent} == sent
        finally:
            server.kill()

    run(story())


def test_a_server_without_jetstream_is_told_of(tmp_path: Path) -> None:
    async def story() -> None:
        server = servers.PrivateNats(tmp_path, jetstream=False)
        server.start()
        try:
            with pytest.raises(BrokerLacks, match="-js") as caught:
                await open_delays(server.url, fresh()).open()
            assert caught.value.needs == "JetStream"
        finally:
            server.kill()

    run(story())


def test_an_id_that_is_sent_twice_within_two_minutes_comes_once() -> None:
    async def story() -> None:
        async with opened(servers.url("nats")) as delays, receiving(delays) as came:
            for _ in range(3):
                await delays.send(b"x", 0.05, id="order/7")
            last = await delays.send(b"last", 0.3)
            assert [(await next_of(came)).id, (await next_of(came)).id] == ["order/7", last]

    run(story())
