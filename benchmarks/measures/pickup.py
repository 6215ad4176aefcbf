"""How long an idle worker takes to start what was just submitted."""

from __future__ import annotations

import random
from contextlib import ExitStack
from pathlib import Path

from benchmarks import body
from benchmarks.measure import Column, Measure, Size, brokered_rows, percentile, rows_of
from benchmarks.process import Side, wait_until
from benchmarks.systems import SYSTEMS

SETTLE_SECONDS = 0.6  # until a fresh worker is idle
PAUSE_SECONDS = (0.015, 0.055)  # between two submits: random, so that no polling interval fits


def _pickup(name: str, folder: Path, size: Size) -> dict[str, float]:
    log, count = folder / "log", 15 if size is Size.QUICK else 80
    chance = random.Random(count)
    pauses = [chance.uniform(*PAUSE_SECONDS) for _ in range(count)]
    with ExitStack() as stack:
        worker = stack.enter_context(Side(name, folder, log))
        producer = worker if SYSTEMS[name].together else stack.enter_context(Side(name, folder, log))
        worker.tell("work")
        wait_until(lambda: False, SETTLE_SECONDS)
        producer.ask("submit", body="mark", first=count, count=1)  # the first call opens and makes the store
        if not wait_until(lambda: body.count(log) > 0, 5):
            raise RuntimeError(f"nothing started: {worker.last_words()}")
        stamps_ns = producer.ask("drip", body="mark", pauses=pauses)["stamps_ns"]
        if not wait_until(lambda: body.count(log) > count, 5):
            raise RuntimeError(f"{body.count(log)} of {count} started: {worker.last_words()}")
    waits_ms = [(record.at_ns - stamps_ns[record.number]) / 1e6 for record in body.read(log)[1:]]
    return {"p50_ms": percentile(waits_ms, 0.5), "p99_ms": percentile(waits_ms, 0.99), "max_ms": max(waits_ms)}


_COLUMNS = (Column("p50_ms", "p50 ms", 2), Column("p99_ms", "p99 ms", 2), Column("max_ms", "max ms", 1))

MEASURE = Measure(
    name="pickup",
    title="Pickup latency, idle worker",
    about="""From just before the submit call to the start of the handler, one run at a time with random pauses,
    after a first one that opens the store. Client and worker are two processes, except where they are embedded in one
    (memory, and rows that say so).""",
    rows=rows_of(
        "shike-memory", "shike-sqlite-embedded", "shike-sqlite", "apscheduler-memory", "huey-w1", "huey-w4", "asyncio"
    ),
    columns=_COLUMNS,
    run=_pickup,
    repeats=2,
    key="p50_ms",
    more_is_better=False,
)

BROKERED = Measure(
    name="pickup-brokered",
    title="Pickup latency, on servers",
    about="""As above, with a server between the two processes.""",
    rows=brokered_rows(),
    columns=_COLUMNS,
    run=_pickup,
    repeats=2,
    key="p50_ms",
    more_is_better=False,
)
