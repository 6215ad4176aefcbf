"""How fast runs are accepted: one call each, and in bulk."""

from __future__ import annotations

from pathlib import Path

from benchmarks.measure import Column, Measure, Size, brokered_rows, rows_of
from benchmarks.process import Side, cpu_seconds
from benchmarks.systems import SYSTEMS, Spec


def _ways(spec: Spec) -> dict[str, int]:
    """In which ways it can be called, and how many runs make each last long enough to be timed."""
    crowd = {"crowd": spec.crowd_runs} if spec.crowd else {}
    return {"one": spec.submit_runs} | crowd | ({"bulk": spec.bulk_runs} if spec.bulk else {})


def _enqueue(name: str, folder: Path, size: Size) -> dict[str, float]:
    figures: dict[str, float] = {}
    with Side(name, folder, folder / "log") as producer:
        producer.ask("submit", body="mark", first=0, count=10)  # the first call opens and makes the store
        first = 10
        for way, runs in _ways(SYSTEMS[name]).items():
            count = runs // (10 if size is Size.QUICK else 1)
            cpu_before = cpu_seconds(producer.pid)
            seconds = producer.ask("submit", body="mark", first=first, count=count, way=way)["seconds"]
            figures[f"{way}_per_second"] = count / seconds
            figures[f"{way}_cpu_us"] = (cpu_seconds(producer.pid) - cpu_before) / count * 1e6
            first += count
    return figures


_COLUMNS = (
    Column("one_cpu_us", "one by one, CPU µs", 1, first=True),
    Column("crowd_cpu_us", "100 at once, CPU µs", 1, first=True),
    Column("bulk_cpu_us", "bulk, CPU µs", 1, first=True),
    Column("one_per_second", "one by one, runs/s"),
    Column("crowd_per_second", "100 at once, runs/s"),
    Column("bulk_per_second", "bulk, runs/s"),
)

MEASURE = Measure(
    name="enqueue",
    title="Enqueue",
    about="""Submits with nobody working. One by one: each call returns when its run is accepted (durably, where the
    store is durable), one after another. At once: a hundred concurrent callers, each waiting for its own. Bulk: the
    library's own bulk call; peers without one have none. CPU is that of the submitting process, per run. The ratio is
    that of the one-by-one rates.""",
    rows=rows_of(
        "shike-memory",
        "shike-sqlite",
        "shike-sqlite-normal",
        "apscheduler-memory",
        "huey-w1",
        "apscheduler-sqlite",
    ),
    columns=_COLUMNS,
    run=_enqueue,
    repeats=5,
    key="one_per_second",
)

BROKERED = Measure(
    name="enqueue-brokered",
    title="Enqueue, on servers",
    about="""As above, with a server behind it. Libraries without an asyncio client are called one by one only.""",
    rows=brokered_rows(),
    columns=_COLUMNS,
    run=_enqueue,
    repeats=3,
    key="one_per_second",
)
