"""The resumer: ends the pauses of queues, tasks, tags and keys whose time is over."""

from __future__ import annotations

import asyncio
import logging

from shike.bounds import SLEEP_SECONDS_MAX, SWEEP_SECONDS
from shike.clock import MICROS
from shike.errors import Conflict, StoreError
from shike.outage import Outage
from shike.runtime import woken
from shike.scheduler.buckets import Buckets
from shike.store import past
from shike.store.base import QUEUE_SWITCH, Control, Store
from shike.store.hints import Hint, HintKind
from shike.store.pauses import PAUSE, unpack_note

log = logging.getLogger("shike.scheduler")


class Resumer:
    """Reads the rows of pauses when one changes, and sleeps until the first of them ends. Two at once do no harm: a row
    is deleted in the version that was seen."""

    def __init__(self, store: Store, buckets: Buckets) -> None:
        self._store = store
        self._buckets = buckets
        self._wake = asyncio.Event()
        self._outage = Outage(log, "resuming what was paused for a time")

    def hinted(self, hint: Hint) -> None:
        if hint.kind in (HintKind.QUEUE, HintKind.MISSED):
            self.turn_over()

    def turn_over(self) -> None:
        """Look again: a pause was made or ended, or it may be this node's turn now."""
        self._wake.set()

    async def run(self) -> None:
        """The role."""
        while True:
            try:
                ahead = await resume_over(self._store) if self._buckets.holder_of(0) is not None else None
                self._outage.over()
                # no longer than a second where one ends soon: a jump of the store's clock is seen then
                pause = SWEEP_SECONDS if ahead is None else min(max(ahead, 0.001), SLEEP_SECONDS_MAX)
            except StoreError as error:
                pause = self._outage.pause(error)
            await woken(self._wake, pause)
            self._wake.clear()


async def resume_over(store: Store) -> float | None:
    """End the pauses whose time is over by the store's clock; after how many seconds the next one ends (None: none)."""
    rows = [(unpack_note(row.value).until, row) for row in await pauses(store)]
    timed = [(until, row) for until, row in rows if until]
    if not timed:
        return None
    now = await store.now()
    for until, row in timed:
        if until <= now:
            try:
                await store.put(row.key, None, expect=row.version)
                await past.ended(store, row.key)
            except Conflict:
                pass  # somebody changed it just now: it is read again
    left = [until for until, _ in timed if until > now]
    return (min(left) - now) / MICROS if left else None


async def pauses(store: Store) -> list[Control]:
    """The rows of everything that is paused."""
    return [*await store.controls(QUEUE_SWITCH), *await store.controls(PAUSE)]
