"""Writing rows on a connection of the user's own, in the transaction that is open there."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Sequence
from typing import Any

from shike.errors import BadInput, ForeignStore, StoreUnavailable
from shike.outbox.table import first_line
from shike.store.guests import Guest, no_transaction, reach
from shike.store.opening import driver_missing

Written = tuple[str, str, str]  # task, arguments, options


async def post(connection: Any, rows: Sequence[Written], *, dialect: str, name: str, where: str) -> None:
    """Write rows into the outbox `name`. Gives way to an event loop only where the driver does.

    Raises `BadInput` where no transaction is open or the connection speaks another dialect, `ForeignStore` where the
    database has no such table, `StoreUnavailable` where the server took the transaction back.
    """
    guest = await reach(connection)
    if guest.dialect != dialect:
        raise BadInput(
            f"this connection speaks {guest.dialect}, and the outbox lies in {where}; give one that leads there"
        )
    try:
        if dialect == "sqlite":
            await _on_file(guest, rows, name)
        elif dialect == "postgres":
            await _on_postgres(guest, rows, name, where)
        else:
            await _on_mysql(guest, rows, name, where)
    except ImportError as error:
        raise driver_missing(dialect, dialect, error) from error
    except ForeignStore as error:
        raise ForeignStore(
            f"the database of this connection has no outbox {name} that this program can use "
            f"({first_line(error.__cause__ or error)}); make it there: shike outbox create URL"
        ) from error


async def _on_postgres(guest: Guest, rows: Sequence[Written], name: str, where: str) -> None:
    from shike.outbox.postgres.table import statements
    from shike.store.postgres.guest import link_of
    from shike.store.relational.link import Again

    try:
        await link_of(guest, statements(name), where).many("post", rows, ())
    except Again as error:
        raise _taken_back(error) from error


async def _on_mysql(guest: Guest, rows: Sequence[Written], name: str, where: str) -> None:
    from shike.outbox.mysql.table import statements
    from shike.store.mysql.connecting import PACKET_BYTES
    from shike.store.mysql.guest import link_of
    from shike.store.mysql.texts import MARIADB
    from shike.store.relational.link import Again

    link = link_of(guest, statements(name, MARIADB), where, PACKET_BYTES)
    await link.begin()  # more than the server takes at once goes in parts
    try:
        await link.many("post", rows, ())
        await link.commit()
    except Exception as error:
        await link.rollback()
        if isinstance(error, Again):
            raise _taken_back(error) from error
        raise


async def _on_file(guest: Guest, rows: Sequence[Written], name: str) -> None:
    def write(connection: sqlite3.Connection) -> None:
        _write(connection, rows, name)

    if guest.is_async:  # aiosqlite works on a thread of its own
        await guest.raw._execute(write, guest.raw._conn)
    else:
        write(guest.raw)


def _write(connection: sqlite3.Connection, rows: Sequence[Written], name: str) -> None:
    from shike.outbox.sqlite.table import statements

    sql = statements(name)
    try:
        connection.execute(sql["touch"])
        if not connection.in_transaction:
            raise no_transaction()
        connection.execute(sql["post"], [json.dumps(rows)])
    except sqlite3.ProgrammingError as error:
        raise BadInput(f"this connection cannot be used here: {error}") from error
    except sqlite3.OperationalError as error:
        if "no such table" in str(error):
            raise ForeignStore(str(error)) from error
        raise StoreUnavailable(
            f"the file took no row for the outbox ({error}): roll back, and repeat all of it"
        ) from error


def _taken_back(error: Exception) -> StoreUnavailable:
    return StoreUnavailable(f"the database took this transaction back ({error}): roll back, and repeat all of it")
