"""Submitting inside the caller's own transaction: the run exists if, and only if, the caller's rows do."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from msgspec.structs import replace

from shike.bounds import CRASHES_MAX
from shike.clock import Clock, SystemClock
from shike.errors import BadInput, ForeignStore
from shike.ids import virtual_bucket
from shike.ids.runs import BUCKET_BITS, SEQUENCE_BITS
from shike.store.guards import Entry
from shike.store.sqlite.options import check_namespace
from shike.store.sqlite.statements import Statements
from shike.store.sqlite.submit import submit
from shike.store.sqlite.tx import Facts, Tx
from shike.store.verbs import Submitted

_STEP = 1 << BUCKET_BITS
_BLOCK = 1 << (SEQUENCE_BITS + BUCKET_BITS)  # the run ids of one session number


def submit_on(
    connection: sqlite3.Connection, entries: Sequence[Entry], *, namespace: str = "shike", clock: Clock | None = None
) -> list[Submitted]:
    """Store runs on a connection of the caller, in the transaction that is open there; the caller commits or not.

    The store's tables must be in the same database file. A run whose id is 0 is given one. Nobody is told at the
    commit: workers find the runs with their next beat, within a second, or at once after `SQLiteStore.nudge(queue)`.
    How safe the commit is depends on the connection's own `synchronous`. Raises `BadInput` where no transaction is open
    (in autocommit mode), `ForeignStore` where the file holds no store of this namespace, and as `Store.submit`.
    """
    check_namespace(namespace)
    sql = Statements(namespace)
    _check_thread(connection)
    with _plain_rows(connection):
        try:
            facts = dict(connection.execute(sql.plain("meta_read")).fetchall())
        except sqlite3.OperationalError as error:
            raise ForeignStore(
                f"this database holds no store {namespace!r} ({error}); open a SQLiteStore on it once"
            ) from error
        connection.execute(sql.plain("meta_touch"))
        if not connection.in_transaction:
            raise BadInput(
                "no transaction is open on this connection; begin one, so that your rows and the run share it"
            )
        tx = Tx(connection, sql, clock or SystemClock(), Facts(facts["virtual_buckets"], CRASHES_MAX))
        with _all_or_nothing(connection):
            return submit(tx, _numbered(tx, entries))


def _check_thread(connection: sqlite3.Connection) -> None:
    try:
        connection.cursor().close()  # the driver refuses whatever is asked of it on another thread
    except sqlite3.ProgrammingError as error:
        raise BadInput(f"this connection cannot be used here: {error}") from error


def _numbered(tx: Tx, entries: Sequence[Entry]) -> list[Entry]:
    """Entries whose runs all have an id."""
    number = sum(1 for entry in entries if not entry.run.id)
    fresh = iter(range(_reserve(tx, number), 1 << 63, _STEP)) if number else iter(())
    numbered = []
    for entry in entries:
        if not entry.run.id:
            high = next(fresh)
            buckets = tx.facts.virtual_buckets
            home = virtual_bucket(entry.run.key, buckets) if entry.run.key else (high >> BUCKET_BITS) % buckets
            entry = replace(entry, run=replace(entry.run, id=high | home))
        numbered.append(entry)
    return numbered


def _reserve(tx: Tx, count: int) -> int:
    """The first of so many run ids. They come out of the block of one session number, kept in `meta`."""
    facts: dict[str, int] = dict(tx.all("meta_read"))
    first, end = facts.get("outside_next", 0), facts.get("outside_end", 0)
    if first + count * _STEP > end:
        number = tx.run("session_outside", tx.now, tx.now).lastrowid or 0
        first = number * _BLOCK
        tx.run("meta_write", "outside_end", first + _BLOCK)
    tx.run("meta_write", "outside_next", first + count * _STEP)
    return int(first)


@contextmanager
def _all_or_nothing(connection: sqlite3.Connection) -> Iterator[None]:
    """An error leaves nothing of ours in the caller's transaction, and what was the caller's as it was."""
    connection.execute("savepoint shike_submit")
    try:
        yield
    except BaseException:
        connection.execute("rollback to shike_submit")
        raise
    finally:
        connection.execute("release shike_submit")


@contextmanager
def _plain_rows(connection: sqlite3.Connection) -> Iterator[None]:
    """The caller may have rows made into something else."""
    rows, text = connection.row_factory, connection.text_factory
    connection.row_factory, connection.text_factory = None, str
    try:
        yield
    finally:
        connection.row_factory, connection.text_factory = rows, text
