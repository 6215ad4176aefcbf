"""What a worker does when there is nothing to do."""

from __future__ import annotations

import time
from pathlib import Path

from benchmarks.counting import statements
from benchmarks.measure import Column, Measure, Size, rows_of
from benchmarks.process import Side, cpu_seconds, wait_until, wake_ups
from benchmarks.systems import SYSTEMS

POSTGRES_SECONDS = 11.0  # a backend that falls idle tells what it did within ten seconds
SETTLE_SECONDS = {Size.QUICK: 0.3, Size.STANDARD: 2.0, Size.FULL: 2.0}
SECONDS = {Size.QUICK: 0.3, Size.STANDARD: 5.0, Size.FULL: 10.0}


def _idle(name: str, folder: Path, size: Size) -> dict[str, float]:
    with Side(name, folder, folder / "log", count=True) as worker:
        worker.ask("submit", body="mark", first=0, count=1)
        worker.tell("work")
        wait_until(lambda: False, SETTLE_SECONDS[size])
        before = worker.ask("statements")["statements"]
        cpu, wakes, began = cpu_seconds(worker.pid), wake_ups(worker.pid), time.monotonic()
        wait_until(lambda: False, SECONDS[size])
        cpu, wakes = cpu_seconds(worker.pid) - cpu, wake_ups(worker.pid) - wakes
        seconds = time.monotonic() - began
        count = worker.ask("statements")["statements"] - before
    figures = {"cpu_percent": 100 * cpu / seconds, "wakes_per_second": wakes / seconds}
    if SYSTEMS[name].group == "sqlite":
        figures["statements_per_second"] = count / seconds
    return figures


def _idle_on_server(name: str, folder: Path, size: Size) -> dict[str, float]:
    late = POSTGRES_SECONDS if SYSTEMS[name].service == "postgres" and size is not Size.QUICK else 0.0
    with Side(name, folder, folder / "log") as worker:
        worker.ask("submit", body="mark", first=0, count=1)
        worker.tell("work")
        wait_until(lambda: False, max(SETTLE_SECONDS[size], late))
        cpu, began = cpu_seconds(worker.pid), time.monotonic()
        count = statements(SYSTEMS[name].service, SECONDS[size])
        cpu, seconds = cpu_seconds(worker.pid) - cpu, time.monotonic() - began
    return {"cpu_percent": 100 * cpu / seconds, "statements_per_second": count / seconds}


MEASURE = Measure(
    name="idle",
    title="An idle worker",
    about="""SQL statements (with those that begin and end transactions), wake-ups and CPU time of a worker that has
    nothing to do.""",
    rows=rows_of("shike-memory", "shike-sqlite", "apscheduler-memory", "huey-w4", "apscheduler-sqlite", "asyncio"),
    columns=(
        Column("statements_per_second", "statements/s", 1),
        Column("wakes_per_second", "wake-ups/s", 1),
        Column("cpu_percent", "CPU, % of a core", 2),
    ),
    run=_idle,
    repeats=1,
)

BROKERED = Measure(
    name="idle-brokered",
    title="An idle worker, on servers",
    about="""What reaches the server of one worker that has nothing to do, counted at the server: commands on Redis
    (a script is one), transactions on PostgreSQL, statements on MariaDB, of which one round trip brings several.""",
    rows=rows_of("shike-redis", "huey-redis", "arq", "shike-postgres", "pgqueuer", "shike-mysql"),
    columns=(Column("statements_per_second", "statements/s", 1), Column("cpu_percent", "CPU, % of a core", 2)),
    run=_idle_on_server,
    repeats=1,
)
