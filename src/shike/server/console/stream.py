"""What changes, as server-sent events: any number of topics on one connection."""

from __future__ import annotations

from collections.abc import AsyncIterator
from functools import cache
from importlib import import_module
from pkgutil import iter_modules
from typing import Annotated, Final

from msgspec import Meta, Struct

from shike.errors import BadField
from shike.server.ask import Ask, Reply
from shike.server.console import pages
from shike.server.console.live import ALIVE, Topic
from shike.server.console.page import CONSOLE
from shike.server.roles import Role
from shike.server.routes import Face, Route, Rule

MEDIA_TYPE: Final = "text/event-stream"
HEADERS: Final = {"x-accel-buffering": "no"}


class TopicsWanted(Struct, frozen=True, forbid_unknown_fields=True):
    """Names of topics."""

    topics: Annotated[tuple[str, ...], Meta(min_length=1, max_length=8)]


@cache
def topics() -> dict[str, Topic]:
    """All topics of all pages, by name."""
    modules = [import_module(f"{pages.__name__}.{one.name}") for one in iter_modules(pages.__path__)]
    return {topic.name: topic for module in modules for topic in getattr(module, "TOPICS", ())}


async def stream(ask: Ask[None, TopicsWanted]) -> Reply:
    """The values of these topics, each time that they change."""
    wanted = [topics().get(name) for name in ask.query.topics]
    known = [topic for topic in wanted if topic is not None]
    if len(known) < len(wanted):
        raise BadField(f"topics are {', '.join(sorted(topics()))}", field="topics")
    if any(topic.is_whole for topic in known):
        ask.who.whole()

    async def events() -> AsyncIterator[bytes]:
        async with ask.desk.streaming():
            viewer = ask.desk.live.join(ask.desk, known)
            try:
                yield ALIVE
                while True:
                    yield await viewer.read()
            finally:
                ask.desk.live.leave(viewer)

    return Reply(stream=events(), media_type=MEDIA_TYPE, headers=dict(HEADERS))


ROUTES = (
    Route(
        verb="GET", path=f"{CONSOLE}/live", role=Role.VIEWER, rule=Rule.QUEUE, handler=stream, query=TopicsWanted,
        media_type=MEDIA_TYPE, lasting=True, face=Face.CONSOLE, words="What changes, for the pages that are open.",
    ),
)  # fmt: skip
