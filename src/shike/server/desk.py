"""What all requests of a server work at: client and open store, the app where there is one, keys, meters, log."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from shike.client import Client
from shike.clock import Clock
from shike.errors import RateLimited
from shike.operate.accept import Tasks
from shike.server.bounds import METRICS_SECONDS, STREAMS_MAX, WAITERS_MAX
from shike.server.console.live import Live
from shike.server.console.signins import SignIns
from shike.server.grants import Grants
from shike.server.keys import Keys
from shike.server.log import Log
from shike.server.meters import Meters
from shike.store.base import Store
from shike.store.codec import Codec, Plain

if TYPE_CHECKING:
    from shike.app import Shike


class Desk:
    """Of one server, on one open store."""

    def __init__(self, client: Client, store: Store, app: Shike | None = None) -> None:
        runtime = client.runtime
        self.client = client
        self.store = store
        self.app = app
        self.clock = runtime.clock
        self.entropy = runtime.entropy
        self.keys = Keys(store, runtime.clock, runtime.entropy)
        self.sign_ins = SignIns(store, self.keys, runtime.clock, runtime.entropy)
        self.live = Live(runtime.clock)
        self.meters = Meters(runtime.clock)
        self.log = Log(store, runtime.clock)
        self.grants = Grants()
        self.tasks = Tasks(app)
        self.streams = 0  # listeners at the moment
        self.waiters = 0  # long polls at the moment
        self.figures = Figures(runtime.clock)

    @property
    def codec(self) -> Codec:
        """What reads arguments and results: the app's, or none."""
        return self.client.codec if self.app is not None else Plain()

    @asynccontextmanager
    async def streaming(self) -> AsyncIterator[None]:
        """Around one stream of changes; raises `RateLimited` where there are too many."""
        if self.streams >= STREAMS_MAX:
            raise RateLimited(
                f"{STREAMS_MAX} listen already; ask again when somebody has left", retry_after_seconds=5.0
            )
        self.streams += 1
        try:
            yield
        finally:
            self.streams -= 1

    @asynccontextmanager
    async def waiting(self) -> AsyncIterator[None]:
        """Around one long poll; raises `RateLimited` where there are too many."""
        if self.waiters >= WAITERS_MAX:
            raise RateLimited(
                f"{WAITERS_MAX:,} requests wait already; ask without wait_seconds", retry_after_seconds=1.0
            )
        self.waiters += 1
        try:
            yield
        finally:
            self.waiters -= 1


class Figures:
    """A text that costs something to make: made anew at most every METRICS_SECONDS."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._made_at = -METRICS_SECONDS
        self._text = ""

    async def get(self, make: Callable[[], Awaitable[str]]) -> str:
        """The text, as young as that."""
        if not self._text or self._clock.monotonic() - self._made_at >= METRICS_SECONDS:
            self._text = await make()
            self._made_at = self._clock.monotonic()
        return self._text
