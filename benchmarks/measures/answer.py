"""How long it takes to submit a run and to have its result."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path

from benchmarks.measure import Column, Measure, Size, percentile, rows_of
from benchmarks.process import Side, wait_until

SETTLE_SECONDS = 0.6  # until a fresh worker is idle
CALLS = {Size.QUICK: 20, Size.STANDARD: 150, Size.FULL: 300}


def _answer(name: str, folder: Path, size: Size) -> dict[str, float]:
    with ExitStack() as stack:
        worker = stack.enter_context(Side(name, folder, folder / "log"))
        caller = stack.enter_context(Side(name, folder, folder / "log"))
        worker.tell("work")
        wait_until(lambda: False, SETTLE_SECONDS)
        caller.ask("ask", body="mark_result", first=0, count=10)
        took = caller.ask("ask", body="mark_result", first=10, count=CALLS[size])["seconds"]
    took_ms = [1e3 * seconds for seconds in took]
    return {"p50_ms": percentile(took_ms, 0.5), "p99_ms": percentile(took_ms, 0.99)}


MEASURE = Measure(
    name="answer",
    title="Submit and wait for the result",
    about="""One call after another, each waiting for its result, from a process of its own to one idle worker. Those
    peers that keep results by default; arq, SAQ and huey are asked each 2 ms, RQ is told.""",
    rows=rows_of("shike-redis", "rq", "arq", "saq", "huey-redis", "shike-postgres", "shike-mysql"),
    columns=(Column("p50_ms", "p50 ms", 2), Column("p99_ms", "p99 ms", 2)),
    run=_answer,
    repeats=1,
    key="p50_ms",
    more_is_better=False,
)
