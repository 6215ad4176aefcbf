"""A broker wakes the scheduler (R3.9), with real brokers: whatever becomes of its word, each run runs once, not early
(P2), and without the broker the scheduler goes by its own timer and says so once."""

from __future__ import annotations

import asyncio
import logging
import time
from pathlib import Path
from typing import Any

import pytest

from shike import Shike
from shike.connect import BrokerWaker, Delays, open_delays
from shike.engine import Roles
from tests import servers
from tests.unit.connect.brokers import TECHNIQUES, run, url_of

pytestmark = pytest.mark.servers

EACH_SECONDS = (0.5, 0.8, 0.8, 1.1)  # after which runs are due


class Shop:
    """An app in memory whose scheduler is woken by a broker; each run notes when it began, and when it was due."""

    def __init__(self, url: str, **named: Any) -> None:
        self.app = Shike("memory://")
        self.waker = BrokerWaker(url, namespace="shiketest", **named)
        self.early: list[float] = []
        self.began: list[int] = []
        self._all = asyncio.Event()
        self._expected = 0

        @self.app.task
        async def note(number: int, due: float) -> None:
            self.began.append(number)
            if time.time() < due:
                self.early.append(due - time.time())
            if len(self.began) == self._expected:
                self._all.set()

        self._note = note

    async def runs(self, *delays: float) -> None:
        """Submit one for each delay, and wait until all have begun."""
        self.began.clear()
        self._all.clear()
        self._expected = len(delays)
        for number, seconds in enumerate(delays):
            await self._note.in_(seconds).submit(number, time.time() + seconds)
        async with asyncio.timeout(60):
            await self._all.wait()

    async def until(self, answers: bool) -> None:
        async with asyncio.timeout(60):
            while self.waker.answers is not answers:
                await asyncio.sleep(0.01)


def each_ran_once(shop: Shop, delays: tuple[float, ...]) -> None:
    assert sorted(shop.began) == list(range(len(delays)))
    assert shop.early == [], "P2: not before"


@pytest.fixture(params=TECHNIQUES)
def url(request: pytest.FixtureRequest, notifying: str) -> str:
    if request.param == "amqp+exchange":
        pytest.skip("Debian has no package of the plug-in: its detection is tested in test_rabbit.py")
    return url_of(request.param, notifying)


def test_runs_are_woken_by_the_broker(url: str) -> None:
    async def story() -> None:
        shop = Shop(url)
        async with shop.app.running(Roles(waker=shop.waker)):
            await shop.until(True)
            await shop.runs(*EACH_SECONDS)
            each_ran_once(shop, EACH_SECONDS)
            async with asyncio.timeout(60):
                while shop.waker.woken < len(set(EACH_SECONDS)):
                    await asyncio.sleep(0.01)
        assert not shop.waker.answers

    run(story())


def changed(monkeypatch: pytest.MonkeyPatch, change: Any) -> None:
    """Whatever the waker sends goes through `change`, which answers with the delays to send it with."""
    real = Delays.send

    async def send(self: Delays, body: bytes, delay: Any, *, id: str = "") -> str:
        sent = [await real(self, body, one) for one in change(delay)]
        return sent[0] if sent else ""

    monkeypatch.setattr(Delays, "send", send)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        pytest.param(lambda seconds: [], 0, id="lost"),
        pytest.param(lambda seconds: [seconds, seconds], 2, id="twice"),
        pytest.param(lambda seconds: [seconds / 3], 1, id="early"),
        pytest.param(lambda seconds: [seconds + 60], 0, id="late"),
    ],
)
def test_whatever_becomes_of_a_word_each_run_runs_once_and_not_early(
    change: Any, words: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    changed(monkeypatch, change)

    async def story() -> None:
        shop = Shop(servers.url("nats"))
        async with shop.app.running(Roles(waker=shop.waker)):
            await shop.until(True)
            await shop.runs(*EACH_SECONDS)
            each_ran_once(shop, EACH_SECONDS)
            assert bool(shop.waker.woken) == bool(words)

    run(story())


def test_without_its_broker_the_scheduler_goes_on_and_says_so_once(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "shike")

    def told(words: str) -> int:
        return sum(words in record.message for record in caplog.records if record.name.startswith("shike"))

    async def story() -> None:
        server = servers.PrivateNats(tmp_path)
        shop = Shop(server.url)
        try:
            async with shop.app.running(Roles(waker=shop.waker)):
                await shop.runs(*EACH_SECONDS)
                each_ran_once(shop, EACH_SECONDS)
                assert (told("waking the scheduler by its broker fails"), shop.waker.woken) == (1, 0)
                server.start()
                await shop.until(True)
                await shop.runs(*EACH_SECONDS)
                each_ran_once(shop, EACH_SECONDS)
                assert told("by its broker works again") == 1 and shop.waker.woken > 0
                server.kill()
                await shop.until(False)
                await shop.runs(*EACH_SECONDS)
                each_ran_once(shop, EACH_SECONDS)
                assert told("waking the scheduler by its broker fails") == 2
        finally:
            server.kill()

    run(story())


def test_a_broker_that_stops_to_answer_keeps_no_run_waiting(tmp_path: Path) -> None:
    async def story() -> None:
        server = servers.PrivateRedis(tmp_path)
        server.start()
        shop = Shop(server.url)
        try:
            async with shop.app.running(Roles(waker=shop.waker)):
                await shop.until(True)
                server.pause()
                await shop.runs(*EACH_SECONDS)
                each_ran_once(shop, EACH_SECONDS)
                server.resume()
        finally:
            server.kill()

    run(story())


def test_a_word_that_is_none_is_passed_over() -> None:
    async def story() -> None:
        shop = Shop(servers.url("nats"))
        made: list[Delays] = []
        shop.waker._delays = lambda: (
            made.append(  # type: ignore[method-assign]
                open_delays(servers.url("nats"), "wake-foreign", namespace="shiketest", transient=True)
            )
            or made[-1]
        )
        async with shop.app.running(Roles(waker=shop.waker)):
            await shop.until(True)
            for body in (b"", b"-1", b"now", b"\xff", b"9" * 19, b"9" * 10_000):
                await made[0].send(body, 0)
            await shop.runs(*EACH_SECONDS)
            each_ran_once(shop, EACH_SECONDS)

    run(story())
