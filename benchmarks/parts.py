"""Into how many parts should work be cut? `python -m benchmarks.parts [URL [PICTURE.svg]]` (R2.7).

1,000 items of 1 ms, one after the other within a part, over four workers of ten slots (in this process): from the
submission until the last part's result is there, for 10, 100 and 1,000 parts, the best of TIMES. Then the grain is left
to find itself: it begins at the usual one, and each round takes what the rounds before have measured.
"""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import Sequence
from contextlib import AsyncExitStack
from pathlib import Path

from msgspec import Struct

from benchmarks.bars import bars
from shike import Roles, Shike
from shike.bounds import GRAIN_ITEMS
from shike.call import Task
from shike.track.grain import Part, adapted

ITEMS, ITEM_SECONDS = 1_000, 0.001
PARTS = (10, 100, 1_000)
WORKERS, SLOTS, TIMES, ROUNDS = 4, 10, 7, 6
SOURCE = {10: (85, 1_200), 100: (45, 2_800), 1_000: (60, 2_600)}  # ms and per second, as the source has them


class Split(Struct, frozen=True):
    """What came of so many parts."""

    parts: int
    milliseconds: float
    cpu_milliseconds: float
    per_second: float


async def work(items: list[int]) -> int:
    await asyncio.sleep(len(items) * ITEM_SECONDS)
    return len(items)


async def measure(url: str) -> tuple[list[Split], list[tuple[int, float]]]:
    """The table, and for each round of the adapting grain (grain, milliseconds)."""
    app = Shike(url, namespace="bench_parts")
    task = app.task(work)
    async with AsyncExitStack() as stack:
        for number in range(WORKERS):
            roles = Roles(scheduler=number == 0, slots=SLOTS, name=f"worker-{number}")
            await stack.enter_async_context(app.running(roles))
        await asyncio.sleep(1.5)
        await _once(app, task, ITEMS // 100)  # warm
        table = [await _best(app, task, count) for count in PARTS]
        rounds = await _adapting(app, task)
    await app.client.close()
    return table, rounds


async def _best(app: Shike, task: Task[[list[int]], int], count: int) -> Split:
    found = [(await _once(app, task, ITEMS // count))[:2] for _ in range(TIMES)]
    seconds, cpu = min(found)
    return Split(count, seconds * 1000, cpu * 1000, ITEMS / seconds)


async def _once(app: Shike, task: Task[[list[int]], int], grain: int) -> tuple[float, float, Sequence[Part]]:
    graph = app.graph()
    parts = graph.split(task, range(ITEMS), grain=grain)
    began, cpu = time.perf_counter(), time.process_time()
    await graph.submit()
    await asyncio.gather(*[part.handle.wait() for part in parts])
    took = time.perf_counter() - began, time.process_time() - cpu
    return *took, await graph.measured()


async def _adapting(app: Shike, task: Task[[list[int]], int]) -> list[tuple[int, float]]:
    grain, known, rounds = GRAIN_ITEMS, list[Part](), list[tuple[int, float]]()
    for number in range(ROUNDS):
        tried = grain if number else GRAIN_ITEMS // 2  # two sizes, so that there is something to compare
        seconds, _, parts = await _once(app, task, tried)
        known += parts
        rounds.append((tried, seconds * 1000))
        grain = adapted(grain, known, latency_seconds=ITEMS * ITEM_SECONDS / (WORKERS * SLOTS))
    return rounds


def picture(table: Sequence[Split]) -> str:
    rows = [(f"{one.parts:,} parts", (one.milliseconds, float(SOURCE[one.parts][0]))) for one in table]
    return bars("Cut into parts: until the last one's result is there", "ms", ("here", "the source"), rows)


def main(words: Sequence[str]) -> None:
    url, *to = words or ["memory://"]
    table, rounds = asyncio.run(measure(url))
    print("| parts | until all is there | items a second | CPU here | the source |")
    print("|---|---|---|---|---|")
    for one in table:
        latency, rate = SOURCE[one.parts]
        print(
            f"| {one.parts:,} | {one.milliseconds:.0f} ms | {one.per_second:,.0f} | {one.cpu_milliseconds:.0f} ms "
            f"| {latency} ms, {rate:,} |"
        )
    print("\ngrain, round by round:", ", ".join(f"{grain} ({took:.0f} ms)" for grain, took in rounds))
    for name in to[:1]:
        Path(name).write_text(picture(table), encoding="utf-8")


if __name__ == "__main__":
    main(sys.argv[1:])
