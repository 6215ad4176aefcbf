"""One of a million runs that wait gets another band: what that takes, store by store (R2.5)."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path
from random import Random

from benchmarks.bare import Bare, bare
from benchmarks.measure import Column, Measure, Row, Size, percentile
from benchmarks.measures.verbs import TITLES
from shike.model import Live
from shike.store.verbs import Answer
from shike.waiting.moves import change, changed

WAITING = {Size.QUICK: 20_000, Size.STANDARD: 1_000_000, Size.FULL: 1_000_000}
BATCH = 10_000  # runs of one submission
PART = 100_000  # made ready at a time: what waits takes memory enough
ONES = 500  # that are changed, one by one
HIGH, LOW = 0, 5


async def _fill(ours: Bare, count: int) -> list[int]:
    """So many runs of one instant, which is the worst for a structure by time; their ids."""
    due_at, ids = await ours.store.now(), list[int]()
    for first in range(0, count, PART):
        entries = ours.entries(min(PART, count - first), due_at)
        await ours.submit(entries, BATCH)
        ids += [entry.run.id for entry in entries]
    return ids


async def _moved(ours: Bare, live: Live, band: int) -> float:
    """Microseconds of the compare-and-set alone."""
    wanted = changed(live, run_at=None, band=band)
    began = time.perf_counter()
    (answer,) = await ours.store.move([wanted])
    took = time.perf_counter() - began
    if answer is not Answer.ACCEPTED:
        raise RuntimeError(f"the store answered {answer.name}")
    return took * 1e6


async def _measured(kind: str, folder: Path, count: int) -> dict[str, float]:
    draw = Random(1)
    async with bare(kind, folder) as ours:
        ids = await _fill(ours, count)
        chosen = [await ours.store.live(run_id) for run_id in draw.sample(ids, 2 * ONES)]
        lives = [live for live in chosen if live is not None]
        await ours.store.standing("default", 1)  # it is read before: what is sorted once is sorted
        moves = [await _moved(ours, live, HIGH) for live in lives[:ONES]]
        whole = []
        for live in lives[ONES:]:
            began = time.perf_counter()
            await change(ours.store, live.run.id, band=LOW)
            whole.append((time.perf_counter() - began) * 1e6)
        batch = await ours.claim(ONES)
        if {one.run.id for one in batch} != {live.run.id for live in lives[:ONES]}:
            raise RuntimeError("others were granted before those of the highest band")
    return {
        "move_us": percentile(moves, 0.5), "move_p99_us": percentile(moves, 0.99), "whole_us": percentile(whole, 0.5)
    }  # fmt: skip


def _reprioritise(name: str, folder: Path, size: Size) -> dict[str, float]:
    return asyncio.run(_measured(name, folder, WAITING[size]))


MEASURE = Measure(
    name="reprioritise",
    title="One of a million that wait gets another priority",
    about="""A million runs of one instant wait in one band of a queue. 500 of them, drawn by chance, are put into the
    highest band one by one: the compare-and-set alone, from its call to its answer; then 500 others as an operator does
    it, who looks the run up before. Goals: 20 µs in memory, 1 ms in each other store. At the end a claim has to get
    just the first 500.""",
    rows=tuple(
        Row(kind, title, kind, ours=True, service=kind if kind not in ("sqlite", "memory") else "")
        for kind, title in {"memory": "memory", **TITLES}.items()
    ),
    columns=(
        Column("move_us", "one move, p50 µs", 1, first=True),
        Column("move_p99_us", "p99 µs", 1),
        Column("whole_us", "looked up and moved, p50 µs", 1),
    ),
    run=_reprioritise,
    repeats=1,
    row_seconds_max=900.0,
)
