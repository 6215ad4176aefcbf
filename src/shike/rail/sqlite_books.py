"""Orders and rides in one SQLite file, beside whatever else is in it: a thread that owns a connection.

An order is a JSON document with its version. Whoever puts one is told of a newer version by the database, not by a
lock, so several processes may sell from one file; a person is claimed in the transaction that looks at their rides.
"""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Final, TypeVar

import msgspec
from msgspec.structs import replace

from shike.errors import StoreUnavailable
from shike.rail.keeping import no_order, no_payment, outdated
from shike.rail.order import Order, OrderState
from shike.rail.passenger import Ride, check_rides
from shike.store.sqlite.faults import translated
from shike.store.sqlite.options import check_namespace, parse

T = TypeVar("T")

TABLES: Final = """
create table if not exists {ns}_orders (
  id text not null primary key, version integer not null, to_do integer not null, body text not null
) without rowid;
create index if not exists {ns}_orders_to_do on {ns}_orders (id) where to_do;
create table if not exists {ns}_payments (id text not null primary key, sold text not null) without rowid;
create table if not exists {ns}_rides (
  person text not null, departure text not null, sold text not null, departs_at integer not null,
  arrives_at integer not null, primary key (person, departure, sold)
) without rowid;
create index if not exists {ns}_rides_departure on {ns}_rides (departure, sold);
"""
GET: Final = "select body from {ns}_orders where id = ?"
INSERT: Final = "insert into {ns}_orders (version, to_do, body, id) values (?, ?, ?, ?) on conflict (id) do nothing"
UPDATE: Final = "update {ns}_orders set version = ?, to_do = ?, body = ? where id = ? and version = ?"
OWN: Final = "insert into {ns}_payments (id, sold) values (?, ?) on conflict (id) do update set sold = excluded.sold"
OF_PAYMENT: Final = "select body from {ns}_orders where id = (select sold from {ns}_payments where id = ?)"
PAGE: Final = "select body from {ns}_orders where id > ? order by id limit ?"
TO_DO: Final = "select id from {ns}_orders where to_do and to_do & ? order by id"
UNFINISHED, WAITS = 1, 2  # bits of `to_do`
ON: Final = "select distinct sold from {ns}_rides where departure = ? order by sold"
RIDES: Final = (
    "select departs_at, arrives_at, departure from {ns}_rides"
    " where person = ? and sold <> ? and not (departure = ? and sold = ?)"
)
CLAIM: Final = (
    "insert into {ns}_rides (person, departure, sold, departs_at, arrives_at) values (?, ?, ?, ?, ?)"
    " on conflict do nothing"
)
FREE: Final = "delete from {ns}_rides where person = ? and departure = ? and sold = ?"


class SQLiteBooks:
    """Both ports of `keeping`. Durable with each call (`?synchronous=FULL`, the default)."""

    def __init__(self, url: str, namespace: str = "rail") -> None:
        check_namespace(namespace)
        self._options = parse(url)
        self._namespace = namespace
        self._connection: sqlite3.Connection | None = None
        self._thread: ThreadPoolExecutor | None = None

    async def __aenter__(self) -> SQLiteBooks:
        if self._thread is None:
            self._thread = ThreadPoolExecutor(1, "shike-books")
            await self._do(self._connect)
        return self

    async def __aexit__(self, *_error: object) -> None:
        if self._thread is not None:
            await self._do(self._disconnect)
            self._thread.shutdown()
            self._thread = None

    async def get(self, order: str) -> Order:
        return await self._read(GET, order) or no_order(order)

    async def put(self, order: Order) -> Order:
        kept = replace(order, version=order.version + 1)
        await self._do(self._put, kept)
        return kept

    async def of_payment(self, payment: str) -> Order:
        return await self._read(OF_PAYMENT, payment) or no_payment(payment)

    async def unfinished(self) -> list[str]:
        return [id for (id,) in await self._do(self._rows, TO_DO, UNFINISHED)]

    async def waiting(self) -> list[str]:
        return [id for (id,) in await self._do(self._rows, TO_DO, WAITS)]

    async def orders(self, after: str = "", most: int = 1_000) -> list[Order]:
        """All that were ever made, in pages: those after a name, by their names."""
        return [self._order(body) for (body,) in await self._do(self._rows, PAGE, after, most)]

    async def claim(self, person: str, ride: Ride, order: str, *, instead_of: str = "") -> None:
        await self._do(self._claim, person, ride, order, instead_of)

    async def free(self, person: str, departure: str, order: str) -> None:
        await self._do(self._rows, FREE, person, departure, order)

    async def orders_on(self, departure: str) -> list[str]:
        return [order for (order,) in await self._do(self._rows, ON, departure)]

    async def _read(self, sql: str, id: str) -> Order | None:
        rows = await self._do(self._rows, sql, id)
        return self._order(rows[0][0]) if rows else None

    def _order(self, body: str) -> Order:
        try:
            return msgspec.json.decode(body, type=Order)
        except msgspec.DecodeError as error:
            raise translated(error, self._options.path) from error

    async def _do(self, work: Callable[..., T], *words: Any) -> T:
        if self._thread is None:
            raise StoreUnavailable("these books are not open: use `async with`")
        try:
            return await asyncio.get_running_loop().run_in_executor(self._thread, work, *words)
        except sqlite3.Error as error:
            raise translated(error, self._options.path) from error

    def _connect(self) -> None:
        options = self._options
        connection = sqlite3.connect(
            options.path, timeout=options.busy_seconds, isolation_level=None, check_same_thread=False
        )
        connection.execute("pragma journal_mode = wal")
        connection.execute(f"pragma synchronous = {options.synchronous.value}")
        connection.executescript(self._sql(TABLES))
        self._connection = connection

    def _disconnect(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _put(self, kept: Order) -> None:
        body = msgspec.json.encode(kept).decode()
        to_do = bool(kept.to_do) * UNFINISHED | (kept.state is OrderState.WAITING) * WAITS
        row = (kept.version, to_do, body, kept.id)
        with _Transaction(self._open):
            if kept.version == 1:
                changed = self._open.execute(self._sql(INSERT), row)
            else:
                changed = self._open.execute(self._sql(UPDATE), (*row, kept.version - 1))
            if not changed.rowcount:
                raise outdated(kept.id)
            for payment in kept.payments:
                self._rows(OWN, payment.id, kept.id)

    def _claim(self, person: str, ride: Ride, order: str, instead_of: str) -> None:
        with _Transaction(self._open):
            rows = self._rows(RIDES, person, instead_of, ride.departure, order)
            check_rides([Ride(*row) for row in rows], ride)
            self._rows(CLAIM, person, ride.departure, order, ride.departs_at, ride.arrives_at)

    @property
    def _open(self) -> sqlite3.Connection:
        assert self._connection is not None
        return self._connection

    def _rows(self, sql: str, *words: Any) -> list[Any]:
        return self._open.execute(self._sql(sql), words).fetchall()

    def _sql(self, text: str) -> str:
        return text.replace("{ns}", self._namespace)


class _Transaction:
    """All that is written within is written, or nothing; from its beginning nobody else writes."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    def __enter__(self) -> None:
        self._connection.execute("begin immediate")

    def __exit__(self, kind: object, *_rest: object) -> None:
        if kind is None:
            self._connection.execute("commit")
        elif self._connection.in_transaction:
            self._connection.execute("rollback")
