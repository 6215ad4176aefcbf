"""How late runs are handed to a worker, by the sources' designs and by ours; and how late ours start under load."""

from __future__ import annotations

import math
import time
from contextlib import ExitStack
from pathlib import Path

from benchmarks import body
from benchmarks.brokers import server_cpu_seconds
from benchmarks.measure import Column, Measure, Row, Size, percentile, rows_of
from benchmarks.process import Side, cpu_seconds, wait_until
from benchmarks.systems import SYSTEMS

SECONDS = {Size.QUICK: 1, Size.STANDARD: 3, Size.FULL: 5}  # of due times
RATES = (200, 20_000)
SAMPLE_RUNS = 2_000  # due tomorrow: submitted first, to learn how long the others will take
SAMPLE_FROM = 1 << 40  # numbers that nobody else has
SLOWER = 2.0  # the others may go so much slower
READY_SECONDS = 2.5  # between the last submit and the first due time: nodes have joined and read
JOINED_SECONDS = 1.2  # at least: a node has to start, join and read
PATIENCE_SECONDS = 12.0
MILLION = {Size.QUICK: 20_000, Size.STANDARD: 1_000_000, Size.FULL: 1_000_000}
MILLION_PER_SECOND = 1_000
FAR_SECONDS = 24 * 3600.0
TWO = "slices-two"  # the same system as `slices`, twice


def _late_ms(name: str, folder: Path, rate: float, seconds: float, nodes: int, pending: int = 0) -> dict[str, float]:
    """Percentiles of dispatched minus due, and what the nodes paid for a run."""
    spec, log, count = SYSTEMS[name], folder / f"log-{rate:.0f}", round(rate * seconds)
    with ExitStack() as stack:
        planner = stack.enter_context(Side(name, folder, log))
        if pending:
            planner.ask("preload", count=pending, due=time.time() + FAR_SECONDS)
        first = round(rate) << 20  # numbers of their own for each rate
        began = time.time()
        far = {"start": began + FAR_SECONDS, "per_second": rate}
        planner.ask("plan", first=SAMPLE_FROM + first, count=SAMPLE_RUNS, **far)
        planning_seconds = SLOWER * count / SAMPLE_RUNS * (time.time() - began)
        start = math.ceil(time.time() + planning_seconds + READY_SECONDS)
        planner.ask("plan", first=first, count=count, start=start, per_second=rate)
        planner.kill()
        if start - time.time() < JOINED_SECONDS:
            raise RuntimeError("the machine was too busy to plan everything well before it was due")
        workers = [stack.enter_context(Side(name, folder, log)) for _ in range(nodes)]
        for worker in workers:
            worker.tell("work")
        wait_until(lambda: time.time() > start - 0.2, planning_seconds + READY_SECONDS + 1)
        server_before = server_cpu_seconds(spec.service)
        before = sum(cpu_seconds(worker.pid) for worker in workers)
        wait_until(lambda: body.count(log) >= count, seconds + PATIENCE_SECONDS)
        cpu = sum(cpu_seconds(worker.pid) for worker in workers) - before
        server = server_cpu_seconds(spec.service) - server_before
    late = [
        record.at_ns / 1e6 - 1e3 * _due(start + (record.number - first) / rate, spec.whole_seconds)
        for record in body.read(log)
    ]
    if not late:
        raise RuntimeError("nothing was dispatched")
    missing = [math.inf] * (count - len(late))
    p50, p99 = (percentile(late + missing, share) for share in (0.5, 0.99))
    early = sum(one < 0 for one in late)
    paid = {"cpu_us": cpu / len(late) * 1e6, "server_us": server / len(late) * 1e6}
    return {"p50": p50, "p99": p99, "early": early, **paid}


def _due(due: float, whole_seconds: bool) -> float:
    return math.ceil(due) if whole_seconds else due


def _dispatch(name: str, folder: Path, size: Size) -> dict[str, float]:
    system, nodes = ("slices", 2) if name == TWO else (name, 1)
    calm, busy = (_late_ms(system, folder, rate, SECONDS[size], nodes) for rate in RATES)
    return {
        "cpu_us": busy["cpu_us"],
        "server_us": busy["server_us"],
        "calm_p50": calm["p50"],
        "calm_p99": calm["p99"],
        "busy_p50": busy["p50"],
        "busy_p99": busy["p99"],
        "early": calm["early"] + busy["early"],
    }


