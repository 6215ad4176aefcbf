"""Listeners hear what happened here; none of them can harm anybody."""

from __future__ import annotations

import asyncio
import logging

import pytest

from shike.errors import BadInput
from shike.events import BY_STATE, NAMES, RUN_ENDED, RUN_REFUSED, RUN_STARTED, SESSION_LOST, Emitter, Event
from shike.model import TERMINAL, State


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


def test_each_end_has_a_name_of_its_own_and_one_that_they_share() -> None:
    assert {name for name in NAMES if name.startswith("run.")} == {
        *BY_STATE.values(), RUN_STARTED, RUN_ENDED, RUN_REFUSED,
    }  # fmt: skip
    assert set(BY_STATE) == {state.name for state in (*TERMINAL, State.FAILED)}


def test_what_cannot_be_called_cannot_listen() -> None:
    with pytest.raises(BadInput, match="cannot listen"):
        Emitter().on(RUN_ENDED, "a text")  # type: ignore[arg-type]


def test_a_quick_listener_of_ours_is_told_at_once() -> None:
    heard: list[Event] = []
    events = Emitter(aside=True)
    events.on(RUN_ENDED, heard.append, quick=True)
    events.emit(Event(event=RUN_ENDED))
    assert len(heard) == 1


def test_a_listener_to_two_events_hears_them_in_order() -> None:
    heard: list[str] = []
    events = Emitter(aside=True)

    def listener(event: Event) -> None:
        heard.append(event.event)

    events.on(RUN_STARTED, listener)
    events.on(RUN_ENDED, listener)
    for name in (RUN_STARTED, RUN_ENDED) * 20:
        events.emit(Event(event=name))
    asyncio.run(events.rest())
    assert heard == [RUN_STARTED, RUN_ENDED] * 20 and len(events.ears) == 1
