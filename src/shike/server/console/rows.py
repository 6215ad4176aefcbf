"""A run as a row of a table: only what is shown, in words and texts."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from msgspec import Struct

from shike.clock import MICROS
from shike.lanes import queue_of
from shike.model import Ended, Live
from shike.operate.facts import instant, last_attempt, state_now
from shike.operate.search import late_seconds, worker_of
from shike.store.children import UNTIL_FREED


class Row(Struct, frozen=True, kw_only=True):
    """One run."""

    id: str
    task: str
    state: str
    queue: str
    schedule: str
    key: str
    due_at: datetime | None
    run_at: datetime | None  # of one that waits
    ended_at: datetime | None
    late_seconds: float | None
    took_seconds: float | None
    attempts: int
    worker: str
    reason: str


def row_of(known: Live | Ended, now: int) -> Row:
    """What a list shows of a run."""
    run, last = known.run, last_attempt(known)
    late = late_seconds(known)
    is_live = isinstance(known, Live)
    run_at = known.run_at if isinstance(known, Live) and known.run_at not in (run.due_at, UNTIL_FREED) else 0
    return Row(
        id=str(run.id),
        task=run.task,
        state=state_now(known, now).name,
        queue=queue_of(run.queue),
        schedule=run.schedule.removeprefix("default/"),
        key=run.key,
        due_at=instant(run.due_at),
        run_at=instant(run_at),
        ended_at=None if isinstance(known, Live) else instant(known.ended_at),
        late_seconds=late if late >= 0 else None,
        took_seconds=(last.ended_at - last.started_at) / MICROS if last is not None and last.started_at else None,
        attempts=known.attempts,
        worker="" if is_live else worker_of(known),
        reason=known.reason if isinstance(known, Ended) else known.cancel,
    )


def rows_of(runs: Iterable[Live | Ended], now: int) -> list[Row]:
    """Several, the latest due first: ids of different processes do not follow each other in time."""
    return [row_of(known, now) for known in sorted(runs, key=lambda one: (one.run.due_at, one.run.id), reverse=True)]
