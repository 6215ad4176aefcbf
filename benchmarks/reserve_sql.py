"""Durable sales a second on one PostgreSQL: the ledger's clerk beside five row-lock designs, in one run.

`python -m benchmarks.reserve_sql postgresql://…` makes tables in a schema of its own and drops it. All are asked the
same sections of one line of 17 positions and 1,200 units, by as many askers at once; every sale is committed before it
is told. The SQL designs are written as well as we know: one transaction, one or two statements, rows locked in order,
an order row for each sale. They have a pool of connections; the clerk has one. Wall time, so what else the machine
does counts for all of them: only the ratios of one run mean something.
"""

from __future__ import annotations

import argparse
import asyncio
import secrets
import time
from collections.abc import Awaitable, Callable, Iterator
from itertools import cycle

import asyncpg

from benchmarks.reserve import AT, POSITIONS, Section, sections, units
from shike.reserve import commands
from shike.reserve.clerk import Clerk
from shike.reserve.journal import open_journal
from shike.reserve.journal.reading import verify
from shike.reserve.model import Line, Pool, Sale

SIZE = 1_200
LAST = POSITIONS - 1
Sell = Callable[[asyncpg.Connection, int, int], Awaitable[bool]]

TABLES = """
create table sold (id bigserial primary key, unit int, a int, b int, at timestamptz default clock_timestamp());
create table counter (k int primary key, free int not null);
create table cell (unit int, k int, taken bool not null default false, primary key (unit, k));
create table seat (id int primary key, mask int not null default 0, version int not null default 0);
create table pair (unit int, a int, b int, taken bool not null default false, primary key (unit, a, b));
create index pair_free on pair (a, b, unit) where not taken;
insert into counter select k, {size} from generate_series(0, {last} - 1) k;
insert into cell select unit, k from generate_series(1, {size}) unit, generate_series(0, {last} - 1) k;
insert into seat select unit from generate_series(1, {size}) unit;
insert into pair select unit, a, b from generate_series(1, {size}) unit, generate_series(0, {last} - 1) a,
  generate_series(1, {last}) b where a < b;
analyze;
"""


async def counters(connection: asyncpg.Connection, start: int, end: int) -> bool:
    """A counter per segment, locked in order: no unit is known."""
    async with connection.transaction():
        free = await connection.fetchval(
            "select min(free) from (select free from counter where k >= $1 and k < $2 order by k for update) locked",
            start,
            end,
        )
        if free < 1:
            return False
        await connection.execute(
            "with less as (update counter set free = free - 1 where k >= $1 and k < $2)"
            " insert into sold (a, b) values ($1, $2)",
            start,
            end,
        )
    return True


async def cells(connection: asyncpg.Connection, start: int, end: int) -> bool:
    """A row per unit and segment, under one advisory lock."""
    async with connection.transaction():
        await connection.execute("select pg_advisory_xact_lock(71)")
        return True is await connection.fetchval(
            "with free as (select unit from cell where k >= $1 and k < $2 and not taken group by unit"
            " having count(*) = $2 - $1 limit 1),"
            " took as (update cell set taken = true from free where cell.unit = free.unit and k >= $1 and k < $2)"
            " insert into sold (unit, a, b) select unit, $1, $2 from free returning true",
            start,
            end,
        )


async def masks(connection: asyncpg.Connection, start: int, end: int) -> bool:
    """A mask per unit; whoever is locked is passed over."""
    return True is await connection.fetchval(
        "with free as (select id from seat where mask & $3 = 0 limit 1 for update skip locked),"
        " took as (update seat set mask = mask | $3 from free where seat.id = free.id returning seat.id)"
        " insert into sold (unit, a, b) select id, $1, $2 from took returning true",
        start,
        end,
        (1 << end) - (1 << start),
    )


async def pairs(connection: asyncpg.Connection, start: int, end: int) -> bool:
    """A row per unit and section, under one advisory lock; a sale marks all sections that overlap."""
    async with connection.transaction():
        await connection.execute("select pg_advisory_xact_lock(72)")
        return True is await connection.fetchval(
            "with free as (select unit from pair where a = $1 and b = $2 and not taken limit 1),"
            " took as (update pair set taken = true from free"
            "  where pair.unit = free.unit and a < $2 and b > $1 and not taken)"
            " insert into sold (unit, a, b) select unit, $1, $2 from free returning true",
            start,
            end,
        )


