"""Journals of every kind, each in a namespace of its own that is gone after the test."""

from __future__ import annotations

import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from shike.reserve.journal import Journal, open_journal
from shike.reserve.journal.redis import RedisJournal
from shike.reserve.journal.relational import RelationalJournal
from tests import servers

KINDS = ("memory", "sqlite", "postgres", "mysql", "redis")


def as_it_is(kind: str) -> str:
    """The URL of the machine's server, with nothing accepted."""
    return servers.url(kind)


class Place:
    """Where a journal is kept; several writers may open it."""

    def __init__(self, kind: str, folder: Path) -> None:
        self.kind = kind
        self.namespace = f"t{secrets.token_hex(6)}"
        self.url = {"memory": "memory://", "sqlite": f"sqlite:///{folder}/journal.db"}.get(kind) or servers.url(kind)
        if kind == "redis":
            self.url += "?accept=no-aof,eviction"
        self._shared = open_journal(self.url, self.namespace)
        self._opened: list[Journal] = []

    async def journal(self) -> Journal:
        """One more way in, opened; of memory, where there is but one, the same."""
        journal = self._shared if self.kind == "memory" else open_journal(self.url, self.namespace)
        await journal.open()
        self._opened.append(journal)
        return journal

    async def clear(self) -> None:
        last: Any = self._opened[-1] if self._opened else None
        if isinstance(last, RelationalJournal):
            for table in ("frames", "kept"):
                await last._query(f"drop table if exists {self.namespace}_{table}")
        elif isinstance(last, RedisJournal):
            for key in await last._ask(("KEYS", f"{{{self.namespace}}}:*")):
                await last._ask(("DEL", key))
        for journal in self._opened:
            await journal.close()


@asynccontextmanager
async def place(kind: str, folder: Path) -> AsyncIterator[Place]:
    found = Place(kind, folder)
    try:
        yield found
    finally:
        await found.clear()