def _million(name: str, folder: Path, size: Size) -> dict[str, float]:
    return _late_ms(name, folder, MILLION_PER_SECOND, SECONDS[size], 1, MILLION[size])


_TWO = Row(TWO, "Shike `precise` on Redis, two nodes", "redis", ours=True, service="redis")
_ONE = rows_of("slices", "simple", "lock-1s", "lock-20ms", "classic", "ring")

MEASURE = Measure(
    name="dispatch",
    title="Lateness of dispatch: the sources' designs and ours",
    about="""From a run's due time to the moment at which a worker has it: moved to the workers' list (one lock), logged
    and handed out (the ring), leased to a session and received (ours). Three seconds of runs due one after another, 200
    and then 20,000 a second, planned ahead; nobody executes. The ring's timetable is of whole seconds, and so is its
    lateness counted; who did not dispatch all within 12 s after the last due time is infinitely late with the rest. CPU
    is that of the nodes and of the server at 20,000 a second. The scan each 20 ms is no source's: it shows how much of
    the gain is the interval alone.""",
    rows=(_ONE[0], _TWO, *_ONE[1:]),
    columns=(
        Column("cpu_us", "CPU µs per run", 1, first=True),
        Column("server_us", "server's CPU µs", 1, first=True),
        Column("calm_p50", "200/s, p50 ms", 1),
        Column("calm_p99", "200/s, p99 ms", 1),
        Column("busy_p50", "20 k/s, p50 ms", 1),
        Column("busy_p99", "20 k/s, p99 ms", 1),
        Column("early", "early"),
    ),
    run=_dispatch,
    repeats=1,
    picture="busy_p99",
)

AMONG_A_MILLION = Measure(
    name="dispatch-million",
    title="Lateness at 1,000 a second among a million pending, on servers",
    about="""Three seconds of runs due one after another, 1,000 a second, while a million others lie in the store, due
    tomorrow. Ours with one worker at its defaults, from the due time to the start of the handler; the sources' designs
    and `precise` up to dispatch.""",
    rows=rows_of("shike-redis", "slices", "lock-1s", "shike-postgres", "ring", "shike-mysql"),
    columns=(
        Column("cpu_us", "CPU µs per run", 1, first=True),
        Column("server_us", "server's CPU µs", 1, first=True),
        Column("p50", "p50 ms", 1),
        Column("p99", "p99 ms", 1),
        Column("early", "early"),
    ),
    run=_million,
    repeats=1,
    row_seconds_max=240.0,
)


def _half(name: str, folder: Path, size: Size) -> dict[str, float]:
    """First how fast this worker drains, then how late runs start that come half as fast."""
    spec, log = SYSTEMS[name], folder / "log"
    count = spec.drain_runs // (10 if size is Size.QUICK else 2)
    with ExitStack() as stack:
        producer = stack.enter_context(Side(name, folder, log))
        producer.ask("submit", body="mark", first=0, count=count, way="bulk")
        producer.kill()
        stack.enter_context(Side(name, folder, log)).tell("work")
        if not wait_until(lambda: body.count(log) >= count, 60):
            raise RuntimeError(f"{body.count(log)} of {count} started")
    starts = [record.at_ns for record in body.read(log)]
    drain = (count - 1) / (max(starts) - min(starts)) * 1e9
    return {"rate": drain / 2, **_late_ms(name, folder, drain / 2, SECONDS[size], 1)}


HALF = Measure(
    name="half",
    title="Lateness to start at half of the drain",
    about="""How fast one worker drains a backlog is measured first; then three seconds of runs fall due one after
    another, half as fast. From the due time to the start of the handler.""",
    rows=rows_of("shike-redis", "shike-postgres", "shike-mysql"),
    columns=(
        Column("cpu_us", "CPU µs per run", 1, first=True),
        Column("server_us", "server's CPU µs", 1, first=True),
        Column("rate", "due, runs/s"),
        Column("p50", "p50 ms", 1),
        Column("p99", "p99 ms", 1),
        Column("early", "early"),
    ),
    run=_half,
    repeats=1,
)
