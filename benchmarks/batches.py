"""Submitting by way of a broker, one by one and in batches: `python -m benchmarks.batches`.

One caller submits calls as fast as it can: one connection for each (no pool), one connection for all and a wait for
each confirmation, and in batches of 100 (R2.10). *Goes on* is how long the caller waits for each; *confirmed* is the
time from a call to the broker's confirmation of its message; *in the store* counts from the first call to the last run,
with a bridge in the same process on a store in memory. `--write` puts the table into docs/events.md.
"""

from __future__ import annotations

import argparse
import asyncio
import time
from pathlib import Path
from typing import Any
from uuid import uuid1

from tests.servers import url

from benchmarks.conditions import Watch, machine
from benchmarks.measure import percentile
from benchmarks.report import between
from shike import Shike
from shike.connect import Batches, Bridge, open_delays

PAGE = Path(__file__).parents[1] / "docs/events.md"
NAMESPACE = "shikebench"
HEAD = "| way | calls/s | goes on, p50 | confirmed, p99 | in the store, runs/s |\n| --- | ---: | ---: | ---: | ---: |"
BROKERS = {"RabbitMQ": "rabbitmq", "NATS JetStream": "nats", "Redis": "redis"}
SOURCE = [
    "| the source, single | 800 | 120 ms | – | – |",
    "| the source, batch and pool | 12,000 | 15 ms | – | – |",
]


class Shop:
    """An app on a store in memory, and a name in a broker."""

    def __init__(self, where: str) -> None:
        self.app = Shike("memory://")
        self.where, self.name = where, f"bench-{uuid1().hex}"

        @self.app.task
        async def note(number: int) -> None: ...

        self.note = note

    def bridge(self) -> Bridge:
        return Bridge(self.app, self.where, self.name, namespace=NAMESPACE)

    async def drop(self) -> None:
        for name in (self.name, f"{self.name}-refused"):
            async with open_delays(self.where, name, namespace=NAMESPACE) as delays:
                await delays.drop()
        await self.app.client.close()


async def without_a_pool(where: str, count: int) -> list[str]:
    shop, waits, begun = Shop(where), [], time.perf_counter()
    for number in range(count):
        at, bridge = time.perf_counter(), shop.bridge()
        await bridge.submit(shop.note.bind(number))
        await bridge.close()
        waits.append(time.perf_counter() - at)
    return await cells(shop, count, time.perf_counter() - begun, waits, waits, "–")


async def one_by_one(where: str, count: int) -> list[str]:
    shop, waits, begun = Shop(where), [], time.perf_counter()
    async with shop.bridge().serving() as bridge:
        for number in range(count):
            at = time.perf_counter()
            await bridge.submit(shop.note.bind(number))
            waits.append(time.perf_counter() - at)
        took = time.perf_counter() - begun
        stored = await until_stored(bridge, count, begun)
    return await cells(shop, count, took, waits, waits, stored)


async def in_batches(where: str, count: int) -> list[str]:
    shop, waits = Shop(where), list[float]()
    confirmed: list[float] = []
    batches = Batches(shop.app, where, shop.name, namespace=NAMESPACE)
    sent_at: list[float] = []
    begun = time.perf_counter()
    async with shop.bridge().serving() as bridge:
        async with batches:
            for number in range(count):
                while batches.waiting >= 4_000:  # as fast as the broker takes them, within the bound
                    await asyncio.sleep(0)
                    note_confirmed(batches, sent_at, confirmed)
                at = time.perf_counter()
                batches.submit(shop.note.bind(number))
                sent_at.append(at)
                waits.append(time.perf_counter() - at)
                if number % 100 == 99:
                    await asyncio.sleep(0)
                    note_confirmed(batches, sent_at, confirmed)
            while batches.waiting:
                await asyncio.sleep(0)
                note_confirmed(batches, sent_at, confirmed)
            took = time.perf_counter() - begun
        stored = await until_stored(bridge, count, begun)
    return await cells(shop, count, took, waits, confirmed, stored)


def note_confirmed(batches: Batches, sent_at: list[float], confirmed: list[float]) -> None:
    """Messages are confirmed in about the order of their calls: that is what is taken here."""
    now = time.perf_counter()
    while len(confirmed) < batches.sent:
        confirmed.append(now - sent_at[len(confirmed)])


async def until_stored(bridge: Bridge, count: int, begun: float) -> str:
    while bridge.handed_on < count:
        await asyncio.sleep(0.002)
    return f"{count / (time.perf_counter() - begun):,.0f}"


async def cells(
    shop: Shop, count: int, took: float, waits: list[float], confirmed: list[float], stored: str
) -> list[str]:
    await shop.drop()
    goes_on, late = percentile(waits, 0.5), percentile(confirmed, 0.99)
    return [f"{count / took:,.0f}", f"{goes_on * 1e3:.3f} ms", f"{late * 1e3:,.1f} ms", stored]


async def contest(few: int, many: int) -> list[str]:
    rows = []
    for title, service in BROKERS.items():
        for way, work, count in (
            ("a connection each", without_a_pool, few),
            ("one by one", one_by_one, 10 * few),
            ("batches of 100", in_batches, many),
        ):
            work_: Any = work
            rows.append(f"| {title}, {way} | {' | '.join(await work_(url(service), count))} |")
            print(rows[-1], flush=True)
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.batches", description=__doc__)
    parser.add_argument(
        "--few", type=int, default=50, help="calls with a connection each; ten times as many one by one"
    )
    parser.add_argument("--many", type=int, default=20_000, help="calls in batches")
    parser.add_argument("--note", default="", help="added to the conditions")
    parser.add_argument("--write", action="store_true", help="put the table into docs/events.md")
    options = parser.parse_args()
    watch = Watch()
    rows = asyncio.run(contest(options.few, options.many))
    text = "\n".join([HEAD, *SOURCE, *rows]) + f"\n\n{machine()}. {watch.line(repeats=1, note=options.note)}"
    print(text)
    if options.write:
        PAGE.write_text(between(PAGE.read_text(encoding="utf-8"), "batches", text), encoding="utf-8")


if __name__ == "__main__":
    main()
