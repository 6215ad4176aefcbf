"""Listeners hear what happened here; none of them can harm anybody."""

from __future__ import annotations

import asyncio
import logging

import pytest

from shike.errors import BadInput
from shike.events import NAMES, RUN_ENDED, RUN_REFUSED, SESSION_LOST, Emitter, Event


def test_an_unknown_event_is_refused_with_the_list_of_what_there_is() -> None:
    with pytest.raises(BadInput) as refused:
        Emitter().on("run.finished", print)
    assert all(name in str(refused.value) for name in NAMES)


def test_nobody_builds_an_event_that_nobody_wants() -> None:
    events = Emitter()
    assert not events.wanted(RUN_ENDED)
    events.on(RUN_REFUSED, print)
    assert events.wanted(RUN_REFUSED) and not events.wanted(RUN_ENDED)
    events.on("*", print)
    assert all(events.wanted(name) for name in NAMES)


def test_a_listener_hears_its_event_and_the_star_hears_all() -> None:
    heard: list[tuple[str, str]] = []
    events = Emitter()
    events.on(RUN_ENDED, lambda event: heard.append(("one", event.event)))
    events.on("*", lambda event: heard.append(("all", event.event)))
    events.emit(Event(event=RUN_ENDED))
    events.emit(Event(event=SESSION_LOST))
    assert heard == [("one", RUN_ENDED), ("all", RUN_ENDED), ("all", SESSION_LOST)]


def test_a_listener_that_fails_harms_nobody(caplog: pytest.LogCaptureFixture) -> None:
    heard: list[str] = []

    def broken(event: Event) -> None:
        raise RuntimeError("a listener's fault")

    async def broken_later(event: Event) -> None:
        await asyncio.sleep(0)
        raise RuntimeError("another's")

    async def sound(event: Event) -> None:
        await asyncio.sleep(0)
        heard.append(event.reason)

    async def story() -> None:
        events = Emitter()
        for listener in (broken, broken_later, sound):
            events.on(SESSION_LOST, listener)
        events.emit(Event(event=SESSION_LOST, reason="why"))
        assert heard == [], "an async listener is not waited for"
        while not heard or len(asyncio.all_tasks()) > 1:
            await asyncio.sleep(0)

    with caplog.at_level(logging.ERROR, "shike.events"):
        asyncio.run(story())
    assert heard == ["why"] and len(caplog.records) == 2


def test_listeners_that_never_end_are_bounded(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("shike.events.LISTENER_CALLS_MAX", 2)
    heard: list[str] = []

    async def story() -> None:
        done = asyncio.Event()

        async def slow(event: Event) -> None:
            heard.append(event.run_id)
            await done.wait()

        emitter = Emitter()
        emitter.on(RUN_ENDED, slow)
        for number in range(4):
            emitter.emit(Event(event=RUN_ENDED, run_id=str(number)))
            await asyncio.sleep(0)
        done.set()
        await asyncio.sleep(0.01)
        emitter.emit(Event(event=RUN_ENDED, run_id="after"))
        await asyncio.sleep(0)

    asyncio.run(story())
    assert heard == ["0", "1", "after"]
    assert caplog.text.count("is dropped") == 2
