"""Live changes as server-sent events: of everything, and of one run. Hints only: whoever must not miss anything, reads.

A slow reader never slows down anybody: its queue is bounded, and `lost` tells it that it has to read anew.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator
from typing import Any, Final

import msgspec
from msgspec import Struct

from shike.lanes import queue_of
from shike.model import NEVER
from shike.operate import runs
from shike.operate.facts import RunFacts, instant
from shike.runtime import woken
from shike.server.ask import Ask, Nothing, Reply
from shike.server.bounds import STREAM_EVENTS_MAX, STREAM_PAUSE_SECONDS
from shike.server.paging import number_of
from shike.server.roles import Role
from shike.server.routes import API, Route, Rule
from shike.server.runs import found, hidden
from shike.store.hints import Hint

MEDIA_TYPE: Final = "text/event-stream"
ALIVE: Final = b": alive\n\n"
LOST: Final = b"event: lost\ndata: {}\n\n"
HEADERS: Final = {"cache-control": "no-store", "x-accel-buffering": "no"}


class Hinted(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What a hint says, without sessions: those are nobody's business."""

    queue: str = ""
    at: Any = None
    runs: tuple[str, ...] = ()
    name: str = ""


class Ear:
    """A bounded queue of what one listener has not read yet."""

    def __init__(self) -> None:
        self._waiting: deque[bytes] = deque()
        self._lost = False
        self._there = asyncio.Event()

    def hear(self, hint: Hint) -> None:
        """Never blocks: what does not fit any more is dropped, and told."""
        if len(self._waiting) >= STREAM_EVENTS_MAX:
            self._lost = True
        else:
            self._waiting.append(event_of(hint))
        self._there.set()

    async def read(self) -> bytes:
        """All that came; a sign of life where nothing did."""
        if not await woken(self._there, STREAM_PAUSE_SECONDS):
            return ALIVE
        self._there.clear()
        waiting, lost = b"".join(self._waiting), self._lost
        self._waiting.clear()
        self._lost = False
        return waiting + LOST if lost else waiting


def event_of(hint: Hint) -> bytes:
    """A hint as an event. The name of a session is an identity that others could speak for: it stays here."""
    change = Hinted(
        queue=queue_of(hint.queue),  # the lane of a worker has its session's name
        at=instant(hint.at) if hint.at != NEVER else None,
        runs=tuple(map(str, hint.run_ids)),
        name="" if hint.kind == "session" else hint.name,
    )
    return packed(hint.kind, change)


def packed(event: str, value: Any) -> bytes:
    """One event. JSON holds no line ends, so that its data is one line."""
    return b"event: " + event.encode() + b"\ndata: " + msgspec.json.encode(value) + b"\n\n"


async def everything(ask: Ask[None, Nothing]) -> Reply:
    """Each commit that somebody may want to know of."""

    async def events() -> AsyncIterator[bytes]:
        ear = Ear()
        async with ask.desk.streaming():
            unlisten = ask.desk.store.listen(ear.hear)
            try:
                yield ALIVE
                while True:
                    yield await ear.read()
            finally:
                unlisten()

    return Reply(stream=events(), media_type=MEDIA_TYPE, headers=dict(HEADERS))


async def one_run(ask: Ask[None, Nothing]) -> Reply:
    """One run, each time that something about it changes, until it is over."""
    run_id = number_of(ask.path["run"])
    await found(ask, run_id)

    async def events() -> AsyncIterator[bytes]:
        async with ask.desk.streaming():
            following = runs.follow(ask.desk.client, run_id)
            coming: asyncio.Task[RunFacts | None] | None = None
            try:
                while True:
                    coming = coming or asyncio.create_task(_following(following), name="shike:follow")
                    await asyncio.wait([coming], timeout=STREAM_PAUSE_SECONDS)
                    if not coming.done():
                        yield ALIVE
                        continue
                    facts, coming = coming.result(), None
                    if facts is None:
                        yield packed("end", {})
                        return
                    yield packed("run", hidden(facts))
            finally:
                if coming is not None:
                    coming.cancel()
                    await asyncio.wait([coming])

    return Reply(stream=events(), media_type=MEDIA_TYPE, headers=dict(HEADERS))


async def _following(facts: AsyncIterator[RunFacts]) -> RunFacts | None:
    return await anext(facts, None)


ROUTES = (
    Route(
        verb="GET", path=f"{API}/events", role=Role.VIEWER, rule=Rule.WHOLE, handler=everything, media_type=MEDIA_TYPE,
        lasting=True, words="Live changes, as server-sent events; `lost` says: read anew.",
    ),
    Route(
        verb="GET", path=f"{API}/runs/{{run}}/events", role=Role.VIEWER, also=(Role.SCHEDULER,), rule=Rule.QUEUE,
        handler=one_run, media_type=MEDIA_TYPE, lasting=True,
        words="One run as server-sent events, each time that it changes, until it is over.",
    ),
)  # fmt: skip
