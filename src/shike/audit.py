"""Prove, for an interval, what became of every planned moment (P7).

The moments are computed anew from each schedule's trigger and laid beside what the store holds: the rows of the
timetable, the runs they name, and the notes of backfills. Only rows that are written in one atomic step with what they
tell are read, never traces or logs. A moment that nothing accounts for is a *hole*; two runs for one moment are a
*double*. A correct store has neither.

What cannot be computed anew is said so: a fixed delay follows from its runs, an earlier version's trigger is gone, rows
older than the retention were dropped. For these the rows are counted as they are (`by_rows`).
"""

from __future__ import annotations

import asyncio
from bisect import bisect_right
from collections import Counter
from collections.abc import Sequence
from datetime import datetime

from msgspec import Struct, field

from shike.clock import MICROS, to_datetime, to_micros
from shike.errors import BadInput
from shike.model import IN_LANE, Ended, Fate, Live, Planned, State, TimetableRow
from shike.operate.backfill import standing
from shike.store.base import Store
from shike.trigger.line import Line

HOLES_SHOWN = 100  # of each schedule; all are counted
MOMENTS_MAX = 1_000_000  # of one schedule: 11 days of one a second
MOMENTS_STEP = 10_000
FINDS_AT_ONCE = 500
LOOK_BACK = tuple(hours * 3600 * MICROS for hours in (1, 24, 8 * 24))

UNPLANNED = "UNPLANNED"  # the planner has not come to it: it will, and then judges it by the misfire policy
BACKFILLED = "BACKFILLED"  # of what had no run of its own: a backfill's run stands for it


class Hole(Struct, frozen=True, kw_only=True):
    """A moment that nothing accounts for."""

    moment: datetime
    words: str


class Audited(Struct, kw_only=True):
    """One schedule. `fates` counts its moments by what became of each: a state of the model or a fate."""

    schedule: str
    moments: int = 0
    fates: Counter[str] = field(default_factory=Counter)
    by_rows: int = 0  # moments that were counted from their rows alone
    holes: int = 0
    doubles: int = 0
    first_holes: list[Hole] = field(default_factory=list)
    first_doubles: list[Hole] = field(default_factory=list)
    note: str = ""


class Report(Struct, frozen=True, kw_only=True):
    """All schedules. It is sound when there are no holes and no doubles."""

    start: datetime
    end: datetime
    schedules: list[Audited]

    @property
    def holes(self) -> int:
        return sum(one.holes for one in self.schedules)

    @property
    def doubles(self) -> int:
        return sum(one.doubles for one in self.schedules)

    @property
    def sound(self) -> bool:
        return not self.holes and not self.doubles


async def audit(store: Store, start: datetime, end: datetime, *, only: Sequence[str] = ()) -> Report:
    """What became of each moment in [start, end), of all schedules or `only` these; up to the store's now.

    Reads only. While the cluster works the answer is that of the instants at which each row was read, and what is
    planned meanwhile cannot become a hole: the cursor is read before the rows. Raises `BadInput`.
    """
    low, high = to_micros(start), min(to_micros(end), await store.now())
    if high <= low:
        raise BadInput("an audit goes from an earlier to a later time, and not into the future")
    known = [one for one in await store.schedules() if not only or one.schedule.name in only]
    audited = [await _one(store, planned, low, high) for planned in sorted(known, key=lambda one: one.schedule.name)]
    return Report(start=start, end=to_datetime(high), schedules=audited)


async def _one(store: Store, planned: Planned, low: int, high: int) -> Audited:
    name = planned.schedule.name
    rows = await store.timetable(name, low, high)
    states = await _states(store, rows)
    found = Audited(schedule=name)
    cover = _Cover(rows, low, high)
    cover.judge(found, states)
    stand = await standing(store, name, low, high)
    backfilled = {moment: _state(known) if known else "LONG AGO" for moment, known in stand.items()}
    cover.count_backfills(found, backfilled)
    line = Line.of(planned.schedule)
    if line.after_end:
        found.note = "fixed delay: its moments follow from its runs"
        found.by_rows = found.moments
        return found
    since = await _stands_since(store, planned, rows, low)
    found.by_rows = sum(row.count for row in rows if since is None or row.until <= since)
    if since is None:
        found.note = f"no row of version {planned.schedule.version} is this old: counted by rows"
        return found
    if since > low and planned.schedule.version > 1:
        found.note = f"version {planned.schedule.version} stands since {to_datetime(since):%Y-%m-%d %H:%M:%S} UTC"
    _compare(found, cover, line, planned, since, low, high)
    return found


def _compare(found: Audited, cover: _Cover, line: Line, planned: Planned, since: int, low: int, high: int) -> None:
    """Each computed moment has a row, or lies ahead of the planner."""
    trigger = line.trigger.bound(line.start_at, line.spread)
    place = max(low, since, line.start_at)
    stop = min(high, line.end_at or high)
    left = MOMENTS_MAX
    while left > 0 and (moments := trigger.between(place, stop, MOMENTS_STEP)):
        for moment in moments:
            if cover.has(moment):
                continue
            if moment > planned.cursor or planned.deleted or _beyond(planned, line):
                _unplanned(found, planned)
            else:
                _hole(found, moment, "no row of the timetable covers it, and the planner has passed it")
        left -= len(moments)
        place = moments[-1] + 1
    if left <= 0:
        found.note = f"only the first {MOMENTS_MAX:,} moments were compared; audit a shorter time"


