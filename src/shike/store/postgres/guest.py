"""The user's own connection, of asyncpg or psycopg: the store's statements as they are, in the user's transaction."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from shike.errors import BadInput
from shike.store.guests import Guest, aborted, no_transaction
from shike.store.postgres.faults import explained
from shike.store.relational.guest import GuestLink
from shike.store.relational.link import Row

ABORTED = "25P02"
IDLE, IN_ERROR = 0, 3  # of libpq's transaction status


def link_of(guest: Guest, sql: dict[str, str], where: str) -> PostgresGuest:
    """A link over a connection whose transaction is open. Raises `BadInput` where none is, or none that lives."""
    if guest.driver == "asyncpg":
        return AsyncpgGuest(guest.raw, sql, where)
    return AsyncPsycopgGuest(guest.raw, sql, where) if guest.is_async else PsycopgGuest(guest.raw, sql, where)


class PostgresGuest(GuestLink):
    """`where` names the store in errors."""

    def __init__(self, connection: Any, sql: dict[str, str], where: str) -> None:
        self._connection = connection
        self._sql = sql
        self._where = where

    async def rows(self, name: str, values: Sequence[object]) -> Sequence[Row]:
        try:
            return await self._fetch(self._sql[name], values)
        except Exception as error:
            raise self._ours(error) from error

    async def many(self, name: str, rows: Sequence[Sequence[object]], lead: Sequence[object]) -> Sequence[Row]:
        return await self.rows(name, [*lead, *map(list, zip(*rows, strict=True))])

    async def execute(self, text: str) -> None:
        try:
            await self._fetch(text, ())
        except Exception as error:
            raise self._ours(error) from error

    async def _fetch(self, text: str, values: Sequence[object]) -> Sequence[Row]:
        raise NotImplementedError

    def _ours(self, error: Exception) -> Exception:
        """The error of ours; what the driver says of itself, and not the server, stays as it is."""
        code = getattr(error, "sqlstate", None)
        if code is None:
            return error
        return aborted(error) if code == ABORTED else explained(error, self._where)


class AsyncpgGuest(PostgresGuest):
    """Of asyncpg, or its pool."""

    def __init__(self, connection: Any, sql: dict[str, str], where: str) -> None:
        super().__init__(connection, sql, where)
        if not connection.is_in_transaction():
            raise no_transaction()

    async def _fetch(self, text: str, values: Sequence[object]) -> Sequence[Row]:
        return await self._connection.fetch(text, *values)  # type: ignore[no-any-return]


class PsycopgGuest(PostgresGuest):
    """Of psycopg 3.2 or newer, whose raw cursors take our statements as they are."""

    def __init__(self, connection: Any, sql: dict[str, str], where: str) -> None:
        super().__init__(connection, sql, where)
        _check_psycopg(connection)

    async def _fetch(self, text: str, values: Sequence[object]) -> Sequence[Row]:
        from psycopg import RawCursor
        from psycopg.rows import tuple_row

        with RawCursor(self._connection, row_factory=tuple_row) as cursor:
            cursor.execute(text, values or None)
            return cursor.fetchall() if cursor.description else ()


class AsyncPsycopgGuest(PostgresGuest):
    """The same, of an AsyncConnection."""

    def __init__(self, connection: Any, sql: dict[str, str], where: str) -> None:
        super().__init__(connection, sql, where)
        _check_psycopg(connection)

    async def _fetch(self, text: str, values: Sequence[object]) -> Sequence[Row]:
        from psycopg import AsyncRawCursor
        from psycopg.rows import tuple_row

        async with AsyncRawCursor(self._connection, row_factory=tuple_row) as cursor:
            await cursor.execute(text, values or None)
            return await cursor.fetchall() if cursor.description else ()


def _check_psycopg(connection: Any) -> None:
    """psycopg begins a transaction by itself before the first statement, but not in autocommit."""
    if connection.closed:
        raise BadInput("this connection is closed; give one that is open, with a transaction on it")
    status = connection.info.transaction_status
    if status == IN_ERROR:
        raise aborted("its status says so")
    if status == IDLE and connection.autocommit:
        raise no_transaction()
