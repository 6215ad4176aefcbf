"""Schedules are made, edited, paused and planned; control rows and retention."""

from __future__ import annotations

from msgspec.structs import replace

from shike.errors import BadInput, NotFound, StaleEpoch
from shike.model import Fate, Planned, Schedule, ScheduleVersion, State
from shike.store.checks import check_entry
from shike.store.editing import edge, edited, is_ahead, standing, stepped_back
from shike.store.following import without_first
from shike.store.memory.submit import timed, write_moment
from shike.store.memory.tables import Tables
from shike.store.verbs import Plan


def put_schedule(tables: Tables, schedule: Schedule, expect: int | None, plan_at: int) -> Planned:
    known = tables.schedules.get(schedule.name)
    old, same = standing(known, schedule, expect)
    if old is not None and same:
        return old
    now = tables.now()
    ahead = 0 if old is None else _ahead(tables, old, now)
    _withdraw(tables, schedule.name, now)
    planned = edited(known, old, schedule, now, ahead, plan_at)
    _begin_version(tables, planned, now)
    return _keep(tables, planned)


def _begin_version(tables: Tables, planned: Planned, now: int) -> None:
    _end_version(tables, planned)
    tables.versions.setdefault(planned.schedule.name, []).append(
        ScheduleVersion(schedule=planned.schedule, edited_at=now, since=planned.cursor, ordinal=planned.ordinal)
    )


def _end_version(tables: Tables, planned: Planned) -> None:
    """The version that stood answers for what was planned up to here, and for nothing more."""
    versions = tables.versions.get(planned.schedule.name)
    if versions and versions[-1].stands:
        versions[-1] = replace(versions[-1], until=planned.cursor, stands=False)


def control_schedule(
    tables: Tables, name: str, paused: bool | None, reason: str, resume_at: int, delete: bool
) -> Planned:
    planned = tables.schedules.get(name)
    if planned is None or (planned.deleted and not delete):
        raise NotFound(f"there is no schedule {name}")
    now = tables.now()
    if delete or paused:
        planned = stepped_back(planned, now, _ahead(tables, planned, now))
        _withdraw(tables, name, now)
    if paused:
        planned = replace(planned, paused=True, reason=reason, resume_at=resume_at, plan_at=now)
    elif paused is False and planned.paused:  # `resume_at` tells the planner how far the pause reached
        planned = replace(planned, paused=False, reason="", resume_at=now, plan_at=now)
    if delete:
        _end_version(tables, planned)
    return _keep(tables, replace(planned, deleted=planned.deleted or delete))


def _keep(tables: Tables, planned: Planned) -> Planned:
    tables.schedules[planned.schedule.name] = planned
    tables.news.schedule(planned.schedule.name)
    return planned


def _ahead(tables: Tables, planned: Planned, now: int) -> int:
    """How many moments between the new cursor and the old one have a row, but for those withdrawn before."""
    rows = tables.timetable.rows.get(planned.schedule.name, {}).values()
    start, end = edge(planned, now), planned.cursor
    return sum(row.count for row in rows if start < row.moment <= end and row.fate is not Fate.WITHDRAWN)


def _withdraw(tables: Tables, name: str, now: int) -> None:
    """Take back the runs that are still ahead and that nobody has claimed; their rows say so."""
    for run_id in list(tables.of_schedule.get(name, ())):
        live = tables.runs[run_id]
        if live.state is State.RUNNING or not is_ahead(live.run, now):
            continue
        tables.leave(live)
        tables.forget(live)
        tables.attempts.pop(run_id, None)
        tables.news.ended.append(run_id)
        row = tables.timetable.row(name, live.run.moment)
        if row is not None and row.run_id == run_id:
            tables.timetable.write(replace(row, fate=Fate.WITHDRAWN))


def plan(tables: Tables, wanted: Plan) -> bool:
    _check_epoch(tables, wanted)
    planned = tables.schedules.get(wanted.schedule)
    if planned is None or planned.deleted:
        return False
    seen = wanted.version, wanted.cursor, wanted.plan_at_seen
    if (planned.schedule.version, planned.cursor, planned.plan_at) != seen:
        return False
    if planned.paused and wanted.moments:  # decided before the pause
        return False
    for one in wanted.moments:
        check_entry(one.entry)
    now = tables.now()
    for one in wanted.moments:
        run, run_at = timed(one.entry, now)
        write_moment(tables, run, wanted.version, one.moment, run_at, now)
    for row in wanted.ranges:
        known = tables.timetable.row(wanted.schedule, row.moment)
        rest = without_first(row) if known is not None and known.fate is Fate.PLANNED else row
        if rest is not None and (known is None or known.fate in (Fate.PLANNED, Fate.WITHDRAWN)):
            tables.timetable.write(rest)
    tables.schedules[wanted.schedule] = replace(
        planned, cursor=wanted.to, ordinal=wanted.ordinal, plan_at=wanted.plan_at
    )
    return True


def _check_epoch(tables: Tables, wanted: Plan) -> None:
    for bucket in tables.buckets.values():
        if bucket.low <= wanted.bucket <= bucket.high:
            if bucket.epoch != wanted.epoch:
                raise StaleEpoch(f"bucket {bucket.low}-{bucket.high} is in epoch {bucket.epoch}, not {wanted.epoch}")
            return
    raise BadInput(f"there is no virtual bucket {wanted.bucket} in this store")
