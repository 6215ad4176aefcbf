"""What is measured: one file per question, each with the `Measure`s it answers with."""

from __future__ import annotations

from benchmarks.measure import Measure
from benchmarks.measures import (
    answer,
    backlog,
    ceiling,
    connections,
    crash,
    dispatch,
    drain,
    enqueue,
    footprint,
    idle,
    imports,
    journal,
    lateness,
    limits,
    memory,
    pickup,
    reprioritise,
    scan,
    startup,
    tracing,
    verbs,
)

MEASURES: dict[str, Measure] = {
    measure.name: measure
    for measure in (
        drain.SHIPPED,
        drain.BARE,
        drain.BROKERED,
        enqueue.MEASURE,
        enqueue.BROKERED,
        pickup.MEASURE,
        pickup.BROKERED,
        answer.MEASURE,
        lateness.SPREAD,
        lateness.SPREAD_AMONG_A_MILLION,
        lateness.SPREAD_BROKERED,
        lateness.BURST,
        lateness.BURST_BROKERED,
        dispatch.MEASURE,
        dispatch.AMONG_A_MILLION,
        dispatch.HALF,
        crash.MEASURE,
        crash.BROKERED,
        crash.SAFE,
        startup.MEASURE,
        memory.MEASURE,
        idle.MEASURE,
        idle.BROKERED,
        imports.MEASURE,
        ceiling.MEASURE,
        verbs.MEASURE,
        tracing.MEASURE,
        backlog.MEASURE,
        scan.MEASURE,
        reprioritise.MEASURE,
        footprint.MEASURE,
        connections.MEASURE,
        limits.MEASURE,
        journal.MEASURE,
        journal.REPLAY,
    )
}
