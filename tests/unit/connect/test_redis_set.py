"""Redis: what another program put into the set."""

from __future__ import annotations

import pytest

from shike.connect.delays.redis_set import RedisSetDelays
from tests import servers
from tests.unit.connect.brokers import next_of, opened, receiving, run

pytestmark = pytest.mark.servers


def test_a_message_that_is_not_as_ours_are_holds_up_no_other_and_comes_once() -> None:
    async def story() -> None:
        async with opened(servers.url("redis")) as delays:
            assert isinstance(delays, RedisSetDelays)
            redis, (due, messages) = delays._link.client, delays._keys
            for raw, packed in ((b"short", b"abc"), (b"\xff", bytes(8) + b"strange")):
                await redis.hset(messages, raw, packed)
                await redis.zadd(due, {raw: 0})
            await delays.send(b"ours", 0)
            async with receiving(delays) as came:
                assert {(await next_of(came)).body for _ in range(3)} == {b"abc", b"strange", b"ours"}
                await delays.send(b"last", 0)
                assert (await next_of(came)).body == b"last"
            assert await redis.zcard(due) <= 1, "at most the last is in hand still"

    run(story())
