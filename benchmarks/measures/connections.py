"""The whole path as one load test with 500 connections, before and after batching, pooling and coalescing (R2.15)."""

from __future__ import annotations

import asyncio
import resource
from contextlib import ExitStack
from pathlib import Path

from benchmarks.conditions import CpuTimes
from benchmarks.front import Crowd
from benchmarks.measure import Column, Measure, Row, Size, percentile
from benchmarks.process import Side, cpu_seconds

CONNECTIONS = 500
SECONDS = {Size.QUICK: 1.0, Size.STANDARD: 5.0, Size.FULL: 10.0}
WARM_SECONDS = {Size.QUICK: 1.5, Size.STANDARD: 1.5, Size.FULL: 2.0}
FILES = 4_096
WORKERS = {
    "before": ("plain-0", "plain-1"),
    "redis": ("shike-redis", "shike-redis"),
    "postgres": ("shike-postgres", "shike-postgres"),
    "mysql": ("shike-mysql", "shike-mysql"),
}


def _connections(name: str, folder: Path, size: Size) -> dict[str, float]:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, min(FILES, hard)), hard))
    with ExitStack() as stack:
        sides = [stack.enter_context(Side(system, folder, folder / "log")) for system in WORKERS[name]]
        for side in sides:
            side.tell("work")
        front = stack.enter_context(Side(WORKERS[name][0], folder, folder / "log"))
        port = front.ask("front")["port"]
        cpu, ticks = _paid(sides, front), CpuTimes.now()
        crowd = Crowd()
        took = asyncio.run(crowd.load(port, CONNECTIONS, WARM_SECONDS[size], SECONDS[size]))
        cpu, after = _paid(sides, front) - cpu, CpuTimes.now()
        if not took:
            raise RuntimeError(f"nobody was answered: {front.last_words()}")
    took_ms = [1e3 * seconds for seconds in took]
    return {
        "cpu_us": cpu / crowd.answered * 1e6,
        "per_second": len(took) / SECONDS[size],
        "p50_ms": percentile(took_ms, 0.5),
        "p95_ms": percentile(took_ms, 0.95),
        "busy": 100 * (after.busy - ticks.busy) / (after.total - ticks.total),
    }


def _paid(sides: list[Side], front: Side) -> float:
    return sum(cpu_seconds(side.pid) for side in (*sides, front))


MEASURE = Measure(
    name="connections",
    title="500 connections, the whole path, before and after",
    about="""500 connections to one program, each of which asks again as soon as it is answered; a request is a run that
    is submitted, executed by one of two workers, and waited for. Before: for each request a connection to Redis, one
    command a run, round robin, one acknowledgement each. After: Shike at its defaults: one client, whose calls share
    round trips, workers that claim and acknowledge in batches, whoever is free. CPU per request is that of front and
    workers; busy is the whole machine with server and callers.""",
    rows=(
        Row("before", "before: single submits, no pool, round robin, Redis", "redis", service="redis"),
        Row("redis", "after: Shike, Redis", "redis", ours=True, service="redis"),
        Row("postgres", "after: Shike, PostgreSQL", "postgres", ours=True, service="postgres"),
        Row("mysql", "after: Shike, MariaDB", "mysql", ours=True, service="mysql"),
    ),
    columns=(
        Column("cpu_us", "CPU µs per request", 1, first=True),
        Column("per_second", "requests/s"),
        Column("p50_ms", "p50 ms", 1),
        Column("p95_ms", "p95 ms", 1),
        Column("busy", "machine busy, %"),
    ),
    run=_connections,
    repeats=1,
    key="per_second",
)
