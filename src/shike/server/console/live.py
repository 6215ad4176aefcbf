"""What many look at is read once: values shared for a moment, and topics that are read anew while anybody listens.

Two hundred viewers of one page cost one reader: its value is read, encoded and compared once a period, and only where
it changed are the same bytes handed to every listener. Who reads slowly misses values in between, never the last one.
"""

from __future__ import annotations

import asyncio
import logging
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Collection, Hashable
from typing import TYPE_CHECKING, Any, Final

import msgspec
from msgspec import Struct

from shike.clock import Clock
from shike.errors import ShikeError
from shike.runtime import woken

if TYPE_CHECKING:
    from shike.server.desk import Desk

log = logging.getLogger("shike.server")

SHARED_MAX: Final = 500  # values that are remembered at once
PAUSE_SECONDS: Final = 15.0  # between two signs of life on a silent stream
ALIVE: Final = b": alive\n\n"


class Topic(Struct, frozen=True, kw_only=True):
    """Something that changes and is looked at. `read` gives a value for JSON; it may be costly: it is called once."""

    name: str
    seconds: float  # how often it is read while anybody listens
    read: Callable[[Desk], Awaitable[Any]]
    is_whole: bool = True  # about everything: not for keys of some queues


class Viewer:
    """One listener: the newest of each of its topics that it has not been given yet."""

    def __init__(self) -> None:
        self._waiting: dict[str, bytes] = {}
        self._there = asyncio.Event()

    def put(self, topic: str, event: bytes) -> None:
        """Never blocks; takes the place of an older one."""
        self._waiting[topic] = event
        self._there.set()

    async def read(self) -> bytes:
        """What is new; a sign of life where nothing is."""
        if not await woken(self._there, PAUSE_SECONDS):
            return ALIVE
        self._there.clear()
        waiting, self._waiting = self._waiting, {}
        return b"".join(waiting.values())


class Feed:
    """Reads one topic while it has viewers."""

    def __init__(self, topic: Topic, desk: Desk) -> None:
        self._topic = topic
        self._desk = desk
        self._viewers: dict[Viewer, None] = {}
        self._last = b""
        self._task: asyncio.Task[None] | None = None
        self.reads = 0
        self.changes = 0

    def add(self, viewer: Viewer) -> None:
        """From now on; the last value at once."""
        self._viewers[viewer] = None
        if self._last:
            viewer.put(self._topic.name, self._last)
        if self._task is None:
            self._task = asyncio.get_running_loop().create_task(self._go(), name=f"shike:live:{self._topic.name}")

    def drop(self, viewer: Viewer) -> bool:
        """No more; True once nobody looks."""
        self._viewers.pop(viewer, None)
        if self._viewers:
            return False
        if self._task is not None:
            self._task.cancel()
        return True

    async def _go(self) -> None:
        while True:
            try:
                value = msgspec.json.encode(await self._topic.read(self._desk))
                self.reads += 1
            except ShikeError as error:
                log.warning("%s cannot be read: %s", self._topic.name, error)
                value = b'{"lost":true}'
            event = b"event: " + self._topic.name.encode() + b"\ndata: " + value + b"\n\n"
            if event != self._last:
                self._last = event
                self.changes += 1
                for viewer in self._viewers:
                    viewer.put(self._topic.name, event)
            await asyncio.sleep(self._topic.seconds)


class Live:
    """Of one server: its feeds, and the values that are shared for a moment."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._feeds: dict[str, Feed] = {}
        self.kept: dict[str, Any] = {}  # what a page remembers from one reading to the next
        self._values: OrderedDict[Hashable, tuple[float, asyncio.Future[Any]]] = OrderedDict()

    @property
    def feeds(self) -> dict[str, Feed]:
        """Those that are read at the moment, by topic."""
        return dict(self._feeds)

    def told(self, topic: str) -> int:
        """How often a topic has changed: what is shared after a change is no older than that change."""
        return self._feeds[topic].changes if topic in self._feeds else 0

    def forget(self) -> None:
        """Share nothing that was read before: somebody here has just changed it."""
        self._values.clear()

    def join(self, desk: Desk, topics: Collection[Topic]) -> Viewer:
        """A viewer of these topics, until it `leave`s."""
        viewer = Viewer()
        for topic in topics:
            if topic.name not in self._feeds:
                self._feeds[topic.name] = Feed(topic, desk)
            self._feeds[topic.name].add(viewer)
        return viewer

    def leave(self, viewer: Viewer) -> None:
        """It looks no more."""
        for name, feed in list(self._feeds.items()):
            if feed.drop(viewer):
                del self._feeds[name]

    async def shared(self, key: Hashable, seconds: float, make: Callable[[], Awaitable[Any]]) -> Any:
        """The value of `make`, at most so old: however many ask, one of them makes it. What it raises is not kept."""
        now = self._clock.monotonic()
        until, value = self._values.get(key, (now, None))
        if value is None or until <= now or (value.done() and (value.cancelled() or value.exception() is not None)):
            value = asyncio.ensure_future(make())
            self._values[key] = (now + seconds, value)
            self._values.move_to_end(key)
            while len(self._values) > SHARED_MAX:
                self._values.popitem(last=False)
        return await asyncio.shield(value)