def _unplanned(found: Audited, planned: Planned) -> None:
    """Ahead of the cursor nothing is lost: whoever plans next judges it. A deleted schedule has no more moments."""
    if not planned.deleted:
        found.moments += 1
        found.fates[UNPLANNED] += 1


def _beyond(planned: Planned, line: Line) -> bool:
    """A schedule with a count has no moments after its last one."""
    return bool(line.count) and planned.ordinal >= line.count


def _hole(found: Audited, moment: int, words: str) -> None:
    found.holes += 1
    if len(found.first_holes) < HOLES_SHOWN:
        found.first_holes.append(Hole(moment=to_datetime(moment), words=words))


class _Cover:
    """The rows of one schedule in an interval: single moments, and ranges."""

    def __init__(self, rows: Sequence[TimetableRow], low: int, high: int) -> None:
        self._singles = {row.moment: row for row in rows if row.until == row.moment}
        self._ranges = sorted((row for row in rows if row.until > row.moment), key=lambda row: row.moment)
        self._starts = [row.moment for row in self._ranges]
        self._low = low
        self._high = high

    def has(self, moment: int) -> bool:
        return moment in self._singles or self._range_of(moment) is not None

    def _range_of(self, moment: int) -> TimetableRow | None:
        place = bisect_right(self._starts, moment) - 1
        return self._ranges[place] if place >= 0 and self._ranges[place].until >= moment else None

    def judge(self, found: Audited, states: dict[int, tuple[str, str]]) -> None:
        """Count what each row says. A row whose run is nowhere is a hole; a moment that ran and lies in a range of
        moments that did not is counted twice, so it is a double."""
        for moment, row in self._singles.items():
            covering = self._range_of(moment)
            if row.fate is not Fate.PLANNED:
                if covering is None:  # else the range counts it
                    _count(found, row.fate.name, row.count)
                continue
            state, lost = states[row.run_id] if row.state < 0 else (State(row.state).name, "")
            if lost:
                _hole(found, moment, lost)
            _count(found, state, 1)
            if covering is not None and covering.fate is not Fate.WITHDRAWN:
                _double(found, moment, f"it has run {row.run_id} and lies in a range that is {covering.fate}")
        for row in self._ranges:
            _count(found, row.fate.name, row.count)

    def _told_by(self, moment: int) -> TimetableRow | None:
        """The row that counts a moment: its run's, else the range's, else the single one that says why not."""
        single = self._singles.get(moment)
        if single is not None and single.fate is Fate.PLANNED:
            return single
        return self._range_of(moment) or single

    def count_backfills(self, found: Audited, backfilled: dict[int, str]) -> None:
        """A backfilled moment is not a missed one any more."""
        for moment, state in backfilled.items():
            row = self._told_by(moment)
            if row is not None and row.fate is Fate.PLANNED:
                _double(found, moment, f"it has run {row.run_id} and one of a backfill")
                continue
            if row is not None:
                found.fates[row.fate.name] -= 1
            else:
                found.moments += 1
            found.fates[f"{BACKFILLED} {state}"] += 1


def _count(found: Audited, fate: str, moments: int) -> None:
    found.moments += moments
    found.fates[fate] += moments


def _double(found: Audited, moment: int, words: str) -> None:
    found.doubles += 1
    if len(found.first_doubles) < HOLES_SHOWN:
        found.first_doubles.append(Hole(moment=to_datetime(moment), words=words))


async def _states(store: Store, rows: Sequence[TimetableRow]) -> dict[int, tuple[str, str]]:
    """The state of each planned moment's run; and, where the run is nowhere, the words for the hole."""
    wanted = [row.run_id for row in rows if row.fate is Fate.PLANNED and row.state < 0]
    found: dict[int, tuple[str, str]] = {}
    for first in range(0, len(wanted), FINDS_AT_ONCE):
        some = wanted[first : first + FINDS_AT_ONCE]
        for run_id, known in zip(some, await asyncio.gather(*map(store.find, some)), strict=True):
            found[run_id] = (_state(known), "") if known else ("LOST", f"its run {run_id} is neither live nor ended")
    return found


def _state(known: Live | Ended) -> str:
    if isinstance(known, Live) and known.state in IN_LANE:
        return State.PENDING.name
    return known.state.name


async def _stands_since(store: Store, planned: Planned, rows: Sequence[TimetableRow], low: int) -> int | None:
    """From when on the present version answers for its moments: the first version from where its line begins; a later
    one from its first row on, since what an edit replaced was another trigger's. None: not within the interval."""
    version = planned.schedule.version
    if version == 1:
        return Line.of(planned.schedule).start_at
    for back in LOOK_BACK:
        earlier = await store.timetable(planned.schedule.name, max(low - back, 0), low)
        if any(row.version == version and row.fate is not Fate.WITHDRAWN for row in earlier):
            return low
    return min((row.moment for row in rows if row.version == version), default=None)
