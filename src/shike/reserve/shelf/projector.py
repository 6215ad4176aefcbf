"""From the journal's tail to a shelf, at a pace of its own; and from the beginning, when a shelf is to be made anew."""

from __future__ import annotations

import asyncio
import logging
from collections import OrderedDict
from typing import Final

from shike.clock import Clock
from shike.errors import ShikeError
from shike.outage import Outage
from shike.reserve.bounds import LEDGERS_MAX
from shike.reserve.journal.base import Journal
from shike.reserve.journal.reading import Read, follow, load
from shike.reserve.shelf.base import Page, Row, Shelf
from shike.reserve.state import State

log = logging.getLogger("shike.reserve")

PACE_SECONDS: Final = 1.0


class Projector:
    """Of one event loop. Several may fill one shelf: the newest version stays."""

    def __init__(self, journal: Journal, shelf: Shelf, clock: Clock, *, ledgers_max: int = LEDGERS_MAX) -> None:
        self._journal, self._shelf, self._clock = journal, shelf, clock
        self._ledgers_max = ledgers_max
        self._reads: OrderedDict[str, Read] = OrderedDict()

    async def run(self, seconds: float = PACE_SECONDS) -> None:
        """Look again and again, with so long a pause between two looks, until cancelled."""
        outage = Outage(log, "filling a shelf")
        while True:
            pause = seconds
            try:
                await self.look()
                outage.over()
            except ShikeError as error:
                pause = max(seconds, outage.pause(error))
            await asyncio.sleep(pause)

    async def look(self) -> int:
        """Put what is new; how many ledgers were. Raises `DamagedJournal`, `StoreUnavailable`."""
        now, count, after = self._clock.wall(), 0, ""
        there = await self._shelf.versions()
        while page := await self._journal.ledgers(after):
            for ledger in page:
                read = await self._read(ledger)
                if read.state.version > there.get(ledger, 0):
                    count += await self._shelf.put(page_of(ledger, read.state))
            after = page[-1]
        await self._shelf.looked(now)
        return count

    async def rebuild(self) -> int:
        """Take everything away, and put all of it anew from the journal; how many ledgers there were."""
        self._reads.clear()
        await self._shelf.clear()
        return await self.look()

    async def _read(self, ledger: str) -> Read:
        read = self._reads.get(ledger)
        if read is None:
            read = self._reads[ledger] = await load(self._journal, ledger)
            while len(self._reads) > self._ledgers_max:
                self._reads.popitem(last=False)
            return read
        try:
            await follow(self._journal, ledger, read)
        except BaseException:
            del self._reads[ledger]  # it may be in the middle of a frame
            raise
        return read


def page_of(ledger: str, state: State) -> Page:
    """What is left of each pool on each segment."""
    rows = []
    for name, pool in state.pools.items():
        left = pool.left if pool.counted else [mask.bit_count() for mask in pool.free]
        for segment, count in enumerate(left):
            rows.append(Row(name, segment + state.origin, state.labels[segment], pool.size, count))
    return Page(ledger, state.version, tuple(rows))
