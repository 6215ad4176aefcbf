"""What the journals on SQL servers share: one connection, made on use, one statement at a time."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Final, TypeVar

from shike.errors import StoreUnavailable
from shike.reserve.journal.base import Frame, Kept
from shike.store.relational.link import Again

T = TypeVar("T")

FRAMES: Final = (
    "select ledger, version, count, checksum, body from {ns}_frames"
    " where ledger = {0} and version >= {1} order by version limit {2}"
)
KEPT: Final = "select ledger, version, checksum, sum, data from {ns}_kept where ledger = {0}"
LEDGERS: Final = "select distinct ledger from {ns}_frames where ledger > {0} order by ledger limit {1}"
INSERT: Final = "insert into {ns}_frames (ledger, version, count, checksum, body) values ({0}, {1}, {2}, {3}, {4})"
CALL_SECONDS: Final = 10.0  # as a call of a store: then the connection is given up, and what it did is unknown


class RelationalJournal:
    """The protocol over `_connect`, `_query`, `_insert`; how parameters are written is the dialect's."""

    marks: tuple[str, ...]
    where: str

    def __init__(self, namespace: str) -> None:
        self._namespace = namespace
        self._connection: Any = None
        self._lock = asyncio.Lock()
        self._is_made = False

    async def open(self) -> None:
        await self._do(lambda: self._query("select 1"))

    async def close(self) -> None:
        async with self._lock:
            if self._connection is not None:
                await self._leave()
                self._give_up()

    async def append(self, frames: Sequence[Frame]) -> None:
        for last in (False, False, True):
            try:
                await self._do(lambda: self._insert(frames))
                return
            except Again as error:  # the server took it back, whole
                if last:
                    raise StoreUnavailable(f"{self.where} is too busy to write; repeat the commands") from error

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

    keep_sql: str

    async def _connect(self) -> Any:
        raise NotImplementedError

    async def _make(self) -> None:
        raise NotImplementedError

    async def _query(self, sql: str, *words: Any) -> Sequence[Any]:
        raise NotImplementedError

    async def _insert(self, frames: Sequence[Frame]) -> None:
        raise NotImplementedError

    async def _leave(self) -> None:
        """Say good-bye, where the driver has to be told."""

    def _give_up(self) -> None:
        raise NotImplementedError

    async def _do(self, work: Callable[[], Awaitable[T]]) -> T:
        """On the one connection; whatever goes wrong with it, or takes too long, ends it."""
        async with self._lock:
            is_well = False
            try:
                async with asyncio.timeout(CALL_SECONDS):
                    if self._connection is None:
                        self._connection = await self._connect()
                    if not self._is_made:
                        await self._make()
                        self._is_made = True
                    found = await work()
                    is_well = True
                    return found
            except TimeoutError as error:
                raise StoreUnavailable(f"{self.where} has not answered for {CALL_SECONDS:.0f} s") from error
            finally:
                if not is_well:
                    self._give_up()

    def _sql(self, text: str) -> str:
        return text.format(*self.marks, ns=self._namespace)
