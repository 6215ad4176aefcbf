"""The janitor: drops what has been kept long enough, a little at a time."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable

from shike.bounds import (
    HISTORY_DEAD_SECONDS,
    HISTORY_SUCCESS_SECONDS,
    LEASE_SECONDS,
    PURGE_ROWS,
    RECEIPT_LEASES,
)
from shike.errors import StoreError
from shike.scheduler.leftovers import sweep
from shike.store.base import Store
from shike.store.verbs import Retention

log = logging.getLogger("shike.scheduler")

ROUND_SECONDS = 600.0
SESSIONS_SECONDS = 24 * 3600.0


def retention(
    success_seconds: float = HISTORY_SUCCESS_SECONDS,
    dead_seconds: float = HISTORY_DEAD_SECONDS,
    lease_seconds: float = LEASE_SECONDS,
) -> Retention:
    """What is kept unless told otherwise."""
    return Retention(
        success_seconds=success_seconds,
        dead_seconds=dead_seconds,
        receipt_seconds=RECEIPT_LEASES * lease_seconds,
        session_seconds=SESSIONS_SECONDS,
        rows_max=PURGE_ROWS,
    )


class Janitor:
    """Purges each ROUND_SECONDS, spread by chance so that nodes do not meet."""

    def __init__(self, store: Store, keep: Retention, draw: Callable[[], float]) -> None:
        self._store = store
        self._keep = keep
        self._draw = draw

    async def run(self) -> None:
        """The role."""
        while True:
            await asyncio.sleep(ROUND_SECONDS * (0.5 + self._draw()))
            try:
                while await self._store.purge(self._keep) >= self._keep.rows_max:
                    await asyncio.sleep(0.1)
                await sweep(self._store, self._keep)
            except StoreError as error:
                log.warning("purging is repeated later: %s", error)
