"""The part of `SQLiteStore` that lets it be moved, exported and imported into."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, closing
from pathlib import Path
from typing import TYPE_CHECKING, Any

from shike.clock import Clock
from shike.store.portable import Marker
from shike.store.records import Kind, Record
from shike.store.sqlite import loading, portable
from shike.store.sqlite.database import connect
from shike.store.sqlite.options import Options
from shike.store.sqlite.statements import Statements
from shike.store.sqlite.tx import Facts, Tx


class Carried:
    """Keeps the promises of `shike.store.portable.Portable`. A snapshot is one read transaction on a connection of its
    own; while it lasts, the log beside the database grows by what others write."""

    namespace: str
    virtual_buckets: int
    clock: Clock
    _options: Options
    _path: Path
    _crashes_max: int

    if TYPE_CHECKING:

        async def _write(self, verb: Any, *words: Any) -> Any: ...

        async def _read(self, read: Any, *words: Any) -> Any: ...

    @asynccontextmanager
    async def snapshot(self, *, still: bool = False) -> AsyncIterator[portable.Snapshot]:
        await self._read(portable.marker)  # raises where the store is not open
        with closing(await asyncio.to_thread(connect, self._options, read_only=True)) as connection:
            connection.execute("begin")
            connection.execute("select 1 from sqlite_master limit 1").fetchone()  # from this instant on
            facts = Facts(self.virtual_buckets, self._crashes_max)
            yield portable.Snapshot(Tx(connection, Statements(self.namespace), self.clock, facts), self._path)

    async def load(self, kind: Kind, records: Sequence[Record]) -> None:
        await self._write(loading.load, kind, records)

    async def restrict(self, marker: Marker | None) -> None:
        await self._write(portable.restrict, marker)

    async def marker(self) -> Marker | None:
        found: Marker | None = await self._read(portable.marker)
        return found
