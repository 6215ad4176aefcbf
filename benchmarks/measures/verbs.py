"""End to end against the raw store: the same runs submitted, claimed and settled by the store's own verbs.

Slices of raw inserts and of our three verbs alternate in one process, so that a change of the machine's mood hits both.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from statistics import median

from benchmarks.bare import Bare, bare
from benchmarks.measure import Column, Measure, Row, Size
from benchmarks.raw import RAW

Insert = Callable[[int, int], Awaitable[None]]

BATCH = 1_000
SLICE_RUNS = {"redis": 20_000, "postgres": 10_000, "mysql": 10_000, "sqlite": 20_000}
SLICES = {Size.QUICK: 1, Size.STANDARD: 5, Size.FULL: 9}
TITLES = {"redis": "Redis", "postgres": "PostgreSQL", "mysql": "MariaDB", "sqlite": "SQLite FULL"}


class _Timed:
    """Wall and CPU seconds of this process within a block."""

    def __enter__(self) -> _Timed:
        self._began, self._cpu_began = time.perf_counter(), time.process_time()
        return self

    def __exit__(self, *_error: object) -> None:
        self.seconds = time.perf_counter() - self._began
        self.cpu_seconds = time.process_time() - self._cpu_began


async def _raw_slice(insert: Insert, first: int, runs: int) -> _Timed:
    with _Timed() as timed:
        for start in range(first, first + runs, BATCH):
            await insert(start, BATCH)
    return timed


async def _our_slice(ours: Bare, runs: int) -> tuple[_Timed, ...]:
    entries = ours.entries(runs)
    with _Timed() as submit:
        await ours.submit(entries, BATCH)
    with _Timed() as claim:
        batches = [await ours.claim(BATCH) for _ in range(runs // BATCH)]
    if sum(map(len, batches)) != runs:
        raise RuntimeError(f"{sum(map(len, batches))} of {runs} were granted")
    with _Timed() as settle:
        for batch in batches:
            await ours.settle(batch)
    return submit, claim, settle


async def _measured(kind: str, folder: Path, slices: int) -> dict[str, float]:
    raw, runs = RAW["sqlite-full" if kind == "sqlite" else kind](folder), SLICE_RUNS[kind]
    await raw.open()
    figures: list[dict[str, float]] = []
    async with bare(kind, folder) as ours:
        await _our_slice(ours, BATCH)  # scripts are loaded and statements prepared
        for number in range(slices):
            appended = await _raw_slice(raw.append, number * runs, runs)
            inserted = await _raw_slice(raw.insert, number * runs, runs)
            steps = await _our_slice(ours, runs)
            seconds = sum(step.seconds for step in steps)
            submit, claim, settle = (runs / step.seconds for step in steps)
            figures.append({
                "ratio": appended.seconds / seconds,
                "due_ratio": inserted.seconds / seconds,
                "cpu_us": sum(step.cpu_seconds for step in steps) / runs * 1e6,
                "per_second": runs / seconds,
                "raw_per_second": runs / appended.seconds,
                "submit_per_second": submit,
                "claim_per_second": claim,
                "settle_per_second": settle,
            })  # fmt: skip
    await raw.close()
    return {key: median(figure[key] for figure in figures) for key in figures[0]}


def _verbs(name: str, folder: Path, size: Size) -> dict[str, float]:
    return asyncio.run(_measured(name, folder, SLICES[size]))


MEASURE = Measure(
    name="verbs",
    title="End to end, bare, against a raw insert",
    about="""Runs of one number submitted, claimed and settled in batches of 1,000 by the store's own verbs, with
    nothing around them. Beside it raw inserts of 1,000 rows of 120 bytes: the fastest that the store has, in no order
    that a claim could use (a variadic RPUSH on Redis), and one by due time (a variadic ZADD); on the others both are
    the same: unnest, one INSERT of many rows, executemany. Slices of all alternate in one process; ratios are medians
    of theirs. CPU is that of this process.""",
    rows=tuple(
        Row(kind, title, kind, ours=True, service=kind if kind != "sqlite" else "") for kind, title in TITLES.items()
    ),
    columns=(
        Column("cpu_us", "CPU µs per run", 1, first=True),
        Column("ratio", "÷ raw insert", 2),
        Column("due_ratio", "÷ raw insert by due time", 2),
        Column("per_second", "end to end, runs/s"),
        Column("raw_per_second", "raw insert, rows/s"),
        Column("submit_per_second", "submit, runs/s"),
        Column("claim_per_second", "claim, runs/s"),
        Column("settle_per_second", "settle, runs/s"),
    ),
    run=_verbs,
    repeats=1,
)
