"""What a worker does when there is nothing to do."""

from __future__ import annotations

import time
from pathlib import Path

from benchmarks.measure import Column, Measure, Size, rows_of
from benchmarks.process import Side, cpu_seconds, wait_until, wake_ups
from benchmarks.systems import SYSTEMS

SETTLE_SECONDS = {Size.QUICK: 0.3, Size.STANDARD: 2.0, Size.FULL: 2.0}
SECONDS = {Size.QUICK: 0.3, Size.STANDARD: 5.0, Size.FULL: 10.0}


def _idle(name: str, folder: Path, size: Size) -> dict[str, float]:
    with Side(name, folder, folder / "log", count=True) as worker:
        worker.ask("submit", body="mark", first=0, count=1)
        worker.tell("work")
        wait_until(lambda: False, SETTLE_SECONDS[size])
        statements = worker.ask("statements")["statements"]
        cpu, wakes, began = cpu_seconds(worker.pid), wake_ups(worker.pid), time.monotonic()
        wait_until(lambda: False, SECONDS[size])
        cpu, wakes = cpu_seconds(worker.pid) - cpu, wake_ups(worker.pid) - wakes
        seconds = time.monotonic() - began
        statements = worker.ask("statements")["statements"] - statements
    figures = {"cpu_percent": 100 * cpu / seconds, "wakes_per_second": wakes / seconds}
    if SYSTEMS[name].group == "sqlite":
        figures["statements_per_second"] = statements / seconds
    return figures


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
