"""A source's classic design on PostgreSQL, written fairly: one lock row, a pre-read of 5 s, a ring of sixty seconds.

Under the lock (`FOR UPDATE`) what is due within 5 s is read, put into the ring by its second, and marked as taken, in
pages until nothing is left (the design knows one page of some thousands a round, and a statement per row: slower). A
second thread turns the ring and dispatches what stands under the second that begins: here one insert for all of it, as
the log of triggers. Its timetable is of whole seconds, as its cron is; due times are rounded up to them. What stands in
the ring is in memory alone: a crash loses up to 5 s of it, which is the design's and is not measured here.
"""

from __future__ import annotations

import asyncio
import math
import time
from pathlib import Path
from typing import Any

import asyncpg

from benchmarks import body
from benchmarks.systems.base import Unasked, broker_url

PRE_READ_SECONDS = 5
PAGE = 6_000
SECONDS = 60
_TABLES = """
    create table if not exists ring_lock (name text primary key);
    insert into ring_lock values ('schedule') on conflict do nothing;
    create table if not exists ring_timetable (id bigint primary key, due bigint not null, taken boolean not null);
    create index if not exists ring_due on ring_timetable (due) where not taken;
    create table if not exists ring_log (id bigint not null, at timestamptz not null default now());
"""
_READ = "select id, due from ring_timetable where not taken and due <= $1 order by due limit $2"


class Ring(Unasked):
    """One scheduler process; several may run, and wait for the lock."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._ring: list[list[int]] = [[] for _ in range(SECONDS)]
        asyncio.set_event_loop(self._loop)
        self._loop.run_until_complete(self._open())

    def plan(self, first: int, count: int, start: float, per_second: float) -> None:
        rows = [(first + place, math.ceil(start + place / per_second), False) for place in range(count)]
        self._loop.run_until_complete(self._pool.copy_records_to_table("ring_timetable", records=rows))

    def preload(self, count: int, due: float) -> None:
        far = "insert into ring_timetable select -number, $2, false from generate_series(1, $1::bigint) as number"
        self._loop.run_until_complete(self._pool.execute(far, count, math.ceil(due)))
        self._loop.run_until_complete(self._pool.execute("analyze ring_timetable"))

    def work(self) -> None:
        self._loop.run_until_complete(self._work())

    async def _open(self) -> None:
        self._pool: Any = await asyncpg.create_pool(broker_url(), min_size=2, max_size=4)
        await self._pool.execute(_TABLES)

    async def _work(self) -> None:
        await asyncio.gather(self._read_on(), self._turn())

    async def _read_on(self) -> None:
        while True:
            found = await self._read()
            await asyncio.sleep((1 if found else PRE_READ_SECONDS) - time.time() % 1)

    async def _read(self) -> bool:
        """One round under the lock; whether there was anything."""
        found, overdue = False, []
        async with self._pool.acquire() as connection, connection.transaction():
            await connection.execute("select name from ring_lock where name = 'schedule' for update")
            while rows := await connection.fetch(_READ, int(time.time()) + PRE_READ_SECONDS, PAGE):
                found, ids = True, [row["id"] for row in rows]
                await connection.execute("update ring_timetable set taken = true where id = any($1)", ids)
                for number, due in rows:
                    if due <= int(time.time()):
                        overdue.append(number)
                    else:
                        self._ring[due % SECONDS].append(number)
        await self._dispatch(overdue)
        return found

    async def _turn(self) -> None:
        turned = int(time.time())
        while True:
            await asyncio.sleep(1 - time.time() % 1)
            while turned < int(time.time()):
                turned += 1
                place = turned % SECONDS
                ready, self._ring[place] = self._ring[place], []
                await self._dispatch(ready)

    async def _dispatch(self, numbers: list[int]) -> None:
        if not numbers:
            return
        await self._pool.execute("insert into ring_log (id) select unnest($1::bigint[])", numbers)
        for number in numbers:
            body.mark(number)


def open_system(folder: Path) -> Ring:
    return Ring()
