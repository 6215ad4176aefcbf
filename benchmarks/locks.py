"""What protecting a value costs: row lock, lease lock, optimistic version (R0.6, R2.6): `python -m benchmarks.locks`.

A thousand concurrent takers each take one unit, three rounds. Low conflict: each from an item of its own. High
conflict: all from one item. Unprotected is the same read and write with nothing around: the price of protection is what
is missing to it, and what it sells twice is why one pays. `--write` puts table and plot into docs/locks.md.
"""

from __future__ import annotations

import argparse
import asyncio
import statistics
import sys
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path

from benchmarks.bars import bars
from benchmarks.conditions import Watch
from benchmarks.lock_shops import Shop, shop_of
from benchmarks.report import between
from shike.locks import change

TAKERS, UNITS, ROUNDS = 1_000, 1_000_000, 3
PAGE = Path(__file__).parent.parent / "docs" / "locks.md"
SERVERS = {"postgres": "PostgreSQL", "mysql": "MariaDB", "redis": "Redis"}

Take = Callable[[Shop, int], Awaitable[None]]


async def unprotected(shop: Shop, item: int) -> None:
    seen = await shop.read(item)
    await shop.write(item, seen.value - 1)


async def row_lock(shop: Shop, item: int) -> None:
    async with shop.row(item) as place:
        seen = await shop.read(item, place)
        await shop.write(item, seen.value - 1, place)


async def lease_lock(shop: Shop, item: int) -> None:
    held = await shop.locks.acquire(f"item-{item}", timeout="2m")
    try:
        await unprotected(shop, item)
    finally:
        await held.release()


async def optimistic(shop: Shop, item: int) -> None:
    await change(
        lambda: shop.read(item),
        lambda units, version: shop.compare(item, units, version),
        lambda units: units - 1,
        tries=10_000,
    )


FORMS: dict[str, Take] = {
    "row lock (FOR UPDATE)": row_lock,
    "lease lock": lease_lock,
    "optimistic version": optimistic,
    "unprotected": unprotected,
}


@dataclass(frozen=True)
class Figure:
    """Takes a second at low and high conflict, and the units that went missing under high conflict."""

    server: str
    form: str
    low: float
    high: float
    lost: int


async def once(kind: str, take: Take, items: int, takers: int) -> tuple[float, int]:
    """Takes a second, and how many takes left no trace in the stock."""
    shop = shop_of(kind)
    async with shop.locks:
        await shop.wipe()
        await shop.locks.close()
        await shop.locks.open()
        await shop.fill(items, UNITS)
        await asyncio.gather(*(take(shop, number % items) for number in range(32)))  # connections and scripts are there
        before = (await shop.read(0)).value
        began = time.perf_counter()
        async with asyncio.TaskGroup() as group:
            for number in range(takers):
                group.create_task(take(shop, number % items))  # type: ignore[arg-type]
        rate = takers / (time.perf_counter() - began)
        lost = takers // items - (before - (await shop.read(0)).value)
        await shop.wipe()
    return rate, lost


def measured(kind: str, form: str, takers: int, rounds: int) -> Figure:
    take = FORMS[form]
    low = [asyncio.run(once(kind, take, takers, takers))[0] for _ in range(rounds)]
    high = [asyncio.run(once(kind, take, 1, takers)) for _ in range(rounds)]
    rates, lost = [rate for rate, _ in high], max(lost for _, lost in high)
    return Figure(SERVERS[kind], form, statistics.median(low), statistics.median(rates), lost)


def table(figures: list[Figure]) -> str:
    bare = {figure.server: figure for figure in figures if figure.form == "unprotected"}
    lines = [
        "| | low conflict, takes/s | to unprotected | high conflict, takes/s | to unprotected | units sold twice |",
        "| --- | ---: | ---: | ---: | ---: | ---: |",
    ]
    for figure in figures:
        base = bare[figure.server]
        low, high = (100 * (share - 1) for share in (figure.low / base.low, figure.high / base.high))
        mine = f"{low:+.0f} % | {figure.high:,.0f} | {high:+.0f} %"
        lines.append(f"| {figure.server}, {figure.form} | {figure.low:,.0f} | {mine} | {figure.lost} |")
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.locks", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="50 takers, one round: does it work")
    parser.add_argument("--write", action="store_true", help="put table and plot into docs/locks.md")
    options = parser.parse_args()
    takers, rounds = (50, 1) if options.quick else (TAKERS, ROUNDS)
    watch, figures = Watch(), []
    for kind in SERVERS:
        for form in FORMS:
            if (kind, FORMS[form]) != ("redis", row_lock):
                print(f"{SERVERS[kind]}, {form} …", file=sys.stderr, flush=True)
                figures.append(measured(kind, form, takers, rounds))
    text = f"{table(figures)}\n\n*{watch.line(repeats=rounds)}*"
    print(text)
    if options.write:
        PAGE.write_text(between(PAGE.read_text(), "locks", text))
        rows = [(f"{figure.server}, {figure.form}", (figure.low, figure.high)) for figure in figures]
        plot = bars(f"{takers:,} concurrent takers", "takes/s", ("low conflict", "high conflict"), rows)
        PAGE.with_name("locks.svg").write_text(plot)


if __name__ == "__main__":
    main()