async def optimistic(connection: asyncpg.Connection, start: int, end: int) -> bool:
    """A mask and a version per unit; who loses tries another unit."""
    mask = (1 << end) - (1 << start)
    while True:
        found = await connection.fetchrow(
            "select id, version from (select id, version from seat where mask & $1 = 0 limit 64) few"
            " order by random() limit 1",
            mask,
        )
        if found is None:
            return False
        sold = await connection.fetchval(
            "with took as (update seat set mask = mask | $3, version = version + 1"
            " where id = $4 and version = $5 returning id)"
            " insert into sold (unit, a, b) select id, $1, $2 from took returning true",
            start,
            end,
            mask,
            found["id"],
            found["version"],
        )
        if sold:
            return True


DESIGNS: dict[str, Sell] = {
    "counters, FOR UPDATE in order": counters,
    "unit × segment, advisory lock": cells,
    "mask per unit, SKIP LOCKED": masks,
    "unit × section, advisory lock": pairs,
    "mask per unit, optimistic": optimistic,
}


async def askers(count: int, seconds: float, ask: Callable[[int, int], Awaitable[bool]]) -> tuple[float, float]:
    """Sales a second of so many who ask at once, each again as soon as it has its answer; and what one costs this
    process, in µs of CPU (the server's work comes on top)."""
    asked: Iterator[Section] = cycle(sections(100_000, 1))
    end = time.perf_counter() + seconds
    sold = 0

    async def one() -> None:
        nonlocal sold
        while time.perf_counter() < end:
            if await ask(*next(asked)):
                sold += 1

    began, spent = time.perf_counter(), time.process_time()
    await asyncio.gather(*(one() for _ in range(count)))
    cpu_micros = 1e6 * (time.process_time() - spent) / max(1, sold)
    return sold / (time.perf_counter() - began), cpu_micros


async def by_sql(url: str, sell: Sell, count: int, connections: int, seconds: float) -> tuple[float, float]:
    schema = f"bench_{secrets.token_hex(4)}"
    made = await asyncpg.connect(url)
    await made.execute(f"create schema {schema}; set search_path = {schema};" + TABLES.format(size=SIZE, last=LAST))
    pool = await asyncpg.create_pool(
        url, min_size=connections, max_size=connections, server_settings={"search_path": schema}
    )

    async def ask(start: int, end: int) -> bool:
        async with pool.acquire() as connection:
            return await sell(connection, start, end)

    try:
        return await askers(count, seconds, ask)
    finally:
        await pool.close()
        await made.execute(f"drop schema {schema} cascade")
        await made.close()


async def by_clerk(url: str, count: int, seconds: float, ledgers: int) -> tuple[float, float]:
    """On a line that is new, and opened again under another name when it is sold out."""
    namespace = f"bench_{secrets.token_hex(4)}"
    journal = open_journal(url, namespace)
    line, pool, number = Line(tuple(map(str, range(POSITIONS)))), Pool("all", units(SIZE)), 0
    async with Clerk(journal) as clerk:
        for name in range(ledgers):
            await clerk.do(f"line {name}", commands.Open("open", AT, line, (pool,), sales=(Sale("", 1),)))

        async def ask(start: int, end: int) -> bool:
            nonlocal number
            number += 1
            hold = commands.Hold(f"h{number}", AT, "all", start, end, people=(f"p{number}",))
            return bool(await clerk.do(f"line {number % ledgers}", hold))

        rate = await askers(count, seconds, ask)
        await clerk.close()
    for name in range(min(ledgers, 3)):
        verdict = await verify(journal, f"line {name}")
        assert verdict.clean, verdict
    await journal.close()
    connection = await asyncpg.connect(url)
    await connection.execute(f"drop table {namespace}_frames, {namespace}_kept")
    await connection.close()
    return rate


async def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("url")
    parser.add_argument("--seconds", type=float, default=1.0, help="of each design: short, so that nothing is sold out")
    parser.add_argument("--askers", type=int, nargs="+", default=[1, 64, 1_000])
    parser.add_argument("--connections", type=int, default=16)
    told = parser.parse_args()
    for count in told.askers:
        connections = min(count, told.connections)
        best = 0.0
        for name, sell in DESIGNS.items():
            rate, cpu = await by_sql(told.url, sell, count, connections, told.seconds)
            best = max(best, rate)
            print(f"{count:>5} askers  {name:32} {rate:>9,.0f} sold/s  {cpu:>7,.0f} µs")
        for ledgers in (30, 100):  # fewer would be sold out within the second
            rate, cpu = await by_clerk(told.url, count, told.seconds, ledgers)
            words = f"clerk, {ledgers} ledgers"
            print(f"{count:>5} askers  {words:32} {rate:>9,.0f} sold/s  {cpu:>7,.0f} µs  {rate / best:>6.1f} × best")


if __name__ == "__main__":
    asyncio.run(main())
