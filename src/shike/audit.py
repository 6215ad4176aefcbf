"""Prove, for an interval, what became of every planned moment (P7).

The moments are computed anew from each schedule's trigger and laid beside what the store holds: the rows of the
timetable, the runs they name, and the notes of backfills. Only rows that are written in one atomic step with what they
tell are read, never traces or logs. A moment that nothing accounts for is a *hole*; two runs for one moment are a
*double*. A correct store has neither.

Every version of a schedule answers for its own moments: from where it was made to where it was edited or deleted.

What cannot be computed anew is said so: a fixed delay follows from its runs, and rows older than the retention were
dropped. For these the rows are counted as they are (`by_rows`).
"""

from __future__ import annotations

import asyncio
import sys
from bisect import bisect_right
from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import NamedTuple

from msgspec import Struct, field

from shike.clock import to_datetime, to_micros
from shike.errors import BadInput
from shike.model import IN_LANE, Ended, Fate, Live, ScheduleVersion, State, TimetableRow
from shike.operate.backfill import standing
from shike.operate.schedules import unknown
from shike.store.base import TIMETABLE_FROM, Store
from shike.trigger.line import Line

NEVER_RAN = frozenset({State.CANCELLED.name, State.SKIPPED.name})
HOLES_SHOWN = 100  # of each schedule; all are counted
MOMENTS_MAX = 1_000_000  # of one schedule: 11 days of one a second
MOMENTS_STEP = 10_000
FINDS_AT_ONCE = 500

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
    planned meanwhile cannot become a hole: the cursor is read before the rows. Raises `BadInput`, and `NotFound` for
    a name that no schedule has or had: nothing is sound about what was not looked at.
    """
    low, high = to_micros(start), min(to_micros(end), await store.now())
    if high <= low:
        raise BadInput("an audit goes from an earlier to a later time, and not into the future")
    names = sorted(one.schedule.name for one in await store.schedules())
    for name in only:
        if name not in names:
            raise unknown(name, names)
    audited = [await _one(store, name, low, high) for name in names if not only or name in only]
    return Report(start=start, end=to_datetime(high), schedules=audited)


async def _one(store: Store, name: str, low: int, high: int) -> Audited:
    spans = [_Span(one) for one in await store.versions(name)]
    rows = await store.timetable(name, low, high)
    whole_from = max([int(row.value) for row in await store.controls(TIMETABLE_FROM)], default=0)
    ends = await _ends(store, rows)
    found = Audited(schedule=name)
    cover = _Cover(rows, spans, low, high)
    cover.judge(found, ends)
    stand = await standing(store, name, low, high)
    backfilled = {moment: _state(known) if known else "LONG AGO" for moment, known in stand.items()}
    cover.count_backfills(found, backfilled)
    proven = {span.version for span in spans if span.is_computable}
    found.by_rows = sum(cover.inside(row) for row in rows if row.version not in proven or row.until < whole_from)
    notes = []
    if any(span.version not in proven and cover.tells_of(span.version) for span in spans):
        notes.append("fixed delay: its moments follow from its runs")
    if any(next(span.moments(low, whole_from), None) is not None for span in spans):
        notes.append(f"older rows than of {to_datetime(whole_from):%Y-%m-%d %H:%M} UTC are not kept")
    if not _compare(found, cover, spans, max(low, whole_from), high):
        notes.append(f"only the first {MOMENTS_MAX:,} moments were compared; audit a shorter time")
    found.note = "; ".join(notes)
    return found


def _compare(found: Audited, cover: _Cover, spans: Sequence[_Span], low: int, high: int) -> bool:
    """Each computed moment has a row, or lies ahead of the planner. False where there were too many to look at."""
    seen: set[int] = set()  # a schedule that was deleted and made anew may answer for a moment twice
    looked = 0
    for span in spans:
        for moment in span.moments(low, high):
            if looked == MOMENTS_MAX:
                return False
            looked += 1
            if cover.has(moment, span.version) or moment in seen:
                continue
            seen.add(moment)
            if moment > span.until:
                _count(found, UNPLANNED, 1)
            else:
                words = f"no row of the timetable covers it, and the planner has passed it (version {span.version})"
                _hole(found, moment, words)
    return True


class _Span:
    """One version of a schedule: which moments it answers for."""

    def __init__(self, known: ScheduleVersion) -> None:
        self._known = known
        self._line = Line.of(known.schedule)
        self._trigger = self._line.trigger.bound(self._line.start_at, self._line.spread)
        self.version = known.schedule.version
        self.until = known.until

    @property
    def is_computable(self) -> bool:
        """Not so a fixed delay, which follows from its runs."""
        return not self._line.after_end

    def has(self, moment: int) -> bool:
        """Whether its trigger has this moment, whoever answers for it."""
        return self.is_computable and self._trigger.matches(moment)

    def count(self, start: int, end: int) -> int:
        """How many moments its trigger has in [start, end)."""
        return self._trigger.count(start, end, MOMENTS_MAX)[0] if self.is_computable else 0

    def moments(self, low: int, high: int) -> Iterator[int]:
        """Those in [low, high), in order; of the version that stands also those that are not planned yet."""
        if not self.is_computable:
            return
        line, known = self._line, self._known
        place = max(low, known.since + 1, line.start_at)
        stop = min(high, line.end_at or high, high if known.stands else known.until + 1)
        left = self._left(place)
        while left > 0 and (some := self._trigger.between(place, stop, min(MOMENTS_STEP, left))):
            yield from some
            left -= len(some)
            place = some[-1] + 1

    def _left(self, place: int) -> int:
        """How many more moments there can be from here on: of a schedule with a count, what was not used up before."""
        line, known = self._line, self._known
        if not line.count:
            return sys.maxsize
        before = line.stretch(known.since, known.ordinal, until=place - 1, cap=line.count)
        return line.count - known.ordinal - (before.moments if before else 0)


def _hole(found: Audited, moment: int, words: str) -> None:
    found.holes += 1
    if len(found.first_holes) < HOLES_SHOWN:
        found.first_holes.append(Hole(moment=to_datetime(moment), words=words))


class _End(NamedTuple):
    """What is known of a run."""

    state: str
    is_lost: bool = False
    was_early: bool = False  # it began, or was over, ahead of its due time

    @classmethod
    def of(cls, known: Live | Ended | None) -> _End:
        if known is None:
            return cls("LOST", is_lost=True)
        at = known.ended_at if isinstance(known, Ended) else known.run_at
        return cls(_state(known), was_early=at < known.run.due_at)


class _Cover:
    """The rows of one schedule in an interval: single moments, and ranges."""

    def __init__(self, rows: Sequence[TimetableRow], spans: Sequence[_Span], low: int, high: int) -> None:
        self._spans = {span.version: span for span in spans}
        self._singles = {row.moment: row for row in rows if row.until == row.moment}
        self._ranges = sorted((row for row in rows if row.until > row.moment), key=lambda row: row.moment)
        self._starts = [row.moment for row in self._ranges]
        self._low = low
        self._high = high

    def has(self, moment: int, version: int) -> bool:
        """Whether a row tells of this moment of this version."""
        if moment in self._singles:
            return True
        reaching = self._range_of(moment)
        return reaching is not None and (reaching.version == version or self._counting(moment) is not None)

    def tells_of(self, version: int) -> bool:
        """Whether there is a row of this version."""
        return any(row.version == version for row in (*self._singles.values(), *self._ranges))

    def inside(self, row: TimetableRow) -> int:
        """How many of its moments lie in the interval."""
        span = self._spans.get(row.version)
        if span is None or (row.moment >= self._low and row.until < self._high):
            return row.count
        return span.count(max(row.moment, self._low), min(row.until + 1, self._high))

    def _counting(self, moment: int) -> TimetableRow | None:
        """The range that counts a moment. One that reaches over a moment of another version does not."""
        reaching = self._range_of(moment)
        span = self._spans.get(reaching.version) if reaching else None
        return reaching if span is None or span.has(moment) else None

    def _range_of(self, moment: int) -> TimetableRow | None:
        place = bisect_right(self._starts, moment) - 1
        return self._ranges[place] if place >= 0 and self._ranges[place].until >= moment else None

    def judge(self, found: Audited, ends: dict[int, _End]) -> None:
        """Count what each row says. A row whose run is nowhere is a hole."""
        for moment, row in self._singles.items():
            covering = self._counting(moment)
            if row.fate is Fate.PLANNED:
                end = ends[row.run_id] if row.state < 0 else _End(State(row.state).name)
                self._judge_run(found, row, end, covering)
            elif covering is None:
                _count(found, row.fate.name, row.count)
        for row in self._ranges:
            _count(found, row.fate.name, self.inside(row))

    def _judge_run(self, found: Audited, row: TimetableRow, end: _End, covering: TimetableRow | None) -> None:
        """A moment that ran and is counted with those that did not is a double. Unless it was over ahead of its time,
        cancelled or promoted, when an edit or a pause passed it once more: then its run tells of it."""
        if end.is_lost:
            _hole(found, row.moment, f"its run {row.run_id} is neither live nor ended")
        _count(found, end.state, 1)
        if covering is None:
            return
        if end.was_early or end.state in NEVER_RAN:
            _count(found, covering.fate.name, -1)
        else:
            _double(found, row.moment, f"it has run {row.run_id} and lies in a range that is {covering.fate}")

    def _told_by(self, moment: int) -> TimetableRow | None:
        """The row that counts a moment: its run's, else the range's, else the single one that says why not."""
        single = self._singles.get(moment)
        if single is not None and single.fate is Fate.PLANNED:
            return single
        return self._counting(moment) or single

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


async def _ends(store: Store, rows: Sequence[TimetableRow]) -> dict[int, _End]:
    """What became of each planned moment's run."""
    wanted = [row.run_id for row in rows if row.fate is Fate.PLANNED and row.state < 0]
    found: dict[int, _End] = {}
    for first in range(0, len(wanted), FINDS_AT_ONCE):
        some = wanted[first : first + FINDS_AT_ONCE]
        for run_id, known in zip(some, await asyncio.gather(*map(store.find, some)), strict=True):
            found[run_id] = _End.of(known)
    return found


def _state(known: Live | Ended) -> str:
    if isinstance(known, Live) and known.state in IN_LANE:
        return State.PENDING.name
    return known.state.name
