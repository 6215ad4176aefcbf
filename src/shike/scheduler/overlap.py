"""What becomes of due runs of a schedule whose predecessor is not over: pure decisions, one per policy.

The store enforces the cap (`Below`) in the step that admits, so two nodes that decide at once do no harm.
"""

from __future__ import annotations

from collections.abc import Sequence

from shike.bounds import GATE_LOOK_RUNS
from shike.model import Overlap, Schedule, State
from shike.store.base import Gated
from shike.store.guards import Below
from shike.store.verbs import Move


def looks_at(schedule: Schedule, holders: int) -> int:
    """How many of the runs that wait matter to `decide` while so many hold a permit; those behind them just wait."""
    if schedule.overlap in (Overlap.ALLOW, Overlap.QUEUE_ALL) and (cap := _cap(schedule)):
        return min(max(cap - holders, 0), GATE_LOOK_RUNS)
    return GATE_LOOK_RUNS


def decide(schedule: Schedule, holders: Sequence[int], due: Sequence[Gated]) -> list[Move]:
    """The moves for the runs that are due at one gate, oldest first, while `holders` are not over."""
    cap = _cap(schedule) or len(holders) + len(due)
    free = cap - len(holders)
    admitted = [_admit(gated, cap) for gated in due[: max(free, 0)]]
    rest = due[max(free, 0) :]
    if not rest:
        return admitted
    match schedule.overlap:
        case Overlap.ALLOW | Overlap.QUEUE_ALL:
            return admitted
        case Overlap.SKIP:
            return admitted + [_skip(gated, "overlap: the previous run is not over") for gated in rest]
        case Overlap.QUEUE_ONE:
            return admitted + [_skip(gated, "overlap: another one waits already") for gated in rest[1:]]
        case Overlap.REPLACE:
            return admitted + [_skip(gated, "overlap: a later one took its place") for gated in rest[:-1]]
        case Overlap.CANCEL_PREVIOUS:
            superseded = [_skip(gated, "overlap: a later one took its place") for gated in rest[:-1]]
            return admitted + superseded + [_stop(run_id) for run_id in holders[:1]]


def _cap(schedule: Schedule) -> int:
    """How many may hold the permit at once; 0: any number."""
    return schedule.overlap_max or (0 if schedule.overlap is Overlap.ALLOW else 1)


def _admit(gated: Gated, cap: int) -> Move:
    return Move(
        run_id=gated.run_id, version=gated.version, to=State.SCHEDULED, guards=(Below(key=gated.gate, cap=cap),)
    )


def _skip(gated: Gated, reason: str) -> Move:
    return Move(run_id=gated.run_id, version=gated.version, to=State.SKIPPED, reason=reason)


def _stop(run_id: int) -> Move:
    return Move(run_id=run_id, version=0, to=State.CANCELLED, reason="overlap: the next run takes over")
