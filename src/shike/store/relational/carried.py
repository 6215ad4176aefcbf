"""The part of a server's store that lets it be moved, exported and imported into. A dialect that has the statements
(`portable.sql`) takes it in."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

from shike.store.portable import Marker
from shike.store.records import Kind, Record
from shike.store.relational import loading, portable
from shike.store.relational.grants import Grants
from shike.store.relational.link import Link
from shike.store.relational.names import Names
from shike.store.relational.store import RelationalStore
from shike.store.relational.tx import Facts, Tx

CRASHES_UNUSED = 0


class CarriedStore(RelationalStore):
    """Keeps the promises of `shike.store.portable.Portable`. A snapshot is one transaction on a connection of its own:
    while it lasts, the server keeps old rows for it."""

    async def _link(self) -> Link:
        raise NotImplementedError

    @asynccontextmanager
    async def snapshot(self, *, still: bool = False) -> AsyncIterator[portable.Snapshot]:
        await self.marker()  # raises where the store is not open
        link = await self._link()
        try:
            tx = Tx(link, Facts(self.virtual_buckets, CRASHES_UNUSED), Names(), Grants())
            await tx.snapshot()
            await tx.rows("controls")  # from this instant on
            yield portable.Snapshot(tx)
        finally:
            await link.close()

    async def load(self, kind: Kind, records: Sequence[Record]) -> None:
        await self._run.write(loading.load, kind, records)

    async def restrict(self, marker: Marker | None) -> None:
        await self._run.write(portable.restrict, marker)

    async def marker(self) -> Marker | None:
        return await self._run.read(portable.marker)
