"""The archivist: carries what is over to the store that keeps it for longer, for the buckets that this node owns."""

from __future__ import annotations

import asyncio
import logging

from shike.errors import BadSetting, StoreError
from shike.outage import Outage
from shike.scheduler.buckets import Buckets
from shike.store.archiving import Archiving

log = logging.getLogger("shike.scheduler")

ROUND_SECONDS = 5.0  # between two looks at what is over; a fraction of the day that the store keeps it itself
PAGE_RECORDS = 500  # of one bucket in one step: one transaction of the archive


class Archivist:
    """Work goes on whether or not the archive answers; the history waits for it."""

    def __init__(self, store: Archiving, buckets: Buckets) -> None:
        self._store = store
        self._buckets = buckets
        self._outage = Outage(log, "archiving")

    async def run(self) -> None:
        """The role. Two nodes that take a bucket for theirs for a moment carry the same, once."""
        while True:
            pause = ROUND_SECONDS
            try:
                while await self._carry():
                    pass
                self._outage.over()
            except (StoreError, BadSetting) as error:
                pause = max(self._outage.pause(error), ROUND_SECONDS)
            await asyncio.sleep(pause)

    async def _carry(self) -> int:
        return sum([await self._store.carry(one.low, one.high, PAGE_RECORDS) for one in self._buckets.in_hand()])
