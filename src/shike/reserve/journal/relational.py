"""What the journals on SQL servers share: the protocol, over a connection of either dialect."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from shike.reserve.journal.base import Frame, Kept
from shike.reserve.relational_link import RelationalLink

FRAMES: Final = (
    "select ledger, version, count, checksum, body from {ns}_frames"
    " where ledger = {0} and version >= {1} order by version limit {2}"
)
KEPT: Final = "select ledger, version, checksum, sum, data from {ns}_kept where ledger = {0}"
LEDGERS: Final = "select distinct ledger from {ns}_frames where ledger > {0} order by ledger limit {1}"
INSERT: Final = "insert into {ns}_frames (ledger, version, count, checksum, body) values ({0}, {1}, {2}, {3}, {4})"


class RelationalJournal(RelationalLink):
    """The protocol over `_insert`."""

    keep_sql: str

    async def append(self, frames: Sequence[Frame]) -> None:
        await self._insist(lambda: self._insert(frames))

    async def frames(self, ledger: str, after: int = 0, most: int = 1_000) -> list[Frame]:
        rows = await self._do(lambda: self._query(self._sql(FRAMES), ledger, after, most))
        return [Frame(row[0], row[1], row[2], row[3], bytes(row[4])) for row in rows]

    async def keep(self, kept: Kept) -> None:
        words = (kept.ledger, kept.version, kept.checksum, kept.check, kept.data)
        await self._do(lambda: self._query(self._sql(self.keep_sql), *words))

    async def kept(self, ledger: str) -> Kept | None:
        rows = await self._do(lambda: self._query(self._sql(KEPT), ledger))
        return Kept(rows[0][0], rows[0][1], rows[0][2], rows[0][3], bytes(rows[0][4])) if rows else None

    async def ledgers(self, after: str = "", most: int = 1_000) -> list[str]:
        return [row[0] for row in await self._do(lambda: self._query(self._sql(LEDGERS), after, most))]

    async def _insert(self, frames: Sequence[Frame]) -> None:
        """All of the frames or none. Raises `Fenced` where a version is taken, or there is a gap before it."""
        raise NotImplementedError
