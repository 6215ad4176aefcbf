"""One connection: statements by name, columns of values as arrays."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager
from typing import Any

import asyncpg

from shike.clock import to_datetime
from shike.store.postgres.faults import BROKEN, translated
from shike.store.relational.link import Row
from shike.store.relational.statements import filled, texts
from shike.store.relational.tx import DAY_MICROS

CLOCK = "(extract(epoch from clock_timestamp()) * 1000000)::bigint"
STORE = "hashtextextended('{ns}@' || current_schema(), 0)"  # a number for this store within its database
CHANNEL = f"'shike_' || to_hex({STORE})"
CLOSE_SECONDS = 1.0
ALIKE = "-- alike"  # at the head of a statement that takes one value for a column that holds nothing else
BEGIN = "begin isolation level read committed read write"  # whatever the database's default is
SNAPSHOT = "begin isolation level repeatable read read only"
WAITS = {  # of a connection, or of each transaction where a pooler stands between
    "lock_timeout": "5s",  # then the step is taken back and repeated
    "idle_in_transaction_session_timeout": "10s",  # a process that hangs in mid-step keeps nobody's rows for longer
}


def statements(namespace: str) -> dict[str, str]:
    """All texts for one namespace."""
    words = {"channel": CHANNEL, "store": STORE, "ns": namespace, "clock": CLOCK}
    return {name: filled(text, words) for name, text in texts("shike.store.postgres").items()}


class PostgresLink:
    """A connection of `shike.store.relational.link.Link`. `where` names the server in errors.
    `pooled`: a pooler stands between, so nothing can be set for the connection."""

    def __init__(
        self, connection: asyncpg.Connection, sql: dict[str, str], where: str, *, pooled: bool = False
    ) -> None:
        self.connection = connection
        self._sql = sql
        self._where = where
        self._waits = "".join(f"; set local {name} = '{value}'" for name, value in WAITS.items()) if pooled else ""
        self._is_inside = False
        self._is_broken = False

    @property
    def is_usable(self) -> bool:
        return not (self._is_inside or self._is_broken or self.connection.is_closed())

    async def begin(self, *, snapshot: bool = False) -> None:
        self._is_inside = True
        async with self._guarded():
            await self.connection.execute((SNAPSHOT if snapshot else BEGIN) + self._waits)

    async def commit(self) -> None:
        async with self._guarded():
            await self.connection.execute("commit")
        self._is_inside = False

    async def rollback(self) -> None:
        if self._is_broken:  # it will be dropped, which takes the transaction back
            return
        try:
            await self.connection.execute("rollback")
            self._is_inside = False
        except (asyncpg.PostgresError, *BROKEN):
            self._is_broken = True

    async def rows(self, name: str, values: Sequence[object]) -> Sequence[Row]:
        async with self._guarded():
            return await self.connection.fetch(self._sql[name], *values)  # type: ignore[no-any-return]

    async def run(self, name: str, values: Sequence[object]) -> int:
        async with self._guarded():
            status: str = await self.connection.execute(self._sql[name], *values)
        return int(status.rpartition(" ")[2])

    async def many(self, name: str, rows: Sequence[Sequence[object]], lead: Sequence[object]) -> Sequence[Row]:
        text = self._sql[name]
        columns: Iterable[Sequence[object]] = zip(*rows, strict=True)
        if text.startswith(ALIKE):
            columns = map(_briefly, columns)
        async with self._guarded():
            return await self.connection.fetch(text, *lead, *columns)  # type: ignore[no-any-return]

    async def columns(self, name: str, values: Sequence[object]) -> Sequence[Sequence[Any]]:
        async with self._guarded():
            row = await self.connection.fetchrow(self._sql[name], *values)
        return [] if row is None or row[0] is None else tuple(row)

    async def day(self, name: str, day: int) -> None:
        start = day * DAY_MICROS
        words = {"day": f"{to_datetime(start):%Y%m%d}", "start": str(start), "end": str(start + DAY_MICROS)}
        async with self._guarded():
            await self.connection.execute(filled(self._sql[name], words))

    async def close(self) -> None:
        try:
            await self.connection.close(timeout=CLOSE_SECONDS)
        except (asyncpg.PostgresError, *BROKEN):
            self.drop()

    def drop(self) -> None:
        self._is_broken = True
        for request in getattr(self.connection, "_cancellations", ()):  # to cancel a statement whose answer nobody
            request.cancel()  # awaits: it is short, and the loop may be about to end
        try:
            transport = self.connection._transport
            line: socket.socket | None = transport.get_extra_info("socket") if transport is not None else None
            if self.connection._loop.is_closed() and line is not None:
                line.shutdown(socket.SHUT_RDWR)  # the server is told; the file goes with the connection
            else:
                self.connection.terminate()
        except (asyncpg.PostgresError, *BROKEN, RuntimeError):
            pass

    @asynccontextmanager
    async def _guarded(self) -> AsyncIterator[None]:
        try:
            yield
        except asyncio.CancelledError:
            self._is_broken = True
            raise
        except asyncpg.PostgresError as error:
            raise translated(error, self._where) from error
        except BROKEN as error:
            self._is_broken = True
            raise translated(error, self._where) from error


def _briefly(column: Sequence[object]) -> Sequence[object]:
    """One value for all, where they are alike: what the driver does with a value costs more than this look."""
    first = column[0]
    return (first,) if first == column[-1] and column.count(first) == len(column) else column
