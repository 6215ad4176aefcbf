"""The log of deeds is kept for so long, and dropped from its beginning on: a little each hour."""

from __future__ import annotations

import asyncio
import logging
from datetime import timedelta
from typing import Final

from shike.clock import to_datetime
from shike.counted import counted
from shike.errors import Conflict, StoreError
from shike.server.log import Log
from shike.store.base import Store

log = logging.getLogger("shike.server")

ROUND_SECONDS: Final = 3_600.0


async def keep(entries: Log, store: Store, days: float) -> None:
    """The role, until it is cancelled."""
    while True:
        try:
            before = to_datetime(await store.now()) - timedelta(days=days)
            gone = await entries.purge(None, "", before)
            if gone.count:
                log.info("the log of deeds lost %s, older than %g days", counted(gone.count, "entry", "entries"), days)
        except (StoreError, Conflict) as error:  # Conflict: another server is at it
            log.info("the log of deeds is looked through later: %s", error)
        await asyncio.sleep(ROUND_SECONDS)
