"""Runs come in: by submission, by a schedule's plan, or as an effect of another step."""

from __future__ import annotations

from collections.abc import Sequence
from typing import assert_never

from msgspec.structs import replace

from shike.errors import Conflict
from shike.model import Fate, Run, TimetableRow
from shike.store.checks import check_entries
from shike.store.following import following
from shike.store.guards import Absent, Below, Choose, Effect, Entry, Guard, Insert, PlanNext, Replayed
from shike.store.memory.tables import Remembered, Tables, micros
from shike.store.verbs import Submitted


def submit(tables: Tables, entries: Sequence[Entry], repeat: bool) -> list[Submitted]:
    check_entries(entries)
    _check_ids(tables, entries, repeat)
    now = tables.now()
    return [_submit_one(tables, entry, now) for entry in entries]


def _check_ids(tables: Tables, entries: Sequence[Entry], repeat: bool) -> None:
    for entry in () if repeat else entries:
        if tables.is_known(entry.run.id):
            raise Conflict(f"run {entry.run.id} is in the store already; nothing of this submission was stored")


def _submit_one(tables: Tables, entry: Entry, now: int) -> Submitted:
    run_id = entry.run.id
    if tables.is_known(run_id):
        return Submitted(run_id, True, _due_at(tables, run_id))
    refused = _refusal(tables, entry, now)
    return store_entry(tables, entry, now) if refused is None else refused


def _refusal(tables: Tables, entry: Entry, now: int) -> Submitted | None:
    for guard in entry.guards:
        if not holds(tables, guard, entry.run.id, now):
            found = tables.keys[guard.key].run_id if isinstance(guard, Absent) else entry.run.id
            return Submitted(found, False, _due_at(tables, found), type(guard).__name__)
    for effect in entry.effects:
        if isinstance(effect, Replayed) and not _can_replay(tables, effect, entry.run.id):
            ended = tables.dead.rows.get(effect.run_id)
            found = entry.run.id if ended is None else ended.replayed_as
            return Submitted(found, False, _due_at(tables, found), "Replayed")
    return None


def _due_at(tables: Tables, run_id: int) -> int:
    """When a run that may be here was promised; 0 where nothing is known of it."""
    found = tables.runs.get(run_id) or tables.ended(run_id)
    return 0 if found is None else found.run.due_at


def store_entry(tables: Tables, entry: Entry, now: int) -> Submitted:
    """Store a run whose guards hold, with its effects."""
    run, run_at = timed(entry, now)
    for guard in entry.guards:
        take(tables, guard, run.id, now)
    tables.accept(run, run_at, now)
    for effect in entry.effects:
        apply(tables, effect, run.id, now)
    return Submitted(run.id, True, run.due_at)


def timed(entry: Entry, now: int) -> tuple[Run, int]:
    """The run with its instants filled in by the store's clock, and when it is eligible."""
    run = entry.run
    if entry.delay_seconds >= 0:
        run_at = due_at = now + micros(entry.delay_seconds)
    else:
        run_at = entry.run_at or run.due_at or now
        due_at = run.due_at or run_at
    if due_at != run.due_at or not run.created_at:
        run = replace(run, due_at=due_at, created_at=run.created_at or now)
    return run, run_at


# -------------------------------------------------------------------- guards and effects


def holds(tables: Tables, guard: Guard, run_id: int, now: int) -> bool:
    if isinstance(guard, Below):
        return tables.gates.admits(guard.key, guard.cap, run_id)
    known = tables.keys.get(guard.key)
    return known is None or known.until <= now or known.run_id == run_id


def take(tables: Tables, guard: Guard, run_id: int, now: int) -> None:
    """What a guard that holds leaves behind: a permit, or a remembered key."""
    if isinstance(guard, Below):
        tables.gates.grant(guard.key, run_id)
        return
    tables.keep_key(guard.key, Remembered(run_id, now + micros(guard.seconds)))


def apply(tables: Tables, effect: Effect, run_id: int, now: int) -> None:
    """Do what a step brings with it. `run_id`: the run that the step is about."""
    match effect:
        case Insert():
            if not tables.is_known(effect.entry.run.id) and _refusal(tables, effect.entry, now) is None:
                store_entry(tables, effect.entry, now)
        case Replayed():
            if _can_replay(tables, effect, run_id):
                ended = tables.dead.rows[effect.run_id]
                tables.dead.rows[effect.run_id] = replace(ended, replayed_as=run_id)
        case PlanNext():
            _plan_next(tables, effect, now)
        case Choose():
            pass  # done when its run ended
        case _:
            assert_never(effect)


def _can_replay(tables: Tables, effect: Replayed, run_id: int) -> bool:
    ended = tables.dead.rows.get(effect.run_id)
    return ended is not None and ended.replayed_as in (0, run_id)


def _plan_next(tables: Tables, effect: PlanNext, now: int) -> None:
    planned = tables.schedules.get(effect.schedule)
    if planned is None or planned.deleted or planned.paused or planned.schedule.version != effect.version:
        return
    run = following(effect, planned.ordinal, now)
    if run is not None and write_moment(tables, run, effect.version, run.moment, run.moment, now):
        tables.schedules[effect.schedule] = replace(planned, cursor=run.moment, ordinal=run.ordinal)


def write_moment(tables: Tables, run: Run, version: int, moment: int, run_at: int, now: int) -> bool:
    """A moment's row and its run, unless it has one. A withdrawn row gives way: its run never began."""
    row = tables.timetable.row(run.schedule, moment)
    if (row is not None and row.fate is not Fate.WITHDRAWN) or tables.is_known(run.id):
        return False
    tables.timetable.write(TimetableRow(run.schedule, version, moment, moment, 1, Fate.PLANNED, run.id, run.due_at))
    tables.accept(run, run_at, now)
    return True
