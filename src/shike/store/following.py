"""The run that follows another of a fixed-delay schedule: one pure function for every store."""

from __future__ import annotations

from msgspec.structs import replace

from shike.clock import MICROS
from shike.model import Run
from shike.store.guards import PlanNext


def following(effect: PlanNext, ordinal: int, now: int) -> Run | None:
    """The run to be planned, or None: the schedule's last ordinal says that its next moment has been planned already.

    A replay or a report that comes twice starts no second chain of runs.
    """
    run = effect.entry.run
    if run.ordinal != ordinal + 1:
        return None
    moment = now + round(effect.delay_seconds * MICROS)
    expires_at = moment + run.expires_at - run.due_at if run.expires_at else 0
    return replace(run, moment=moment, due_at=moment, expires_at=expires_at, created_at=run.created_at or now)
