"""Orders and rides in one SQLite file, beside whatever else is in it.

An order is a JSON document with its version. Whoever puts one is told of a newer version by the database, not by a
lock, so several processes may sell from one file; a person is claimed in the transaction that looks at their rides.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import Final

import msgspec
from msgspec.structs import replace

from shike.rail.keeping import no_order, no_payment, outdated
from shike.rail.order import Order, OrderState
from shike.rail.passenger import Ride, check_rides
from shike.rail.refusals import Refused
from shike.store.sqlite.aside import Aside

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
create table if not exists {ns}_refusals (
  departure text not null, reason text not null, origin text not null, goal text not null, times integer not null,
  primary key (departure, reason, origin, goal)
) without rowid;
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
REFUSED: Final = (
    "insert into {ns}_refusals (departure, reason, origin, goal, times) values (?, ?, ?, ?, ?)"
    " on conflict (departure, reason, origin, goal) do update set times = times + excluded.times"
)
REFUSALS_ON: Final = "select departure, reason, origin, goal, times from {ns}_refusals where departure = ?"
REFUSALS_OF_DAY: Final = (
    "select departure, sum(times) from {ns}_refusals where departure like '%/' || ? || '/%' group by departure"
)
FREE: Final = "delete from {ns}_rides where person = ? and departure = ? and sold = ?"


class SQLiteBooks:
    """Both ports of `keeping`, and that of `refusals`. Durable with each call (`?synchronous=FULL`, the default)."""

    def __init__(self, url: str, namespace: str = "rail") -> None:
        self._file = Aside("books", url, namespace, TABLES)

    async def __aenter__(self) -> SQLiteBooks:
        await self._file.open()
        return self

    async def __aexit__(self, *_error: object) -> None:
        await self._file.close()

    async def get(self, order: str) -> Order:
        return await self._read(GET, order) or no_order(order)

    async def put(self, order: Order) -> Order:
        kept = replace(order, version=order.version + 1)
        await self._file.do(self._put, kept)
        return kept

    async def of_payment(self, payment: str) -> Order:
        return await self._read(OF_PAYMENT, payment) or no_payment(payment)

    async def unfinished(self) -> list[str]:
        return [id for (id,) in await self._file.ask(TO_DO, UNFINISHED)]

    async def waiting(self) -> list[str]:
        return [id for (id,) in await self._file.ask(TO_DO, WAITS)]

    async def orders(self, after: str = "", most: int = 1_000) -> list[Order]:
        """All that were ever made, in pages: those after a name, by their names."""
        return [self._order(body) for (body,) in await self._file.ask(PAGE, after, most)]

    async def claim(self, person: str, ride: Ride, order: str, *, instead_of: str = "") -> None:
        await self._file.do(self._claim, person, ride, order, instead_of)

    async def free(self, person: str, departure: str, order: str) -> None:
        await self._file.ask(FREE, person, departure, order)

    async def orders_on(self, departure: str) -> list[str]:
        return [order for (order,) in await self._file.ask(ON, departure)]

    async def add_refusals(self, counts: Mapping[Refused, int]) -> None:
        await self._file.do(self._add_refusals, dict(counts))

    async def refusals_on(self, departure: str) -> dict[Refused, int]:
        return {Refused(*kind): times for *kind, times in await self._file.ask(REFUSALS_ON, departure)}

    async def refusals_of_day(self, day: date) -> dict[str, int]:
        return dict(await self._file.ask(REFUSALS_OF_DAY, day.isoformat()))

    async def _read(self, sql: str, id: str) -> Order | None:
        rows = await self._file.ask(sql, id)
        return self._order(rows[0][0]) if rows else None

    def _order(self, body: str) -> Order:
        try:
            return msgspec.json.decode(body, type=Order)
        except msgspec.DecodeError as error:
            raise self._file.told(error) from error

    def _put(self, kept: Order) -> None:
        body = msgspec.json.encode(kept).decode()
        to_do = bool(kept.to_do) * UNFINISHED | (kept.state is OrderState.WAITING) * WAITS
        row = (kept.version, to_do, body, kept.id)
        with self._file.transaction():
            if kept.version == 1:
                changed = self._file.changed(INSERT, *row)
            else:
                changed = self._file.changed(UPDATE, *row, kept.version - 1)
            if not changed:
                raise outdated(kept.id)
            for payment in kept.payments:
                self._file.rows(OWN, payment.id, kept.id)

    def _add_refusals(self, counts: Mapping[Refused, int]) -> None:
        with self._file.transaction():
            for kind, times in counts.items():
                self._file.rows(REFUSED, *kind, times)

    def _claim(self, person: str, ride: Ride, order: str, instead_of: str) -> None:
        with self._file.transaction():
            rows = self._file.rows(RIDES, person, instead_of, ride.departure, order)
            check_rides([Ride(*row) for row in rows], ride)
            self._file.rows(CLAIM, person, ride.departure, order, ride.departs_at, ride.arrives_at)
