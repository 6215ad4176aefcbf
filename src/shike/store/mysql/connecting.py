"""A connection of ours: made, set up, and what to say where it was not made."""

from __future__ import annotations

import asyncio
from typing import Any

import asyncmy
from asyncmy.errors import MySQLError

from shike.errors import StoreUnavailable
from shike.store.mysql.faults import BROKEN, code_of, translated
from shike.store.mysql.link import MySQLLink, cut
from shike.store.mysql.options import Options
from shike.store.mysql.texts import MARIADB, Flavour, Text

FOUND_ROWS = 2  # of the protocol's flags: an update counts what it finds, changed or not
PACKET_BYTES = 4 << 20  # until the server has said what it takes
SETTINGS = (
    "set session transaction isolation level read committed;\n"
    "set names utf8mb4 collate {collation}, time_zone = '+00:00',"
    " sql_mode = 'STRICT_ALL_TABLES,NO_ENGINE_SUBSTITUTION', innodb_lock_wait_timeout = 5, lock_wait_timeout = 5,"
    " group_concat_max_len = 16777216"
)
OF_MARIADB = (  # a list of numbers stays one, however long; a process that hangs keeps nobody's rows
    ", in_predicate_conversion_threshold = 0, idle_transaction_timeout = 60"
)


async def connected(options: Options) -> Any:
    """A connection of asyncmy. Raises `StoreUnavailable`, `StoreError`."""
    connection = asyncmy.Connection(  # type: ignore[no-untyped-call]  # as its stubs have it
        **options.words, client_flag=FOUND_ROWS, autocommit=True
    )
    try:
        async with asyncio.timeout(options.connect_seconds):  # the driver's own ends before the server says a word
            await connection.connect()
    except TimeoutError as error:
        cut(connection)
        raise StoreUnavailable(
            f"{options.where} does not answer (nothing within {options.connect_seconds:g} s); is it MySQL or MariaDB, "
            "and does it run?"
        ) from error
    except (MySQLError, *BROKEN) as error:
        if code_of(error) == 2003 or isinstance(error, OSError):
            raise StoreUnavailable(
                f"{options.where} does not answer ({error.args[-1]}); is the server running, and the URL right?"
            ) from error
        raise translated(error, options.where) from error
    return connection


async def set_up(
    connection: Any, sql: dict[str, Text], flavour: Flavour, options: Options, packet_bytes: int
) -> MySQLLink:
    """The link over it, in the session that our statements expect."""
    link = MySQLLink(connection, sql, options.where, options.call_seconds, packet_bytes)
    settings = SETTINGS.format(collation=flavour.collation)
    try:
        await link.execute(settings + OF_MARIADB if flavour is MARIADB else settings)
    except BaseException:
        link.drop()
        raise
    return link
