"""What a worker weighs with nothing to do, and with a hundred thousand runs that are due tomorrow."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

from benchmarks.measure import Column, Measure, Size, rows_of
from benchmarks.process import Side, pss_mb, wait_until
from benchmarks.systems import SYSTEMS

SETTLE_SECONDS = {
    Size.QUICK: 0.2,
    Size.STANDARD: 2.0,
    Size.FULL: 3.0,
}  # until the worker has read whatever it reads ahead
FAR_SECONDS = 24 * 3600.0


def _weigh(name: str, folder: Path, log: Path, pending: int, settle_seconds: float) -> float:
    """PSS of a fresh worker whose store holds `pending` runs, in MB."""
    preload: dict[str, Any] = {"do": "preload", "count": pending, "due": time.time() + FAR_SECONDS}
    if SYSTEMS[name].together:
        worker = Side(name, folder, log)
        worker.ask(**preload)
    else:
        with Side(name, folder, log) as producer:
            producer.ask(**preload)
        worker = Side(name, folder, log)
    with worker:
        worker.tell("work")
        wait_until(lambda: False, settle_seconds)
        return pss_mb(worker.pid)


def _memory(name: str, folder: Path, size: Size) -> dict[str, float]:
    pending = SYSTEMS[name].pending_runs // (20 if size is Size.QUICK else 1)
    (folder / "empty").mkdir()
    (folder / "full").mkdir()
    idle_mb = _weigh(name, folder / "empty", folder / "log", 1, SETTLE_SECONDS[size])
    pending_mb = _weigh(name, folder / "full", folder / "log", pending, SETTLE_SECONDS[size])
    kept_bytes = sum(file.stat().st_size for file in (folder / "full").rglob("*.db*") if file.is_file())
    figures = {
        "pending": pending,
        "idle_mb": idle_mb,
        "pending_mb": pending_mb,
        "per_100k_mb": (pending_mb - idle_mb) * 100_000 / pending,
    }
    if kept_bytes:
        figures["stored_bytes"] = kept_bytes / pending
    return figures


MEASURE = Measure(
    name="memory",
    title="Worker memory with runs pending",
    about="""Proportional set size of the worker tree, seconds after its start: with one pending run, and with
    many that are due tomorrow. APScheduler is given fewer, since it takes minutes to accept a hundred thousand; the
    growth is scaled to 100,000 for all. Stored: bytes of the database files per pending run.""",
    rows=rows_of("shike-memory", "shike-sqlite", "apscheduler-memory", "huey-w4", "apscheduler-sqlite"),
    columns=(
        Column("pending", "pending"),
        Column("idle_mb", "idle, MB", 1),
        Column("pending_mb", "with them, MB", 1),
        Column("per_100k_mb", "growth per 100 k, MB", 1),
        Column("stored_bytes", "stored, bytes per run"),
    ),
    run=_memory,
    repeats=1,
)
