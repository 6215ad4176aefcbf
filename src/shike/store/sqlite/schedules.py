"""Schedules are made, edited, paused and planned."""

from __future__ import annotations

from msgspec.structs import replace

from shike.errors import BadInput, NotFound, StaleEpoch
from shike.model import Fate, Planned, Schedule, ScheduleVersion, TimetableRow
from shike.store.checks import check_entry
from shike.store.editing import edge, edited, is_ahead, standing, stepped_back
from shike.store.following import without_first
from shike.store.hints import Hint, HintKind
from shike.store.rows import pack, unpack_run, unpack_schedule
from shike.store.sqlite import guards
from shike.store.sqlite.change import is_running, leave
from shike.store.sqlite.outcomes import runs_of
from shike.store.sqlite.records import listed
from shike.store.sqlite.submit import Arrivals
from shike.store.sqlite.tx import Row, Tx
from shike.store.verbs import Plan


def put_schedule(tx: Tx, schedule: Schedule, expect: int | None, plan_at: int) -> Planned:
    """`Store.put_schedule`."""
    known = find(tx, schedule.name)
    old, same = standing(known, schedule, expect)
    if old is not None and same:
        return old
    now = tx.now
    ahead = 0 if old is None else _ahead(tx, old, now)
    _withdraw(tx, schedule.name, now)
    planned = edited(known, old, schedule, now, ahead, plan_at)
    _begin_version(tx, planned, now)
    return _keep(tx, planned)


def _begin_version(tx: Tx, planned: Planned, now: int) -> None:
    _end_version(tx, planned)
    schedule = planned.schedule
    name = tx.names.number(schedule.name)
    tx.run("version_begin", name, schedule.version, planned.cursor, planned.ordinal, now, pack(schedule))


def _end_version(tx: Tx, planned: Planned) -> None:
    """The version that stood answers for what was planned up to here, and for nothing more."""
    tx.run("version_end", planned.cursor, tx.names.number(planned.schedule.name))


def control_schedule(tx: Tx, name: str, paused: bool | None, reason: str, resume_at: int, delete: bool) -> Planned:
    """`Store.control_schedule`."""
    planned = find(tx, name)
    if planned is None or (planned.deleted and not delete):
        raise NotFound(f"there is no schedule {name}")
    now = tx.now
    if delete or paused:
        planned = stepped_back(planned, now, _ahead(tx, planned, now))
        _withdraw(tx, name, now)
    if paused:
        planned = replace(planned, paused=True, reason=reason, resume_at=resume_at, plan_at=now)
    elif paused is False and planned.paused:  # `resume_at` tells the planner how far the pause reached
        planned = replace(planned, paused=False, reason="", resume_at=now, plan_at=now)
    if delete:
        _end_version(tx, planned)
    return _keep(tx, replace(planned, deleted=planned.deleted or delete))


def find(tx: Tx, name: str) -> Planned | None:
    row = tx.one("schedule_find", tx.names.seen(name))
    return None if row is None else planned_of(row)


def planned_of(row: Row) -> Planned:
    """A row of `schedule_find`, `schedules` or `schedules_to_plan`."""
    _, cursor, ordinal, plan_at, paused, reason, resume_at, deleted, body = row
    return Planned(
        schedule=unpack_schedule(body), cursor=cursor, ordinal=ordinal, plan_at=plan_at, paused=bool(paused),
        reason=reason, resume_at=resume_at, deleted=bool(deleted),
    )  # fmt: skip


def versions(tx: Tx, name: str) -> list[ScheduleVersion]:
    """`Query.versions`."""
    return [
        ScheduleVersion(
            schedule=unpack_schedule(body), since=since, until=until, stands=bool(stands), ordinal=ordinal,
            edited_at=edited_at,
        )
        for since, until, stands, ordinal, edited_at, body in tx.all("versions", tx.names.seen(name))
    ]  # fmt: skip


def _keep(tx: Tx, planned: Planned) -> Planned:
    schedule = planned.schedule
    tx.run(
        "schedule_write", tx.names.number(schedule.name), schedule.name, schedule.version, planned.cursor,
        planned.ordinal, planned.plan_at, planned.paused, planned.reason, planned.resume_at, planned.deleted,
        pack(schedule),
    )  # fmt: skip
    tx.hint(Hint(HintKind.SCHEDULE, name=schedule.name))
    return planned


def _ahead(tx: Tx, planned: Planned, now: int) -> int:
    """How many moments between the new cursor and the old one have a row, but for those withdrawn before."""
    row = tx.one("moments_ahead", tx.names.seen(planned.schedule.name), edge(planned, now), planned.cursor)
    return row[0] if row else 0


def _withdraw(tx: Tx, name: str, now: int) -> None:
    """Take back the runs that are still ahead and that nobody has claimed; their rows say so."""
    number = tx.names.seen(name)
    runs = runs_of(tx, [run_id for (run_id,) in tx.all("runs_of_schedule", number)])
    gone: list[int] = []
    for run in runs.values():
        body = unpack_run(run.body)
        if is_ahead(body, now) and not is_running(tx, run):
            leave(tx, run)
            tx.run("timetable_withdraw", number, body.moment, run.id)
            gone.append(run.id)
    if gone:
        tx.run("run_delete", listed(gone))
        tx.run("attempts_forget", listed(gone))
        guards.release(tx, gone)
        tx.hint(Hint(HintKind.ENDED, run_ids=tuple(gone)))


def plan(tx: Tx, wanted: Plan) -> bool:
    """`Store.plan`."""
    _check_epoch(tx, wanted)
    name = tx.names.seen(wanted.schedule)
    row = tx.one("schedule_find", name)
    if row is None:
        return False
    version, cursor, _, plan_at, paused, _, _, deleted, _ = row
    if deleted or (version, cursor, plan_at) != (wanted.version, wanted.cursor, wanted.plan_at_seen):
        return False
    if paused and wanted.moments:  # decided before the pause
        return False
    for one in wanted.moments:
        check_entry(one.entry)
    arrivals = Arrivals(tx)
    for one in wanted.moments:
        run, run_at = arrivals.timed(one.entry)
        arrivals.moment(run, wanted.version, one.moment, run_at)
    arrivals.write()
    for stretch in wanted.ranges:
        known = tx.one("timetable_fate", name, stretch.moment)
        rest = without_first(stretch) if known is not None and known[0] == Fate.PLANNED else stretch
        if rest is not None:
            tx.many("timetable_add", [_columns(tx, rest)])
    tx.run("schedule_planned", wanted.to, wanted.ordinal, wanted.plan_at, name)
    return True


def _columns(tx: Tx, row: TimetableRow) -> tuple[object, ...]:
    schedule = tx.names.number(row.schedule)
    return (
        schedule, row.moment, row.until, row.count, row.version, row.fate.value, row.run_id, row.due_at, row.state,
    )  # fmt: skip


def _check_epoch(tx: Tx, wanted: Plan) -> None:
    row = tx.one("bucket_holding", wanted.bucket, wanted.bucket)
    if row is None:
        raise BadInput(f"there is no virtual bucket {wanted.bucket} in this store")
    low, high, _, epoch = row
    if epoch != wanted.epoch:
        raise StaleEpoch(f"bucket {low}-{high} is in epoch {epoch}, not {wanted.epoch}")
