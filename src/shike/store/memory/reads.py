"""The read side. What is handed out is a copy: nobody outside can change a row."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from heapq import nlargest, nsmallest
from itertools import chain, groupby, islice

from msgspec.structs import replace

from shike.lanes import queue_of
from shike.model import IN_LANE, Ended, Live, Planned, ScheduleVersion, Session, State, TimetableRow
from shike.store.base import Control, Counts, Gated, RunFilter
from shike.store.memory.lanes import Lane
from shike.store.memory.tables import Tables


def live(tables: Tables, run_id: int) -> Live | None:
    found = tables.runs.get(run_id)
    return None if found is None else replace(found)


def find(tables: Tables, run_id: int) -> Live | Ended | None:
    return live(tables, run_id) or tables.ended(run_id)


def runs(tables: Tables, wanted: RunFilter) -> list[Live | Ended]:
    now = tables.now()
    rows: Iterator[Live | Ended] = chain(tables.runs.values(), tables.over.rows.values(), tables.dead.rows.values())
    fit = (row for row in rows if _matches(row, wanted, now))
    newest = nlargest(wanted.limit, fit, key=lambda row: row.run.id)
    return [replace(row) if isinstance(row, Live) else row for row in newest]


def _matches(row: Live | Ended, wanted: RunFilter, now: int) -> bool:
    run = row.run
    return (
        (not wanted.states or _state_matches(row, wanted.states, now))
        and (not wanted.before or run.id < wanted.before)
        and wanted.task in ("", run.task)
        and wanted.queue in ("", run.queue)
        and wanted.schedule in ("", run.schedule)
        and wanted.key in ("", run.key)
    )


def _state_matches(row: Live | Ended, states: tuple[State, ...], now: int) -> bool:
    """PENDING is a predicate: in a lane, and eligible."""
    if row.state in states:
        return True
    return State.PENDING in states and isinstance(row, Live) and row.state in IN_LANE and row.run_at <= now


def due(tables: Tables, low: int, high: int, after: int, until: int, limit: int) -> list[tuple[int, str]]:
    now = tables.now()
    mine = _within(tables, low, high)
    is_all = low <= 0 and high >= tables.virtual_buckets - 1
    overdue: dict[str, int] = {}
    ahead: set[tuple[int, str]] = set()
    for lanes in (tables.lanes, tables.suspects):
        for queue, lane in lanes.all():
            first = _first(lane, after, min(until, now), mine)
            if first is not None:
                overdue[queue] = min(first.run_at, overdue.get(queue, first.run_at))
            window = max(after, now), until
            instants = lane.instants(*window) if is_all else _instants(filter(mine, lane.between(*window)))
            ahead.update((run_at, queue) for run_at in islice(instants, limit))
    return nsmallest(limit, ahead.union((run_at, queue) for queue, run_at in overdue.items()))


def _within(tables: Tables, low: int, high: int) -> Callable[[Live], bool]:
    """Whether a run lives in these virtual buckets."""
    if low <= 0 and high >= tables.virtual_buckets - 1:
        return lambda row: True
    return lambda row: low <= tables.bucket_of(row.run.id) <= high


def _first(lane: Lane, after: int, until: int, mine: Callable[[Live], bool]) -> Live | None:
    """The first of `lane.between` that is mine; without looking at the others where that is the very first."""
    first = lane.first()
    if first is None or first.run_at > until:
        return None
    if first.run_at > after and mine(first):
        return first
    return next(filter(mine, lane.between(after, until)), None)


def _instants(rows: Iterable[Live]) -> Iterator[int]:
    """The distinct run_at of rows that are in order."""
    return (run_at for run_at, _ in groupby(row.run_at for row in rows))


def gated(tables: Tables, low: int, high: int, after: int, until: int, limit: int) -> list[Gated]:
    now = tables.now()
    mine = _within(tables, low, high)
    found: list[Live] = []
    for gate in tables.gates.by_key.values():
        first = _first(gate.waiters, after, min(until, now), mine)
        if first is not None:
            found.append(first)
        found += islice(filter(mine, gate.waiters.between(max(after, now), until)), limit)
    return [_gated(row) for row in nsmallest(limit, found, key=lambda row: (row.run_at, row.run.id))]


def gate_waiters(tables: Tables, gate: str, limit: int) -> list[Gated]:
    return [_gated(row) for row in tables.gates.waiters(gate, limit)]


def _gated(row: Live) -> Gated:
    return Gated(row.run.id, row.version, row.run.gate, row.run_at)


def schedules(tables: Tables) -> list[Planned]:
    return [tables.schedules[name] for name in sorted(tables.schedules)]


def versions(tables: Tables, name: str) -> list[ScheduleVersion]:
    known = tables.versions.get(name, [])
    return [replace(one, until=tables.schedules[name].cursor) if one.stands else one for one in known]


def to_plan(tables: Tables, low: int, high: int, until: int, limit: int) -> list[Planned]:
    ripe = (
        planned
        for name, planned in tables.schedules.items()
        if not planned.deleted and planned.plan_at <= until and low <= tables.bucket_of_name(name) <= high
    )
    return nsmallest(limit, ripe, key=lambda planned: (planned.plan_at, planned.schedule.name))


def timetable(tables: Tables, schedule: str, start: int, end: int) -> list[TimetableRow]:
    rows = tables.timetable.rows.get(schedule, {})
    touching = (row for row in rows.values() if row.until >= start and row.moment < end)
    return sorted(touching, key=lambda row: row.moment)


def present(tables: Tables) -> list[Session]:
    return [row.session for row in tables.sessions.values() if row.is_open and row.session.expires_at]


def listed(tables: Tables, limit: int) -> list[Session]:
    newest = list(islice(reversed(tables.sessions.values()), limit))
    return [row.session for row in reversed(newest)]


def left_over(tables: Tables) -> list[Session]:
    owners = {bucket.owner for bucket in tables.buckets.values()}
    rows = tables.sessions.values()
    return [row.session for row in rows if not row.is_open and (row.open or row.session.id in owners)]


def dead(tables: Tables, limit: int, before: int, task: str) -> list[Ended]:
    rows = (
        row for row in tables.dead.rows.values() if (not before or row.run.id < before) and task in ("", row.run.task)
    )
    return nlargest(limit, rows, key=lambda row: row.run.id)


def unsuccessful(tables: Tables, since: int, behind: int, limit: int) -> list[Ended]:
    """Looks at all that is over: the shelves are bounded."""
    rows = chain(tables.over.rows.values(), tables.dead.rows.values())
    later = (row for row in rows if row.state is not State.SUCCESS and _when(row) > (since, behind))
    return nsmallest(limit, later, key=_when)


def _when(row: Ended) -> tuple[int, int]:
    return row.ended_at, row.run.id


def controls(tables: Tables, prefix: str) -> list[Control]:
    return [tables.controls[key] for key in sorted(tables.controls) if key.startswith(prefix)]


def counts(tables: Tables) -> Counts:
    now = tables.now()
    places = Counter(_place(row, now) for row in tables.runs.values())
    ended = Counter(row.state.name for row in chain(tables.over.rows.values(), tables.dead.rows.values()))
    return Counts(
        **places,
        ended=dict(ended),
        dead=len(tables.dead.rows),
        by_queue=dict(Counter(queue_of(row.run.queue) for row in tables.runs.values())),
    )


def _place(row: Live, now: int) -> str:
    """Which of the counts a live run belongs to: exactly one."""
    if row.state in (*IN_LANE, State.ASSIGNED) and row.run_at <= now:
        return "eligible"
    return "scheduled" if row.state is State.ASSIGNED else row.state.name.lower()
