"""The user's own connection, of PyMySQL or asyncmy: the store's statements one by one, in the user's transaction.

Several statements in one text are refused by most connections, and a transaction that the user began is not ended to
find out. What belongs together is taken back together: by a savepoint.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from shike.errors import BadInput, ForeignStore, StoreUnavailable
from shike.store.guards import Entry
from shike.store.guests import Guest, no_transaction
from shike.store.mysql.faults import MISSING, NO_DATABASE, code_of, explained, is_end, words_of
from shike.store.mysql.texts import Text
from shike.store.relational.guest import GuestLink
from shike.store.relational.link import Row
from shike.store.relational.tx import Tx
from shike.store.rows import lane_of

IN_TRANSACTION, AUTOCOMMIT = 1, 2  # of the protocol's server status


async def name_place(tx: Tx, number: int) -> None:
    """Give the store something to be known by, unless it has."""
    await tx.run("place_name", number)


async def lay(tx: Tx, entries: Sequence[Entry], laid: set[int]) -> None:
    """Have the lanes of these runs there before the user's transaction needs them. `laid`: those that are."""
    await tx.learn(entry.run.queue for entry in entries)
    lanes = {lane_of(tx.names.number(entry.run.queue), entry.run.band) for entry in entries} - laid
    await tx.many("lanes_lay", [(lane,) for lane in sorted(lanes)])
    laid |= lanes


def link_of(guest: Guest, sql: dict[str, Text], where: str, packet_bytes: int) -> MySQLGuest:
    """A link over a connection. Its first statement raises `BadInput` where no transaction is open."""
    return (AsyncmyGuest if guest.is_async else PyMySQLGuest)(guest.raw, sql, where, packet_bytes)


class MySQLGuest(GuestLink):
    """`where` names the store in errors, `packet_bytes` is how long a statement may be."""

    def __init__(self, connection: Any, sql: dict[str, Text], where: str, packet_bytes: int) -> None:
        self._connection = connection
        self._sql = sql
        self._where = where
        self._packet_bytes = packet_bytes
        self._is_checked = False
        self._is_inside = False

    # ---------------------------------------------------------------- statements

    async def begin(self, *, snapshot: bool = False) -> None:
        await super().begin(snapshot=snapshot)
        self._is_inside = True

    async def commit(self) -> None:
        await super().commit()
        self._is_inside = False

    async def rollback(self) -> None:
        await super().rollback()
        self._is_inside = False

    async def execute(self, text: str) -> None:
        await self._ask(text)

    async def rows(self, name: str, values: Sequence[object]) -> Sequence[Row]:
        text = self._sql[name]
        return await self._step(text, [text.fill(values)])

    async def many(self, name: str, rows: Sequence[Sequence[object]], lead: Sequence[object]) -> Sequence[Row]:
        text = self._sql[name]
        if self._is_inside:
            return await self._all(text.parts(lead, rows, self._packet_bytes))
        return await self._step(text, [text.fill(lead, rows)])

    async def _step(self, text: Text, scripts: Iterable[str]) -> Sequence[Row]:
        """Several statements that belong together are all done, or none."""
        if self._is_inside or not text.is_step:
            return await self._all(scripts)
        await self.begin()
        try:
            found = await self._all(scripts)
            await self.commit()
        except Exception:
            await self.rollback()
            raise
        return found

    async def _all(self, scripts: Iterable[str]) -> Sequence[Row]:
        """The rows of the statements that answer any; no value holds the sign that parts them."""
        found: list[Row] = []
        for script in scripts:
            answers = [await self._ask(statement) for statement in script.split(";\n")]
            found += next((rows for rows in reversed(answers) if rows is not None), ())
        return found

    # ---------------------------------------------------------------- on the wire

    async def _ask(self, statement: str) -> Sequence[Row] | None:
        if len(statement) > self._packet_bytes:
            raise BadInput(
                f"{self._where} takes {self._packet_bytes} bytes at once, but this has {len(statement)}: submit "
                "less at once, or raise max_allowed_packet on the server"
            )
        try:
            if not self._is_checked:
                await self._check()
            return await self._fetch(statement)
        except Exception as error:
            raise self._ours(error) from error

    async def _check(self) -> None:
        """Each answer of the server tells whether a transaction is open; without autocommit, the next statement opens
        one."""
        if not self._is_open():
            raise BadInput("this connection is closed; give one that is open, with a transaction on it")
        await self._fetch("do 0")
        if self._connection.server_status & (IN_TRANSACTION | AUTOCOMMIT) == AUTOCOMMIT:
            raise no_transaction()
        self._is_checked = True

    async def _fetch(self, statement: str) -> Sequence[Row] | None:
        """None where a statement has no rows to answer."""
        raise NotImplementedError

    def _is_open(self) -> bool:
        raise NotImplementedError

    def _ours(self, error: Exception) -> Exception:
        """The error of ours; what the driver says of itself, and not the server, stays as it is."""
        code = code_of(error)
        if not code or not any(kind.__name__ == "MySQLError" for kind in type(error).__mro__):
            return error
        if is_end(code):
            return StoreUnavailable(f"the connection is lost ({words_of(error)}): repeat all of the transaction")
        if code in MISSING | NO_DATABASE:
            return ForeignStore(
                f"the tables of this app's store are missing where this connection looks ({words_of(error)}); give one "
                f"to the database of {self._where}"
            )
        return explained(code, words_of(error), self._where)


class PyMySQLGuest(MySQLGuest):
    """Of PyMySQL, also where it stands in for mysqlclient."""

    async def _fetch(self, statement: str) -> Sequence[Row] | None:
        from pymysql.cursors import Cursor

        with self._connection.cursor(Cursor) as cursor:
            cursor.execute(statement)
            return cursor.fetchall() if cursor.description else None

    def _is_open(self) -> bool:
        return bool(self._connection.open)


class AsyncmyGuest(MySQLGuest):
    """Of asyncmy, or its pool."""

    async def _fetch(self, statement: str) -> Sequence[Row] | None:
        from asyncmy.cursors import Cursor

        async with self._connection.cursor(Cursor) as cursor:
            await cursor.execute(statement)
            return await cursor.fetchall() if cursor.description else None

    def _is_open(self) -> bool:
        return bool(self._connection.connected)
