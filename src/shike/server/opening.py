"""The store behind a server: opened with the first request, whoever drives the event loop."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import TYPE_CHECKING, Any, TypeVar

from shike.client import Client
from shike.errors import StoreError, StoreLost, StoreMoved
from shike.server.desk import Desk

if TYPE_CHECKING:
    from shike.app import Shike

T = TypeVar("T")


class Opening:
    """Makes the desk once. A mounted application hears of no start: so there is none."""

    def __init__(self, client: Client, app: Shike | None = None) -> None:
        self._client = client
        self._app = app
        self._desk: Desk | None = None
        self._lock = asyncio.Lock()
        self.on_gone: list[Callable[[StoreMoved | StoreLost], object]] = []

    async def desk(self) -> Desk:
        """The desk; raises `StoreError` where the store cannot be opened (the next request tries again)."""
        if self._desk is None:
            async with self._lock:
                if self._desk is None:
                    self._desk = Desk(self._client, await self._client.store(), self._app)
        return self._desk

    def gone(self, error: StoreMoved | StoreLost) -> None:
        """The store is another one now, or elsewhere: whoever runs this server has to end it, or to start anew."""
        for callback in self.on_gone:
            callback(error)

    async def here(self, work: Coroutine[Any, Any, T]) -> T:
        """Await work of the store on the loop where it lives."""
        return await self._client.here(work)

    async def close(self) -> None:
        """Write what was only counted. The store is its opener's to close."""
        desk, self._desk = self._desk, None
        if desk is not None:
            try:
                await desk.log.write_sums()
            except StoreError:
                pass  # the counts of the last seconds are lost: no deed is
