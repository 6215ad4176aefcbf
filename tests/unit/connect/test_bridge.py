"""A delayed message becomes a run: once for each id, however often it comes; what never can be a run is set aside."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable

import pytest

from shike import Shike
from shike.connect import Bridge, open_delays
from shike.connect.bridge import REFUSED
from shike.errors import BadInput, StoreUnavailable
from tests.unit.connect.brokers import WAIT_SECONDS, fresh, next_of, opened, receiving, run, url_of

pytestmark = pytest.mark.servers


class Shop:
    """An app and its bridge."""

    def __init__(self, url: str) -> None:
        self.app = Shike("memory://")
        self.url, self.name = url, fresh()
        self.bridge = Bridge(self.app, url, self.name, namespace="shiketest")
        self.cancelled: list[int] = []

        @self.app.task
        async def cancel_unpaid(number: int) -> None:
            self.cancelled.append(number)

        self.cancel_unpaid = cancel_unpaid

    async def until(self, true: Callable[[], bool]) -> None:
        async with asyncio.timeout(WAIT_SECONDS):
            while not true():
                await asyncio.sleep(0.01)

    async def drop(self) -> None:
        for name in (self.name, self.name + REFUSED):
            async with open_delays(self.url, name, namespace="shiketest") as delays:
                await delays.drop()


@pytest.fixture(params=["amqp", "nats", "redis", "redis+expiry"])
def shop(request: pytest.FixtureRequest, notifying: str) -> Shop:
    return Shop(url_of(request.param, notifying))


def test_a_delayed_message_becomes_one_run_for_each_id(shop: Shop) -> None:
    async def story() -> None:
        async with shop.app.running(), shop.bridge.serving() as bridge:
            for number in (7, 8):
                await bridge.submit(shop.cancel_unpaid.bind(number), 0.2, id=f"order/{number}")
            await shop.until(lambda: len(shop.cancelled) == 2)
            await bridge.submit(shop.cancel_unpaid.bind(7), id="order/7")  # a repeat, after the first was run
            await bridge.submit(shop.cancel_unpaid.bind(9), 0.1)
            await shop.until(lambda: 9 in shop.cancelled)
        assert sorted(shop.cancelled) == [7, 8, 9]
        await shop.drop()

    run(story())


def test_a_message_that_comes_again_because_the_store_did_not_answer_is_one_run(shop: Shop) -> None:
    async def story() -> None:
        real, tries = shop.app.client.deliver, []

        async def deaf(entries):  # type: ignore[no-untyped-def]
            tries.append(len(entries))
            answer = await real(entries)
            if len(tries) == 1:
                raise StoreUnavailable("the answer was lost")
            return answer

        shop.app.client.deliver = deaf  # type: ignore[method-assign]
        async with shop.app.running(), shop.bridge.serving() as bridge:
            await bridge.submit(shop.cancel_unpaid.bind(7), 0.05)
            await shop.until(lambda: bridge.handed_on == 1)
            await shop.until(lambda: bool(shop.cancelled))
        assert (shop.cancelled, tries) == ([7], [1, 1])
        await shop.drop()

    run(story())


def test_what_never_can_be_a_run_is_set_aside_and_holds_up_nothing(shop: Shop) -> None:
    bad = [
        b"",
        b"\xff",
        b"[]",
        b"{}",
        json.dumps({"task": "nobody"}).encode(),
        json.dumps({"task": "cancel_unpaid", "args": "[7]"}).encode(),
        json.dumps({"task": "cancel_unpaid", "args": '{"order": 7}'}).encode(),
        json.dumps({"task": "cancel_unpaid", "args": '{"number": 7}', "options": '{"shell": "rm"}'}).encode(),
    ]

    async def story() -> None:
        async with shop.app.running(), shop.bridge.serving() as bridge:
            async with opened(shop.url, shop.name) as delays:
                for body in bad:
                    await delays.send(body, 0)
            await bridge.submit(shop.cancel_unpaid.bind(7), 0.05)
            await shop.until(lambda: bridge.refused == len(bad) and shop.cancelled == [7])
        async with opened(shop.url, shop.name + REFUSED) as aside, receiving(aside) as came:
            assert sorted([(await next_of(came)).body for _ in bad]) == sorted(bad)
        await shop.drop()

    run(story())


def test_a_call_with_a_time_of_its_own_is_refused() -> None:
    shop = Shop("redis://localhost/")
    for task in (shop.cancel_unpaid.in_("10m"), shop.cancel_unpaid.in_(0)):
        with pytest.raises(BadInput, match=r"bridge\.submit"):
            run(shop.bridge.submit(task.bind(7)))  # type: ignore[arg-type]
    with pytest.raises(BadInput):
        Bridge(shop.app, "redis://localhost/", "x" * 60)
