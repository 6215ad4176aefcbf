"""What became of each moment of one schedule, newest first: ran, late, skipped, missed; and why."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Final

from msgspec import Struct

from shike.bounds import PLAN_AHEAD_MOMENTS
from shike.clock import MICROS, to_datetime
from shike.model import NEVER, Ended, Fate, Live, State, TimetableRow
from shike.operate.facts import last_attempt, state_now
from shike.operate.runs import PAGE_RUNS, runs_of
from shike.operate.schedules import find
from shike.store.base import RunFilter, Store

LATE_SECONDS: Final = 1.0  # from due to started: later than this is late
CELLS: Final = 100
PAGES_MAX: Final = 5


class Became(StrEnum):
    """What became of a moment, or of a range of them."""

    RAN = "ran"
    LATE = "late"  # it ran, and began more than LATE_SECONDS after it was due
    FAILED = "failed"  # a dead letter
    UNDER_WAY = "under_way"
    SKIPPED = "skipped"  # expired, overlap, a misfire …
    CANCELLED = "cancelled"
    MISSED = "missed"
    COALESCED = "coalesced"
    PAUSED = "paused"
    WITHDRAWN = "withdrawn"
    CAPPED = "capped"


class Cell(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One moment; or `count` of them from `moment` to `until`, that share a fate."""

    moment: datetime
    until: datetime
    became: Became
    count: int = 1
    run: str = ""
    late_seconds: float | None = None
    reason: str = ""


_ENDS: Final = {
    State.SUCCESS: Became.RAN,
    State.DEAD: Became.FAILED,
    State.CANCELLED: Became.CANCELLED,
    State.SKIPPED: Became.SKIPPED,
}
_FATES: Final = {
    Fate.MISSED: Became.MISSED,
    Fate.COALESCED: Became.COALESCED,
    Fate.PAUSED: Became.PAUSED,
    Fate.WITHDRAWN: Became.WITHDRAWN,
    Fate.CAPPED: Became.CAPPED,
}


async def strip(store: Store, name: str, *, cells: int = CELLS) -> list[Cell]:
    """The last moments of a schedule that have come, newest first; raises `NotFound`. Reads pages of the schedule's own
    runs, and the rows of its timetable for the same stretch."""
    planned = await find(store, name)
    full_name, now = planned.schedule.name, await store.now()
    runs = await _runs(store, full_name, cells, now)
    start = min((one.run.moment for one in runs.values()), default=NEVER)
    rows = await store.timetable(full_name, start, now + 1)
    found = [cell for row in reversed(rows) if row.moment <= now and (cell := _cell(row, runs, now)) is not None]
    return found[:cells]


async def _runs(store: Store, full_name: str, cells: int, now: int) -> dict[int, Live | Ended]:
    """Runs whose moment has come, by id: as many as there are cells, as far as PAGES_MAX pages reach."""
    found: dict[int, Live | Ended] = {}
    before = 0
    for _ in range(PAGES_MAX):
        limit = min(cells + PLAN_AHEAD_MOMENTS, PAGE_RUNS)
        page = await runs_of(store, RunFilter(schedule=full_name, before=before, limit=limit))
        found |= {one.run.id: one for one in page if one.run.moment <= now}
        if len(found) >= cells or len(page) < limit:
            break
        before = page[-1].run.id
    return found


def _cell(row: TimetableRow, runs: dict[int, Live | Ended], now: int) -> Cell | None:
    moment, until = to_datetime(row.moment), to_datetime(min(row.until, now))
    if row.fate is not Fate.PLANNED:
        return Cell(moment=moment, until=until, became=_FATES[row.fate], count=row.count)
    known = runs.get(row.run_id)
    if known is None:
        if row.state < 0:
            return None  # its run is not among those that were read
        became = _ENDS.get(State(row.state), Became.UNDER_WAY)
        return Cell(moment=moment, until=moment, became=became, run=str(row.run_id))
    return _of_run(moment, known, now)


def _of_run(moment: datetime, known: Live | Ended, now: int) -> Cell:
    run = str(known.run.id)
    if isinstance(known, Live):
        late = (now - known.run.due_at) / MICROS if state_now(known, now) is State.PENDING else None
        return Cell(moment=moment, until=moment, became=Became.UNDER_WAY, run=run, late_seconds=late)
    last = last_attempt(known)
    late = None
    if last is not None and last.number == 1 and last.started_at:
        late = (last.started_at - known.run.due_at) / MICROS
    became = _ENDS[known.state]
    if became is Became.RAN and late is not None and late > LATE_SECONDS:
        became = Became.LATE
    return Cell(moment=moment, until=moment, became=became, run=run, late_seconds=late, reason=known.reason)
