"""Schedules are made, edited, paused and planned."""

from __future__ import annotations

from msgspec.structs import replace

from shike.errors import BadInput, Conflict, NotFound, StaleEpoch
from shike.model import Fate, Planned, Schedule, ScheduleVersion, TimetableRow
from shike.store.checks import check_entry
from shike.store.editing import edge, edited, is_ahead, standing, stepped_back
from shike.store.following import without_first
from shike.store.hints import Hint, HintKind
from shike.store.relational.arrivals import Arrivals, Needs, timed
from shike.store.relational.change import free_ones, leave
from shike.store.relational.link import Row, Taken
from shike.store.relational.outcomes import lock_runs, release
from shike.store.relational.tx import Tx
from shike.store.rows import pack, unpack_run, unpack_schedule
from shike.store.verbs import Plan


async def put_schedule(tx: Tx, schedule: Schedule, expect: int | None, plan_at: int) -> Planned:
    """`Store.put_schedule`."""
    await tx.learn([schedule.name])
    await tx.run("schedule_latch", tx.names.number(schedule.name))
    known = await _lock(tx, schedule.name)
    old, same = standing(known, schedule, expect)
    if old is not None and same:
        return old
    now = await tx.now()
    ahead = 0 if old is None else await _ahead(tx, old, now)
    await _withdraw(tx, schedule.name, now)
    planned = edited(known, old, schedule, now, ahead, plan_at)
    await _begin_version(tx, planned, now)
    return await _keep(tx, planned)


async def _begin_version(tx: Tx, planned: Planned, now: int) -> None:
    await _end_version(tx, planned)
    schedule = planned.schedule
    name = tx.names.number(schedule.name)
    await tx.run("version_begin", name, schedule.version, planned.cursor, planned.ordinal, now, pack(schedule))


async def _end_version(tx: Tx, planned: Planned) -> None:
    """The version that stood answers for what was planned up to here, and for nothing more."""
    await tx.run("version_end", tx.names.number(planned.schedule.name), planned.cursor)


async def control_schedule(
    tx: Tx, name: str, paused: bool | None, reason: str, resume_at: int, delete: bool
) -> Planned:
    """`Store.control_schedule`."""
    planned = await _lock(tx, name) if await tx.seen(name) else None
    if planned is None or (planned.deleted and not delete):
        raise NotFound(f"there is no schedule {name}")
    now = await tx.now()
    if delete or paused:
        planned = stepped_back(planned, now, await _ahead(tx, planned, now))
        await _withdraw(tx, name, now)
    if paused:
        planned = replace(planned, paused=True, reason=reason, resume_at=resume_at, plan_at=now)
    elif paused is False and planned.paused:  # `resume_at` tells the planner how far the pause reached
        planned = replace(planned, paused=False, reason="", resume_at=now, plan_at=now)
    if delete:
        await _end_version(tx, planned)
    return await _keep(tx, replace(planned, deleted=planned.deleted or delete))


async def _lock(tx: Tx, name: str) -> Planned | None:
    row = await tx.row("schedule_lock", tx.names.number(name))
    return None if row is None else planned_of(row)


def planned_of(row: Row) -> Planned:
    """A row of `schedule_lock`, `schedule_find`, `schedules` or `schedules_to_plan`."""
    cursor, ordinal, plan_at, paused, reason, resume_at, deleted, body = row
    return Planned(
        schedule=unpack_schedule(body), cursor=cursor, ordinal=ordinal, plan_at=plan_at, paused=bool(paused),
        reason=reason, resume_at=resume_at, deleted=bool(deleted),
    )  # fmt: skip


def version_of(row: Row) -> ScheduleVersion:
    """A row of `versions`."""
    since, until, stands, ordinal, edited_at, body = row
    return ScheduleVersion(
        schedule=unpack_schedule(body), since=since, until=until, stands=bool(stands), ordinal=ordinal,
        edited_at=edited_at,
    )  # fmt: skip


async def _keep(tx: Tx, planned: Planned) -> Planned:
    schedule = planned.schedule
    await tx.run(
        "schedule_write", tx.names.number(schedule.name), schedule.name, schedule.version, planned.cursor,
        planned.ordinal, planned.plan_at, planned.paused, planned.reason, planned.resume_at, planned.deleted,
        pack(schedule),
    )  # fmt: skip
    tx.hint(Hint(HintKind.SCHEDULE, name=schedule.name))
    return planned


