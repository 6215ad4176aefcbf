"""The end of a connection, as an event."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any

from shike.errors import BrokerUnavailable


class Loss:
    """Tells whoever waits that a connection is gone. Once; to be made on the loop that waits."""

    def __init__(self) -> None:
        self._told: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def tell(self, why: BaseException | str | None) -> None:
        """The connection ended, perhaps for this reason."""
        if not self._told.done():
            self._told.set_exception(BrokerUnavailable(f"the connection to the broker was lost: {why or 'it closed'}"))
            self._told.exception()  # nobody may be waiting

    async def during(self, work: Coroutine[Any, Any, None]) -> None:
        """Do work until it ends or fails, or the connection is lost."""
        task = asyncio.ensure_future(work)
        try:
            await asyncio.wait([task, self._told], return_when=asyncio.FIRST_COMPLETED)
        finally:
            task.cancel()
            await asyncio.wait([task])
        if not task.cancelled():
            task.result()
        await self.wait()

    async def wait(self) -> None:
        """Raises `BrokerUnavailable` when it is lost."""
        await asyncio.shield(self._told)
