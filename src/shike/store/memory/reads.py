"""The read side. What is handed out is a copy: nobody outside can change a row."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from heapq import nlargest, nsmallest
from itertools import chain, islice

from msgspec.structs import replace

from shike.model import IN_LANE, Ended, Live, Planned, ScheduleVersion, Session, State, TimetableRow
from shike.store.base import Control, Counts, Gated, RunFilter
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
    is_all = low <= 0 and high >= tables.virtual_buckets - 1
    found: set[tuple[int, str]] = set()
    for lanes in (tables.lanes, tables.suspects):
        for queue, lane in lanes.all():
            if is_all:
                instants: Iterator[int] = lane.instants(after, until)
            else:
                instants = _instants(tables, lane.between(after, until), low, high)
            found.update((run_at, queue) for run_at in islice(instants, limit))
    return nsmallest(limit, found)


def _instants(tables: Tables, rows: Iterable[Live], low: int, high: int) -> Iterator[int]:
    """The distinct run_at of rows in these virtual buckets. `rows` are in order."""
    last = -1
    for row in rows:
        if row.run_at != last and low <= tables.bucket_of(row.run.id) <= high:
            last = row.run_at
            yield last


def gated(tables: Tables, low: int, high: int, after: int, until: int, limit: int) -> list[Gated]:
    waiting = (row for gate in tables.gates.by_key.values() for row in gate.waiters.between(after, until))
    mine = (row for row in waiting if low <= tables.bucket_of(row.run.id) <= high)
    return [_gated(row) for row in nsmallest(limit, mine, key=lambda row: (row.run_at, row.run.id))]


def gate_waiters(tables: Tables, gate: str) -> list[Gated]:
    return [_gated(row) for row in tables.gates.waiters(gate)]


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


def sessions(tables: Tables, everything: bool) -> list[Session]:
    rows = tables.sessions.values()
    return [row.session for row in rows if everything or (row.is_open and row.session.expires_at)]


def dead(tables: Tables, limit: int, before: int, task: str) -> list[Ended]:
    rows = (
        row for row in tables.dead.rows.values() if (not before or row.run.id < before) and task in ("", row.run.task)
    )
    return nlargest(limit, rows, key=lambda row: row.run.id)


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
        by_queue=dict(Counter(row.run.queue for row in tables.runs.values())),
    )


def _place(row: Live, now: int) -> str:
    """Which of the counts a live run belongs to: exactly one."""
    if row.state in IN_LANE and row.run_at <= now:
        return "eligible"
    return row.state.name.lower()