async def _ahead(tx: Tx, planned: Planned, now: int) -> int:
    """How many moments between the new cursor and the old one have a row, but for those withdrawn before."""
    window = edge(planned, now), planned.cursor
    return int((await tx.rows("moments_ahead", tx.names.number(planned.schedule.name), *window))[0][0])


async def _withdraw(tx: Tx, name: str, now: int) -> None:
    """Take back the runs that are still ahead and that nobody has claimed; their rows say so."""
    number = tx.names.number(name)
    runs = await lock_runs(tx, [run_id for (run_id,) in await tx.rows("runs_of_schedule", number)])
    bodies = {run.id: unpack_run(run.body) for run in runs.values()}
    ahead = [run for run in runs.values() if is_ahead(bodies[run.id], now)]
    free = await free_ones(tx, ahead)
    gone = [run for run in ahead if run.id in free]
    if gone:
        ids = sorted(run.id for run in gone)
        await leave(tx, gone)
        await tx.many("timetable_withdraw", [(number, bodies[run.id].moment, run.id) for run in gone])
        await tx.run("runs_delete", ids)
        await tx.run("attempts_forget", ids)
        await release(tx, [run.id for run in gone if run.holding])
        tx.hint(Hint(HintKind.ENDED, run_ids=tuple(ids)))


async def plan(tx: Tx, wanted: Plan) -> bool:
    """`Store.plan`."""
    needs = Needs()
    needs.entries((one.entry for one in wanted.moments), known=True)
    await tx.learn(needs.names | {wanted.schedule})
    name = tx.names.number(wanted.schedule)
    await _check_epoch(tx, wanted)
    row = await tx.row("schedule_lock", name)
    if not _stands(row, wanted):
        return False
    for one in wanted.moments:
        check_entry(one.entry)
    arrivals = Arrivals(tx, await tx.now())
    await arrivals.prepare(needs)
    firsts = [(name, stretch.moment) for stretch in wanted.ranges]
    await arrivals.read_fates([*((name, one.moment) for one in wanted.moments), *firsts])
    for one in wanted.moments:
        run, run_at = timed(one.entry, await tx.now())
        arrivals.moment(run, wanted.version, one.moment, run_at)
    try:
        await arrivals.write()
    except Taken:
        raise Conflict("a run of this plan is in the store already; nothing was planned") from None
    await _write_ranges(tx, wanted, arrivals, name)
    await tx.run("schedule_planned", name, wanted.to, wanted.ordinal, wanted.plan_at)
    return True


def _stands(row: Row | None, wanted: Plan) -> bool:
    """Whether the schedule is still as the planner saw it."""
    planned = None if row is None else planned_of(row)
    if planned is None or planned.deleted:
        return False
    seen = wanted.version, wanted.cursor, wanted.plan_at_seen
    if (planned.schedule.version, planned.cursor, planned.plan_at) != seen:
        return False
    return not (planned.paused and wanted.moments)  # else it was decided before the pause


async def _write_ranges(tx: Tx, wanted: Plan, arrivals: Arrivals, name: int) -> None:
    rows = []
    for stretch in wanted.ranges:
        planned = arrivals.fate(name, stretch.moment) == Fate.PLANNED
        rest = without_first(stretch) if planned else stretch
        if rest is not None:
            rows.append(_columns(name, rest))
    for row in rows:  # one by one: the rest of one range may begin where another does
        await tx.many("timetable_add", [row])


def _columns(name: int, row: TimetableRow) -> tuple[object, ...]:
    return (name, row.moment, row.until, row.count, row.version, row.fate.value, row.run_id, row.due_at, row.state)


async def _check_epoch(tx: Tx, wanted: Plan) -> None:
    if not 0 <= wanted.bucket < tx.facts.virtual_buckets:
        raise BadInput(f"there is no virtual bucket {wanted.bucket} in this store")
    row = await tx.row("bucket_holding", wanted.bucket)
    if row is None:  # the rows that we waited for were replaced
        raise StaleEpoch(f"the bucket of {wanted.bucket} was divided anew at this moment")
    low, high, _, epoch = row
    if epoch != wanted.epoch:
        raise StaleEpoch(f"bucket {low}-{high} is in epoch {epoch}, not {wanted.epoch}")
