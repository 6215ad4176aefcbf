"""What a step of planning comes to where a moment has been planned before: pure functions for every store."""

from __future__ import annotations

from msgspec.structs import replace

from shike.clock import MICROS
from shike.model import Run, TimetableRow
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


def without_first(row: TimetableRow) -> TimetableRow | None:
    """A range whose first moment has a run already: the rest of it, or None where there is none.

    A planned run may be promoted or cancelled ahead of its moment; an edit or pause then passes this moment again.
    """
    return replace(row, moment=row.moment + 1, count=row.count - 1) if row.count > 1 else None
