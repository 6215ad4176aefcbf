"""The read side: what is left, from the tail of the journal, in a process of its own that decides nothing.

It is behind the writer by as much as it was not refreshed: each answer says of which version, and of which instant it
is. Above a threshold it says "plenty", so that an answer may be kept for longer without being wrong.
"""

from __future__ import annotations

import asyncio

from msgspec import Struct

from shike.reserve.bounds import LEDGERS_MAX, PLENTY
from shike.reserve.journal.base import Journal
from shike.reserve.journal.reading import Read, follow, load
from shike.reserve.model import NEVER
from shike.reserve.query import available, table


class Seen(Struct, frozen=True):
    """`count` takes could be had at `version`, which was the last one at `as_of`; at least so many, if `is_plenty`."""

    count: int
    is_plenty: bool
    version: int
    as_of: int


class Page(Struct, eq=False):
    """One ledger on the board. `tables` are of its present version."""

    read: Read
    as_of: int = NEVER
    tables: dict[str, list[list[int]]] = {}


class Board:
    """Of one event loop. Refreshing is up to its owner: once a second, or when a writer says that it has committed."""

    def __init__(self, journal: Journal, *, plenty: int = PLENTY, ledgers_max: int = LEDGERS_MAX) -> None:
        self._journal = journal
        self._plenty = plenty
        self._ledgers_max = ledgers_max
        self._pages: dict[str, Page] = {}  # the one read first stands first
        self._refreshing: dict[str, asyncio.Task[int]] = {}

    async def refresh(self, ledger: str, now: int) -> int:
        """Read what has come since, once for all who ask at the same time; the version. Raises `DamagedJournal`."""
        task = self._refreshing.get(ledger)
        if task is None:
            task = self._refreshing[ledger] = asyncio.create_task(self._refresh(ledger, now))
            task.add_done_callback(lambda _task: self._refreshing.pop(ledger, None))
        return await asyncio.shield(task)

    async def _refresh(self, ledger: str, now: int) -> int:
        page = self._pages.get(ledger)
        if page is None:
            page = Page(await load(self._journal, ledger), tables={})
            while len(self._pages) >= self._ledgers_max:
                del self._pages[next(iter(self._pages))]
            self._pages[ledger] = page
        else:
            try:
                came = await follow(self._journal, ledger, page.read)
            except BaseException:
                self._pages.pop(ledger, None)  # it may be in the middle of a frame: read again from the snapshot
                raise
            if came:
                page.tables = {}
        page.as_of = max(page.as_of, now)
        return page.read.state.version

    def see(self, ledger: str, pool: str, start: int, end: int, *, at: int, channel: str = "") -> Seen:
        """What could be had of a section at that time. Raises `KeyError` for a ledger that was not refreshed yet,
        `BadCommand` for a pool or section that it does not have."""
        page = self._pages[ledger]
        state = page.read.state
        count = available(state, pool, start, end, at=at, channel=channel)
        is_plenty = count > self._plenty
        return Seen(self._plenty if is_plenty else count, is_plenty, state.version, page.as_of)

    def table(self, ledger: str, pool: str) -> list[list[int]]:
        """All sections of a pool at once, rules aside: counted once per version."""
        page = self._pages[ledger]
        if pool not in page.tables:
            page.tables[pool] = table(page.read.state, pool)
        return page.tables[pool]
