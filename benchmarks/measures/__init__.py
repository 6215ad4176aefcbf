"""What is measured: one file per question, each with the `Measure`s it answers with."""

from __future__ import annotations

from benchmarks.measure import Measure
from benchmarks.measures import ceiling, crash, drain, enqueue, idle, imports, lateness, memory, pickup, startup

MEASURES: dict[str, Measure] = {
    measure.name: measure
    for measure in (
        drain.SHIPPED,
        drain.BARE,
        enqueue.MEASURE,
        pickup.MEASURE,
        lateness.SPREAD,
        lateness.SPREAD_AMONG_A_MILLION,
        lateness.BURST,
        crash.MEASURE,
        startup.MEASURE,
        memory.MEASURE,
        idle.MEASURE,
        imports.MEASURE,
        ceiling.MEASURE,
    )
}
