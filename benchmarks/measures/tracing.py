"""What tracing costs: the same backlog worked off with it and without, slice by slice in one process.

*Off* keeps each attempt's times, as they are part of its accounting. *On* is the default, for handlers that take no
steps; then with three steps and a log line each; then with OpenTelemetry's SDK and an exporter in memory.
"""

from __future__ import annotations

import asyncio
import logging
import time
from pathlib import Path
from statistics import median
from typing import Any

from benchmarks.measure import Column, Measure, Row, Size
from shike import Roles, Shike, step
from shike.model import Executor

RUNS = {Size.QUICK: 2_000, Size.STANDARD: 10_000, Size.FULL: 30_000}
SLICES = {Size.QUICK: 2, Size.STANDARD: 7, Size.FULL: 11}
IDLE_SECONDS_MAX = 120.0
STORES = {
    "memory": "memory://",
    "sqlite": "sqlite:///{folder}/{name}.db",
}
ROWS = {
    "off": "off",
    "on": "on, no steps",
    "steps": "on, three steps and a log line",
    "otel": "on, three steps, OpenTelemetry SDK",
}
log = logging.getLogger("benchmarks.tracing")


def _app(store: str) -> Shike:
    app = Shike(store)

    @app.task(name="plain")
    async def plain(number: int) -> int:
        return number

    @app.task(name="stepped")
    async def stepped(number: int) -> int:
        with step("fetch"), step("parse"):
            pass
        with step("write"):
            log.info("number %d", number)
        return number

    return app


async def _slice(app: Shike, task: str, roles: Roles, runs: int) -> tuple[float, float]:
    """(runs/s, CPU µs a run) from the start of the worker to its last acknowledgement."""
    bound = app.find_task(task)
    await app.submit_many([bound.bind(number) for number in range(runs)])
    wall, cpu = time.perf_counter(), time.process_time()
    async with asyncio.timeout(IDLE_SECONDS_MAX), app.running(roles, pools=dict[Executor, Any]()) as engine:
        await engine.until_idle()
        seconds, used = time.perf_counter() - wall, time.process_time() - cpu
    return runs / seconds, used / runs * 1e6


async def _compared(name: str, folder: Path, size: Size) -> dict[str, float]:
    """This row beside *off*, in turns, so that the machine's moods hit both; the handler is the same for both."""
    store, _, way = name.partition("/")
    task = "plain" if way in ("off", "on") else "stepped"
    app, beside = (_app(STORES[store].format(folder=folder, name=one)) for one in ("mine", "off"))
    if way == "otel":
        app.export(_otel())
    log.setLevel(logging.INFO)
    log.propagate = False
    mine: list[tuple[float, float]] = []
    off: list[tuple[float, float]] = []
    for number in range(SLICES[size]):
        for one, roles, into in ((app, Roles(traces=way != "off"), mine), (beside, Roles(traces=False), off)):
            figures = await _slice(one, task, roles, RUNS[size])
            if number:  # the first one warms up
                into.append(figures)
    for one in (app, beside):
        await one.client.close()
    return {
        "per_second": median(rate for rate, _ in mine),
        "cpu_us": median(cpu for _, cpu in mine),
        "cpu_off_us": median(cpu for _, cpu in off),
        "throughput": median(rate / other for (rate, _), (other, _) in zip(mine, off, strict=True)) * 100,
        "cpu_share": median(cpu / other for (_, cpu), (_, other) in zip(mine, off, strict=True)) * 100,
    }


def _otel() -> Any:
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import BatchSpanProcessor
    from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

    from shike.export.otel import OpenTelemetry

    provider = TracerProvider()
    provider.add_span_processor(BatchSpanProcessor(InMemorySpanExporter()))
    return OpenTelemetry(provider)


def _tracing(name: str, folder: Path, size: Size) -> dict[str, float]:
    return asyncio.run(_compared(name, folder, size))


MEASURE = Measure(
    name="tracing",
    title="Tracing, on against off",
    about="""A backlog of async handlers that do nothing, worked off by scheduler and worker in one process; slices with
    and without tracing alternate, and each figure of the last two columns is the median of their ratios.""",
    rows=tuple(
        Row(f"{store}/{way}", f"{title}, {words}", store, ours=True)
        for store, title in (("memory", "memory"), ("sqlite", "SQLite FULL"))
        for way, words in ROWS.items()
    ),
    columns=(
        Column("cpu_us", "CPU µs per run", 1, first=True),
        Column("per_second", "runs/s"),
        Column("cpu_share", "CPU, % of off"),
        Column("throughput", "throughput, % of off"),
    ),
    run=_tracing,
    repeats=1,
    key="",
    row_seconds_max=300.0,
)
