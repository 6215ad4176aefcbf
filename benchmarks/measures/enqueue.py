"""How fast runs are accepted: one call each, and in bulk."""

from __future__ import annotations

from pathlib import Path

from benchmarks.measure import Column, Measure, Size, rows_of
from benchmarks.process import Side, cpu_seconds
from benchmarks.systems import SYSTEMS

BULK_FACTOR = 20  # a bulk submit is fast: as many more runs make it last long enough to be timed


def _enqueue(name: str, folder: Path, size: Size) -> dict[str, float]:
    spec = SYSTEMS[name]
    count = spec.submit_runs // (10 if size is Size.QUICK else 1)
    with Side(name, folder, folder / "log") as producer:
        producer.ask("submit", body="mark", first=0, count=10)  # the first call opens and makes the store
        cpu_before = cpu_seconds(producer.pid)
        seconds = producer.ask("submit", body="mark", first=10, count=count)["seconds"]
        figures = {
            "one_per_second": count / seconds,
            "one_cpu_us": (cpu_seconds(producer.pid) - cpu_before) / count * 1e6,
        }
        if spec.crowd:
            answer = producer.ask("submit", body="mark", first=10 + count, count=count, way="crowd")
            figures["crowd_per_second"] = count / answer["seconds"]
        if spec.bulk:
            many = count * BULK_FACTOR
            answer = producer.ask("submit", body="mark", first=10 + 2 * count, count=many, way="bulk")
            figures["bulk_per_second"] = many / answer["seconds"]
    return figures


MEASURE = Measure(
    name="enqueue",
    title="Enqueue",
    about="""Submits with nobody working. One by one: each call returns when its run is accepted (durably, where the
    store is durable), one after another. At once: a hundred concurrent callers, each waiting for its own. Bulk: the
    library's own bulk call; peers without one have none. The ratio is that of the one-by-one rates.""",
    rows=rows_of(
        "shike-memory",
        "shike-sqlite",
        "shike-sqlite-normal",
        "apscheduler-memory",
        "huey-w1",
        "apscheduler-sqlite",
    ),
    columns=(
        Column("one_per_second", "one by one, runs/s"),
        Column("one_cpu_us", "CPU µs per run", 1),
        Column("crowd_per_second", "100 at once, runs/s"),
        Column("bulk_per_second", "bulk, runs/s"),
    ),
    run=_enqueue,
    repeats=5,
    key="one_per_second",
)
