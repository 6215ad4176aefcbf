"""What limits cost: to the work that they do not limit, and to that which they do (R0.9).

One process schedules and works. Unlimited runs are drained alone, and again while runs of a limited task wait and
trickle through; then limited runs by kind, with limits so wide that the mechanism is what is measured.
"""

from __future__ import annotations

import asyncio
import os
import time
from pathlib import Path
from typing import Any

from benchmarks.measure import Column, Measure, Row, Size
from benchmarks.systems.base import URL_VARIABLE
from shike import Concurrency, FairShare, Rate, Roles, Shike
from shike.call import Task

RUNS = {Size.QUICK: 500, Size.STANDARD: 5_000, Size.FULL: 20_000}
BESIDE = 2_000  # limited runs that wait meanwhile
KEYS = 20
SLOTS = 100
TITLES = {"memory": "memory", "sqlite": "SQLite NORMAL", "redis": "Redis", "postgres": "PostgreSQL", "mysql": "MariaDB"}
KINDS: dict[str, Any] = {
    "concurrency": Concurrency(50, by="key"),
    "rate": Rate("1000000/s", by="key"),
    "fair_share": FairShare(SLOTS, by="key"),
}


class Count:
    """Wakes whoever waits for so many ends."""

    def __init__(self) -> None:
        self.left = 0
        self.done = asyncio.Event()

    def expect(self, runs: int) -> None:
        self.left = runs
        self.done.clear()

    def one(self) -> None:
        self.left -= 1
        if self.left == 0:
            self.done.set()


async def _measured(url: str, runs: int) -> dict[str, float]:
    app, count = Shike(url, namespace="bench_limits"), Count()

    async def free(key: int = 0) -> None:
        count.one()

    async def trickle() -> None: ...

    free_task = app.task(name="free")(free)
    tasks = {kind: app.task(name=kind, limits=[limit])(free) for kind, limit in KINDS.items()}
    slow = app.task(name="trickle", limits=[Concurrency(4), Rate("50/s")])(trickle)

    async def drained(task: Task[..., Any]) -> float:
        count.expect(runs)
        began = time.perf_counter()
        await app.submit_many([task.bind(number % KEYS) for number in range(runs)])
        await count.done.wait()
        return runs / (time.perf_counter() - began)

    async with app.running(Roles(slots=SLOTS)):
        await drained(free_task)  # scripts are loaded and statements prepared
        alone = await drained(free_task)
        figures = {f"{kind}_per_second": await drained(task) for kind, task in tasks.items()}
        await app.submit_many([slow.bind() for _ in range(BESIDE)])
        beside = await drained(free_task)
    await app.client.close()
    return {"alone_per_second": alone, "beside_per_second": beside, "beside": beside / alone, **figures}


def _limits(name: str, folder: Path, size: Size) -> dict[str, float]:
    urls = {"memory": "memory://", "sqlite": f"sqlite:///{folder}/shike.db?synchronous=NORMAL"}
    return asyncio.run(_measured(urls.get(name) or os.environ[URL_VARIABLE], RUNS[size]))


MEASURE = Measure(
    name="limits",
    title="What limits cost",
    about=f"""Submitted and drained by one process of {SLOTS} slots, of handlers that do nothing: unlimited runs alone,
    and beside {BESIDE:,} runs of a task with Concurrency(4) and Rate("50/s"), which wait and trickle through; then runs
    of limited tasks, over {KEYS} keys, with limits wider than the slots: each run is let in by a node before it is
    claimed, so what is seen is the price of the mechanism.""",
    rows=tuple(
        Row(kind, title, kind, ours=True, service="" if kind in ("memory", "sqlite") else kind)
        for kind, title in TITLES.items()
    ),
    columns=(
        Column("alone_per_second", "unlimited alone, runs/s"),
        Column("beside_per_second", "beside limited ones, runs/s"),
        Column("beside", "÷ alone", 2),
        Column("concurrency_per_second", "concurrency, runs/s"),
        Column("rate_per_second", "rate, runs/s"),
        Column("fair_share_per_second", "fair share, runs/s"),
    ),
    run=_limits,
    repeats=3,
)
