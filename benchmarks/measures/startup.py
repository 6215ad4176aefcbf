"""From the start of a process to the start of the first run."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from benchmarks import body
from benchmarks.measure import Column, Measure, Size, rows_of
from benchmarks.process import Side, wait_until
from benchmarks.systems import SYSTEMS

ONE: dict[str, Any] = {"do": "submit", "body": "mark", "first": 0, "count": 1}
WORK: dict[str, Any] = {"do": "work"}


def _first_start_ms(name: str, folder: Path, log: Path, *commands: dict[str, Any]) -> float:
    with Side(name, folder, log, *commands) as worker:
        if not wait_until(lambda: body.count(log) > 0, 20):
            raise RuntimeError(f"nothing started: {worker.last_words()}")
        return (body.read(log)[0].at_ns - worker.spawned_ns) / 1e6


def _start(name: str, folder: Path, size: Size) -> dict[str, float]:
    if SYSTEMS[name].together:
        first_ms = _first_start_ms(name, folder, folder / "log", ONE, WORK)
    else:
        with Side(name, folder, folder / "log") as producer:
            producer.ask(**ONE)
        first_ms = _first_start_ms(name, folder, folder / "log", WORK)
    floor_ms = _first_start_ms("asyncio", folder, folder / "floor", ONE, WORK)
    return {"first_ms": first_ms, "above_ms": first_ms - floor_ms}


MEASURE = Measure(
    name="startup",
    title="Process start to first run",
    about="""One run is waiting when the process is started (in memory: it is the first thing the process submits).
    Above the floor: what is left after subtracting a process that only imports asyncio and calls the handler from
    its loop, started right after.""",
    rows=rows_of("shike-memory", "shike-sqlite", "apscheduler-memory", "huey-w1", "apscheduler-sqlite", "asyncio"),
    columns=(Column("first_ms", "first start, ms"), Column("above_ms", "above the floor, ms")),
    run=_start,
    repeats=5,
    key="first_ms",
    more_is_better=False,
)
