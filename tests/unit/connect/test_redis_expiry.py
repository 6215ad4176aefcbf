"""Redis: the word that a key expired is a hint and never the only source; the server's setting is the user's."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from redis.asyncio import Redis

from shike.connect.delays.redis_expiry import SETTING
from shike.errors import BrokerLacks, BrokerUnavailable
from tests import servers
from tests.unit.connect.brokers import next_of, opened, receiving, run

pytestmark = pytest.mark.servers


def expiry(url: str) -> str:
    return url.replace("redis://", "redis+expiry://")


def test_a_notification_that_is_lost_is_made_up_for_by_the_scan(notifying: str) -> None:
    async def story() -> None:
        async with opened(expiry(notifying)) as delays, receiving(delays) as came, Redis.from_url(notifying) as redis:
            sent = await delays.send(b"x", 2.0)
            (key,) = [one async for one in redis.scan_iter(match=f"*{delays.name}*wake:*")]
            await redis.delete(key)  # so nothing expires, and nobody is told
            assert (await next_of(came)).id == sent

    run(story())


def test_it_is_the_notification_that_wakes_where_one_comes(notifying: str, monkeypatch: pytest.MonkeyPatch) -> None:
    from shike.connect.delays import redis_expiry

    monkeypatch.setattr(redis_expiry, "SCAN_SECONDS", 3_600.0)

    async def story() -> None:
        async with opened(expiry(notifying)) as delays, receiving(delays) as came:
            await asyncio.sleep(0.2)  # its first look is over
            sent = await delays.send(b"x", 0.05)
            assert (await next_of(came)).id == sent
            await delays.send(b"x", 0.05)  # and one more: the ear may listen for an hour before it hears of the end
            await next_of(came)

    run(story())


def test_a_server_that_does_not_notify_is_told_of_and_left_as_it_is(tmp_path: Path) -> None:
    async def story() -> None:
        server = servers.PrivateRedis(tmp_path, "--notify-keyspace-events", "Kg")
        server.start()
        try:
            async with Redis.from_url(server.url, decode_responses=True) as redis:
                with pytest.raises(BrokerLacks, match="set_notifications=True") as caught:
                    async with opened(expiry(server.url)):
                        pass
                assert caught.value.needs == SETTING
                before = (await redis.config_get(SETTING))[SETTING]
                assert set(before) == set("Kg"), "never changed unless the user says so by name"
                async with opened(expiry(server.url), set_notifications=True):
                    pass
                assert set((await redis.config_get(SETTING))[SETTING]) == set("KgEx"), "what was set before stays"
        finally:
            server.stop()

    run(story())


def test_a_server_that_does_not_tell_its_settings_is_used_with_a_warning(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async def story() -> None:
        server = servers.PrivateRedis(tmp_path, "--rename-command", "CONFIG", "")
        server.start()
        try:
            async with opened(expiry(server.url)) as delays, receiving(delays) as came:
                sent = await delays.send(b"x", 0.05)
                assert (await next_of(came)).id == sent
        finally:
            server.stop()
        assert "the scan is sure" in caplog.text

    run(story())


def test_an_id_that_waits_already_is_not_sent_a_second_time(notifying: str) -> None:
    async def story() -> None:
        async with opened(notifying) as delays, receiving(delays) as came:
            for _ in range(3):
                await delays.send(b"x", 0.1, id="order/7")
            last = await delays.send(b"last", 0.3)
            assert [(await next_of(came)).id, (await next_of(came)).id] == ["order/7", last]

    run(story())


@pytest.mark.parametrize("technique", ["redis", "redis+expiry"])
def test_a_server_that_goes_is_told_of_and_what_waits_survives_its_restart(technique: str, tmp_path: Path) -> None:
    async def story() -> None:
        server = servers.PrivateRedis(tmp_path, "--notify-keyspace-events", "Ex")
        server.start()
        where = server.url.replace("redis", technique, 1)
        try:
            async with opened(where, "orders") as delays:
                sent = {await delays.send(b"x", millis / 1_000) for millis in (500, 1_500)}
                with pytest.raises(BrokerUnavailable):
                    async with receiving(delays) as came:
                        server.stop()
                        await next_of(came)
                with pytest.raises(BrokerUnavailable):
                    await delays.send(b"x", 1)
            server.start()
            async with opened(where, "orders") as delays, receiving(delays) as came:
                assert {(await next_of(came)).id for _ in sent} == sent
        finally:
            server.kill()

    run(story())
