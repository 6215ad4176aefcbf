"""A listener harms nobody: what is slow, broken or stuck has a queue, a thread or task, and a time-out of its own."""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from collections.abc import Callable

import pytest

from shike import ears
from shike.ears import Ear
from shike.events import RUN_ENDED, Emitter, Event
from tests import bounded


def until(true: Callable[[], bool]) -> None:
    end = time.monotonic() + bounded.SECONDS
    while not true():
        assert time.monotonic() < end, "it never came true"
        time.sleep(0.001)


async def until_async(true: Callable[[], bool]) -> None:
    async with asyncio.timeout(bounded.SECONDS):
        while not true():
            await asyncio.sleep(0.001)


def test_a_sync_listener_hears_all_in_order_on_a_thread_of_its_own() -> None:
    heard: list[int] = []
    threads: set[int] = set()

    def listener(number: int) -> None:
        heard.append(number)
        threads.add(threading.get_ident())

    ear = Ear(listener)
    for number in range(200):
        ear.tell(number)
    asyncio.run(ear.rest())
    assert heard == list(range(200)) and threads - {threading.get_ident()} == threads and len(threads) == 1
    ear.tell(200)
    asyncio.run(ear.rest())
    assert heard[-1] == 200, "it goes on after a rest"


def test_a_listener_that_blocks_harms_neither_the_teller_nor_another(caplog: pytest.LogCaptureFixture) -> None:
    free, heard = threading.Event(), list[Event]()
    events = Emitter(aside=True)
    events.on(RUN_ENDED, lambda event: bool(free.wait(bounded.SECONDS)) and None)
    events.on(RUN_ENDED, heard.append)
    for number in range(10):
        events.emit(Event(event=RUN_ENDED, run_id=str(number)))
    until(lambda: len(heard) == 10)
    free.set()
    asyncio.run(events.rest())
    assert [ear.dropped for ear in events.ears] == [0, 0]


def test_what_does_not_fit_is_dropped_counted_and_said(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(ears, "LISTENER_CALLS_MAX", 3)
    free, begun, heard = threading.Event(), threading.Event(), list[int]()

    def slow(number: int) -> None:
        heard.append(number)
        begun.set()
        free.wait(bounded.SECONDS)

    ear = Ear(slow)
    ear.tell(0)
    assert begun.wait(bounded.SECONDS)
    with caplog.at_level(logging.ERROR, "shike.events"):
        for number in range(1, 12):
            ear.tell(number)
    assert ear.dropped == 8 and ear.told == 4
    assert [record.args for record in caplog.records] == [(ear.name, f"{count:,}") for count in (1, 2, 4, 8)]
    free.set()
    asyncio.run(ear.rest())
    assert heard == [0, 1, 2, 3]


def test_a_sync_listener_that_never_comes_back_is_given_up(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(ears, "LISTENER_SECONDS", 0.01)
    free, heard = threading.Event(), list[int]()

    def stuck(number: int) -> None:
        if number == 0:
            free.wait(bounded.SECONDS)
        heard.append(number)

    ear = Ear(stuck)
    ear.tell(0)
    numbers = iter(range(1, 1_000_000))

    def told() -> bool:
        if not heard:
            ear.tell(next(numbers))
        return bool(heard)

    until(told)
    assert 0 not in heard and ear.failed >= 1
    assert "it is given up" in caplog.text
    free.set()


def test_a_listener_that_never_comes_back_does_not_take_thread_after_thread(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(ears, "LISTENER_SECONDS", 0.0)
    free, here, heard = threading.Event(), set[int](), list[int]()

    def stuck(number: int) -> None:
        here.add(threading.get_ident())
        free.wait(bounded.SECONDS)
        heard.append(number)

    ear = Ear(stuck)

    def told(reached: Callable[[], bool]) -> Callable[[], bool]:
        def look() -> bool:
            ear.tell(len(here))
            return reached()

        return look

    until(told(lambda: len(here) == ears.STUCK_MAX + 1))
    for number in range(100):
        ear.tell(number)
    assert len(here) == ears.STUCK_MAX + 1 and caplog.text.count("it is given up") == ears.STUCK_MAX
    free.set()
    until(told(lambda: len(heard) > ears.STUCK_MAX + 1))


def test_an_async_listener_is_cancelled_when_it_takes_too_long(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(ears, "LISTENER_SECONDS", 0.01)
    heard: list[int] = []

    async def listener(number: int) -> None:
        if number == 0:
            await asyncio.get_running_loop().create_future()
        heard.append(number)

    async def story() -> None:
        ear = Ear(listener)
        ear.tell(0)
        ear.tell(1)
        await until_async(lambda: heard == [1])
        assert ear.failed == 1

    asyncio.run(story())
    assert "took longer than" in caplog.text


def test_an_async_listener_hears_what_another_thread_tells() -> None:
    heard: list[int] = []

    async def listener(number: int) -> None:
        heard.append(number)

    async def story() -> None:
        ear = Ear(listener)
        ear.tell(0)
        await asyncio.to_thread(ear.tell, 1)
        await until_async(lambda: heard == [0, 1])
        await ear.rest()
        heard.clear()

    asyncio.run(story())
    asyncio.run(story())  # on whatever loop there is


def test_an_object_that_is_called_is_a_listener_too() -> None:
    class Later:
        def __init__(self) -> None:
            self.heard: list[int] = []

        async def __call__(self, number: int) -> None:
            self.heard.append(number)

    later = Later()

    async def story() -> None:
        ear = Ear(later)
        ear.tell(7)
        await until_async(lambda: later.heard == [7])

    asyncio.run(story())
