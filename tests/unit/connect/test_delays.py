"""Delays by message queue, each technique on its real broker (R3.9): after the delay and never before, at least once,
whatever waits in front."""

from __future__ import annotations

import asyncio
import time
from datetime import UTC, datetime, timedelta

import pytest

from shike.connect import Delayed
from tests.unit.connect.brokers import TECHNIQUES, fresh, next_of, opened, receiving, run, url_of

pytestmark = pytest.mark.servers


@pytest.fixture(params=TECHNIQUES)
def url(request: pytest.FixtureRequest, notifying: str) -> str:
    return url_of(request.param, notifying)


def test_a_message_comes_after_its_delay_and_never_before(url: str) -> None:
    async def story() -> None:
        came: dict[str, int] = {}

        async def note(message: Delayed) -> None:
            came[message.id] = time.time_ns() // 1_000

        async with opened(url) as delays, receiving(delays, note) as queue:
            due = {}
            for millis in (0, 1, 7, 30, 64, 255, 400):
                before = time.time_ns() // 1_000
                due[await delays.send(b"x", millis / 1_000)] = before + millis * 1_000
            for _ in due:
                await next_of(queue)
        assert came.keys() == due.keys()
        assert all(came[one] >= due[one] for one in due), {one: came[one] - due[one] for one in due}

    run(story())


def test_a_short_delay_does_not_wait_for_a_long_one_that_was_sent_before(url: str) -> None:
    async def story() -> None:
        async with opened(url) as delays, receiving(delays) as came:
            long = await delays.send(b"long", 2.5)
            short = await delays.send(b"short", 0.1)
            assert [(await next_of(came)).id, (await next_of(came)).id] == [short, long]

    run(story())


def test_what_was_sent_comes_as_it_was_sent(url: str) -> None:
    async def story() -> None:
        body = bytes(range(256)) * 40
        async with opened(url) as delays, receiving(delays) as came:
            at = datetime.now(UTC) + timedelta(milliseconds=150)
            assert await delays.send(body, at, id="order/7:reminder") == "order/7:reminder"
            message = await next_of(came)
            assert (message.id, message.body) == ("order/7:reminder", body)
            assert abs(message.due_at - at.timestamp() * 1e6) <= 1
            await delays.send(b"", datetime.now(UTC) - timedelta(days=1))
            assert (await next_of(came)).body == b"", "an instant that is past: at once"

    run(story())


def test_what_a_receiver_could_not_take_comes_again(url: str) -> None:
    async def story() -> None:
        tries: list[str] = []

        async def fail_once(message: Delayed) -> None:
            tries.append(message.id)
            if len(tries) == 1:
                raise RuntimeError("the mail server is down")

        async with opened(url) as delays, receiving(delays, fail_once) as came:
            sent = await delays.send(b"x", 0.01)
            assert (await next_of(came)).id == sent
        assert tries == [sent, sent]

    run(story())


def test_what_a_receiver_had_in_hand_when_it_died_comes_to_another(url: str) -> None:
    async def story() -> None:
        name, taken = fresh(), asyncio.Event()

        async def hang(message: Delayed) -> None:
            taken.set()
            await asyncio.Event().wait()

        async with opened(url, name, hand_seconds=0.5) as first, receiving(first, hang):
            sent = await first.send(b"x", 0.01)
            await asyncio.wait_for(taken.wait(), 60)
        async with opened(url, name, hand_seconds=0.5) as second:
            async with receiving(second) as came:
                assert (await next_of(came)).id == sent
            await second.drop()

    run(story())


def test_what_came_due_while_nobody_received_comes_when_somebody_does(url: str) -> None:
    async def story() -> None:
        async with opened(url) as delays:
            sent = {await delays.send(b"x", 0.02) for _ in range(3)}
            async with receiving(delays) as came:
                assert {(await next_of(came)).id for _ in sent} == sent

    run(story())


def test_receivers_of_one_name_share_its_messages(url: str) -> None:
    async def story() -> None:
        name = fresh()
        async with opened(url, name) as one, opened(url, name) as other:
            async with receiving(one) as at_one, receiving(other) as at_other:
                sent = {await one.send(b"x", 0.2) for _ in range(60)}
                while at_one.qsize() + at_other.qsize() < len(sent):
                    await asyncio.sleep(0.01)
            came = [queue.get_nowait().id for queue in (at_one, at_other) for _ in range(queue.qsize())]
            assert sorted(came) == sorted(sent), "each came, to one of them"
            await one.drop()

    run(story())


def test_a_crowd_that_is_due_at_once_comes_and_each_once(url: str) -> None:
    """More than a receiver has in hand, than a driver has connections, and than one script takes."""

    async def story() -> None:
        async def slowly(message: Delayed) -> None:
            await asyncio.sleep(0.05)

        async with opened(url) as delays, receiving(delays, slowly) as came:
            at = datetime.now(UTC) + timedelta(seconds=1)
            sent = await asyncio.gather(*(delays.send(b"x", at) for _ in range(350)))
            assert sorted([(await next_of(came)).id for _ in sent]) == sorted(sent)

    run(story())


def test_names_are_kept_apart(url: str) -> None:
    async def story() -> None:
        async with opened(url) as one, opened(url) as other, receiving(one) as at_one, receiving(other) as at_other:
            same = fresh()
            to_one, to_other = await one.send(b"1", 0.01, id=same), await other.send(b"2", 0.01, id=same)
            assert to_one == to_other == same
            assert [(await next_of(at_one)).body, (await next_of(at_other)).body] == [b"1", b"2"]
            assert at_one.empty() and at_other.empty()

    run(story())


def test_a_transient_name_works_as_any_other(url: str) -> None:
    async def story() -> None:
        async with opened(url, fresh(), transient=True) as delays, receiving(delays) as came:
            sent = await delays.send(b"x", 0.05)
            assert (await next_of(came)).id == sent

    run(story())
