"""How fast a backlog is worked off, and what a run costs in CPU time of the whole worker tree."""

from __future__ import annotations

from contextlib import ExitStack
from functools import partial
from pathlib import Path

from benchmarks import body
from benchmarks.brokers import server_cpu_seconds
from benchmarks.measure import Column, Measure, Size, brokered_rows, rows_of
from benchmarks.process import Side, cpu_seconds, wait_until
from benchmarks.systems import SYSTEMS, Spec

SECONDS_MAX = 60.0
AFTERMATH_SECONDS = 0.1  # acknowledgements that follow the last start are part of the price


def _backlog(name: str, spec: Spec, folder: Path, log: Path, what: str, count: int, stack: ExitStack) -> Side:
    """A side whose store holds `count` runs and that has not begun to work."""
    producer = stack.enter_context(Side(name, folder, log))
    producer.ask("submit", body=what, first=0, count=count, way="bulk" if spec.bulk else "one")
    if spec.together:
        return producer
    producer.kill()
    return stack.enter_context(Side(name, folder, log))


def _drain(name: str, folder: Path, size: Size, *, what: str) -> dict[str, float]:
    spec, log = SYSTEMS[name], folder / "log"
    count = spec.drain_runs // (10 if size is Size.QUICK else 1)
    with ExitStack() as stack:
        worker = _backlog(name, spec, folder, log, what, count, stack)
        worker.tell("work")
        if not wait_until(lambda: body.count(log) > 0, SECONDS_MAX):
            raise RuntimeError(f"nothing started: {worker.last_words()}")
        cpu_before, seen = cpu_seconds(worker.pid), body.count(log)
        server_before = server_cpu_seconds(spec.service) if spec.service else 0.0
        if not wait_until(lambda: body.count(log) >= count, SECONDS_MAX):
            raise RuntimeError(f"{body.count(log)} of {count} started in {SECONDS_MAX:.0f} s: {worker.last_words()}")
        wait_until(lambda: False, AFTERMATH_SECONDS)
        cpu = cpu_seconds(worker.pid) - cpu_before
        server = server_cpu_seconds(spec.service) - server_before if spec.service else 0.0
    starts = [record.at_ns for record in body.read(log)]
    figures = {"per_second": (len(starts) - 1) / (max(starts) - min(starts)) * 1e9}
    if count - seen > count // 2:
        figures["cpu_us"] = cpu / (count - seen) * 1e6
        figures["server_us"] = server / (count - seen) * 1e6
    return figures


_COLUMNS = (Column("cpu_us", "CPU µs per run", 1, first=True), Column("per_second", "runs/s"))

SHIPPED = Measure(
    name="drain",
    title="Drain, as shipped",
    about="""A backlog is there when the worker starts; from the first start to the last. Results are kept, and
    whatever else each library writes about a finished run by default. huey forgets a run when it takes it, and
    APScheduler removes it before it starts.""",
    rows=rows_of(
        "shike-memory",
        "shike-sqlite",
        "shike-sqlite-normal",
        "shike-sqlite-threads",
        "apscheduler-memory",
        "huey-w1",
        "huey-w4",
        "apscheduler-sqlite",
        "asyncio",
    ),
    columns=_COLUMNS,
    run=partial(_drain, what="mark_result"),
    repeats=5,
    key="per_second",
)

BARE = Measure(
    name="drain-bare",
    title="Drain, bare",
    about="""As above, with handlers that return nothing, so that no result is stored.""",
    rows=rows_of("shike-memory", "shike-sqlite", "apscheduler-memory", "huey-w1", "huey-w4"),
    columns=_COLUMNS,
    run=partial(_drain, what="mark"),
    repeats=3,
    key="per_second",
)

BROKERED = Measure(
    name="drain-brokered",
    title="Drain, on servers",
    about="""The same work with a server between client and worker, one worker process each. Results are kept where
    the library keeps them by default.""",
    rows=brokered_rows(),
    columns=(*_COLUMNS[:1], Column("server_us", "server's CPU µs", 1, first=True), *_COLUMNS[1:]),
    run=partial(_drain, what="mark_result"),
    repeats=3,
    key="per_second",
    picture="cpu_us",
)
