"""How late runs start that were submitted ahead of their time: spread out, among a million others, and all at once."""

from __future__ import annotations

import time
from contextlib import ExitStack
from functools import partial
from pathlib import Path

from benchmarks import body
from benchmarks.measure import Column, Measure, Size, brokered_rows, percentile, rows_of
from benchmarks.process import Side, wait_until
from benchmarks.systems import SYSTEMS

RUNS = 2_000
RUNS_ON_SERVERS = 1_000  # of those that are spread out
RUNS_QUICK = 150
PER_SECOND = 200
READY_SECONDS = 1.0  # between the last submit and the first due time
PATIENCE_SECONDS = 20.0  # after the last due time
SAMPLE_RUNS, SAMPLE_FROM = 50, 10_000_000  # numbers that nobody else has
SLOWER = 1.7  # the others may go so much slower
FAR_SECONDS = 24 * 3600.0  # when the million that only lies there is due


def _lateness_ms(name: str, folder: Path, offsets: list[float], pending: int = 0) -> list[float]:
    """Start minus due of each run, in milliseconds; the due times are `offsets` from one instant."""
    spec, log = SYSTEMS[name], folder / "log"
    with ExitStack() as stack:
        producer = stack.enter_context(Side(name, folder, log))
        if pending:
            producer.ask("preload", count=pending, due=time.time() + FAR_SECONDS)
        worker = producer if spec.together else stack.enter_context(Side(name, folder, log))
        worker.tell("work")
        base = time.time() + READY_SECONDS + _submit_seconds(producer, len(offsets))
        due = [base + offset for offset in offsets]
        producer.ask("submit", body="mark", first=0, count=len(due), due=due)
        if time.time() > base:
            raise RuntimeError("the machine was too busy to submit everything before it was due")
        patience = max(due) - time.time() + PATIENCE_SECONDS
        if not wait_until(lambda: body.count(log) >= len(due), patience):
            raise RuntimeError(f"{body.count(log)} of {len(due)} started: {worker.last_words()}")
    return [record.at_ns / 1e6 - due[record.number] * 1e3 for record in body.read(log)]


def _submit_seconds(producer: Side, count: int) -> float:
    """How long so many submits may take, by what a few of runs due tomorrow do; the first one opens the store."""
    far = time.time() + FAR_SECONDS
    for runs in (1, SAMPLE_RUNS):
        began = time.monotonic()
        producer.ask("submit", body="mark", first=SAMPLE_FROM, count=runs, due=[far] * runs)
    return SLOWER * count * (time.monotonic() - began) / SAMPLE_RUNS


def _figures(late_ms: list[float]) -> dict[str, float]:
    return {
        "p50_ms": percentile(late_ms, 0.5),
        "p99_ms": percentile(late_ms, 0.99),
        "p999_ms": percentile(late_ms, 0.999),
        "max_ms": max(late_ms),
        "early": sum(late < 0 for late in late_ms),
    }


def _spread(name: str, folder: Path, size: Size, *, pending: int = 0, runs: int = RUNS) -> dict[str, float]:
    runs = RUNS_QUICK if size is Size.QUICK else runs
    return _figures(_lateness_ms(name, folder, [index / PER_SECOND for index in range(runs)], pending))


def _burst(name: str, folder: Path, size: Size) -> dict[str, float]:
    runs = RUNS_QUICK if size is Size.QUICK else RUNS
    return _figures(_lateness_ms(name, folder, [0.0] * runs))


_COLUMNS = (
    Column("p50_ms", "p50 ms", 2),
    Column("p99_ms", "p99 ms", 1),
    Column("p999_ms", "p99.9 ms", 1),
    Column("max_ms", "max ms", 1),
    Column("early", "early"),
)
_ROWS = rows_of("shike-memory", "shike-sqlite", "apscheduler-memory", "huey-w4", "asyncio")

SPREAD = Measure(
    name="lateness",
    title="Lateness at 200 a second",
    about="""2,000 runs, submitted ahead, due one every 5 ms: start minus due. The ratio is that of p99. `early`
    counts starts before their time, which no scheduler may do.""",
    rows=_ROWS,
    columns=_COLUMNS,
    run=_spread,
    repeats=2,
    key="p99_ms",
    more_is_better=False,
)

SPREAD_AMONG_A_MILLION = Measure(
    name="lateness-million",
    title="Lateness with a million pending",
    about="""As above, while a million other runs lie in the store, due tomorrow. APScheduler is left out: it would
    need minutes and a gigabyte to take them.""",
    rows=rows_of("shike-memory", "shike-sqlite", "huey-w4"),
    columns=_COLUMNS,
    run=partial(_spread, pending=1_000_000),
    repeats=1,
    full_only=True,
    key="p99_ms",
    more_is_better=False,
)

BURST = Measure(
    name="burst",
    title="Burst: 2,000 due at one instant",
    about="""All submitted ahead, all due at the same microsecond; `max` is when the last had started, and the ratio
    is made of it.""",
    rows=_ROWS,
    columns=_COLUMNS,
    run=_burst,
    repeats=2,
    key="max_ms",
    more_is_better=False,
)

SPREAD_BROKERED = Measure(
    name="lateness-brokered",
    title="Lateness at 200 a second, on servers",
    about="""As above, 1,000 runs, with a server. RQ and SAQ keep whole seconds; their due times are rounded up. A
    library that cannot do 200 a second has a backlog for lateness.""",
    rows=brokered_rows(),
    columns=_COLUMNS,
    run=partial(_spread, runs=RUNS_ON_SERVERS),
    repeats=1,
    key="p99_ms",
    more_is_better=False,
)

BURST_BROKERED = Measure(
    name="burst-brokered",
    title="Burst, on servers",
    about="""As above, with a server.""",
    rows=brokered_rows(),
    columns=_COLUMNS,
    run=_burst,
    repeats=1,
    key="max_ms",
    more_is_better=False,
)
