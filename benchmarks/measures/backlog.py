"""What a claim costs when a million runs wait, against a queue that holds only what is claimed."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path
from statistics import median

from benchmarks.bare import Bare, bare
from benchmarks.measure import Column, Measure, Row, Size
from benchmarks.measures.verbs import TITLES

CLAIMS, WARM = 100, 10
COUNT = 100  # runs a claim: what a worker of a hundred slots asks for
PENDING = {Size.QUICK: 20_000, Size.STANDARD: 1_000_000, Size.FULL: 1_000_000}
STEP = 10_000


async def _claim_ms(ours: Bare) -> float:
    """One claim; what it took is settled."""
    began = time.perf_counter()
    runs = await ours.claim(COUNT)
    seconds = time.perf_counter() - began
    if len(runs) != COUNT:
        raise RuntimeError(f"{len(runs)} of {COUNT} were granted")
    await ours.settle(runs)
    return seconds * 1e3


async def _refilled_ms(ours: Bare) -> float:
    await ours.submit(ours.entries(COUNT), COUNT)
    return await _claim_ms(ours)


async def _measured(kind: str, folder: Path, pending: int) -> dict[str, float]:
    async with bare(kind, folder, namespace="short") as short, bare(kind, folder, namespace="long") as long:
        for _ in range(0, pending, STEP):
            await long.submit(long.entries(STEP), STEP)
        for _ in range(WARM):  # scripts are loaded and statements prepared
            await _refilled_ms(short), await _claim_ms(long)
        pairs = [(await _refilled_ms(short), await _claim_ms(long)) for _ in range(CLAIMS)]
    empty_ms, backlog_ms = (median(pair[place] for pair in pairs) for place in (0, 1))
    return {"empty_ms": empty_ms, "backlog_ms": backlog_ms, "ratio": backlog_ms / empty_ms}


def _backlog(name: str, folder: Path, size: Size) -> dict[str, float]:
    return asyncio.run(_measured(name, folder, PENDING[size]))


MEASURE = Measure(
    name="backlog",
    title="A claim before a backlog of a million",
    about="""Claims of 100 runs, by the store's own verb, from a queue that holds just these, and from one in which a
    million are due: two namespaces of one store, in turn. Medians of 100 claims.""",
    rows=tuple(
        Row(kind, title, kind, ours=True, service=kind if kind != "sqlite" else "") for kind, title in TITLES.items()
    ),
    columns=(
        Column("ratio", "× an empty queue", 2),
        Column("empty_ms", "empty, p50 ms", 2),
        Column("backlog_ms", "a million, p50 ms", 2),
    ),
    run=_backlog,
    repeats=1,
    row_seconds_max=180.0,
)
