"""Records go into the tables, as if they had come there by themselves. What is there under the same key gives way."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Sequence
from typing import Any, Final

from shike.store.records import (
    AttemptRecord,
    BucketRecord,
    ControlRecord,
    DigestRecord,
    EndedRecord,
    KeyRecord,
    Kind,
    LiveRecord,
    MarksRecord,
    MomentRecord,
    PermitRecord,
    Record,
    ScheduleRecord,
    VersionRecord,
)
from shike.store.relational import graphs
from shike.store.relational.tx import DAY_MICROS, Tx
from shike.store.rows import lane_of, pack


async def load(tx: Tx, kind: Kind, records: Sequence[Record]) -> None:
    """`Portable.load`."""
    if records:
        await tx.learn(_names(records))
        await _LOADERS[kind](tx, records)


def _names(records: Iterable[Record]) -> set[str]:
    """All names that stand as numbers in the rows of these records."""
    found: set[str] = set()
    for record in records:
        match record:
            case LiveRecord(run=run) | EndedRecord(run=run):
                found |= {run.queue, run.task, run.schedule}
            case ScheduleRecord(planned=planned):
                found.add(planned.schedule.name)
            case VersionRecord(schedule=schedule):
                found.add(schedule.name)
            case MomentRecord(row=row):
                found.add(row.schedule)
            case DigestRecord(task=task):
                found.add(task)
            case _:
                pass
    return found


async def _runs(tx: Tx, records: Sequence[LiveRecord]) -> None:
    await tx.run("unload_runs", [record.run.id for record in records])
    await tx.many("load_runs", [_run_row(tx, record) for record in records])
    await graphs.load(tx, records)


def _run_row(tx: Tx, record: LiveRecord) -> tuple[object, ...]:
    run, number = record.run, tx.names.number
    return (
        run.id, record.state.value, lane_of(number(run.queue), record.band, suspect=record.suspect), record.run_at,
        number(run.task), number(run.schedule), run.moment, record.attempts, record.crashes, record.changes, run.key,
        record.cancel, record.progress, pack(run), record.together, run.gate,
    )  # fmt: skip


async def _ended(tx: Tx, records: Sequence[EndedRecord]) -> None:
    ready = {day for (day,) in await tx.rows("days")}
    for day in sorted({record.ended_at // DAY_MICROS for record in records} - ready):
        await tx.rows("days_lock")
        await tx.day("history_make", day)
        await tx.run("day_note", day)
    await tx.run("unload_ended", [record.run.id for record in records])
    await tx.many("load_ended", [_ended_row(tx, record) for record in records])


async def _dead(tx: Tx, records: Sequence[EndedRecord]) -> None:
    await tx.run("dead_delete", [record.run.id for record in records])
    await tx.many("load_dead", [(*_ended_row(tx, record), record.replayed_as) for record in records])


def _ended_row(tx: Tx, record: EndedRecord) -> tuple[object, ...]:
    run, number = record.run, tx.names.number
    return (
        run.id, record.state.value, record.ended_at, record.attempts, record.token, record.session, number(run.task),
        lane_of(number(run.queue), run.band), number(run.schedule), run.moment, run.key, record.reason, record.result,
        record.trace, pack(run),
    )  # fmt: skip


async def _schedules(tx: Tx, records: Sequence[ScheduleRecord]) -> None:
    for planned in (record.planned for record in records):
        schedule = planned.schedule
        await tx.run(
            "schedule_write", tx.names.number(schedule.name), schedule.name, schedule.version, planned.cursor,
            planned.ordinal, planned.plan_at, planned.paused, planned.reason, planned.resume_at, planned.deleted,
            pack(schedule),
        )  # fmt: skip


async def _versions(tx: Tx, records: Sequence[VersionRecord]) -> None:
    keys = [(tx.names.number(record.schedule.name), record.schedule.version) for record in records]
    rows = [
        (
            *key, record.since, None if record.stands else record.until, record.ordinal, record.edited_at,
            pack(record.schedule),
        )
        for key, record in zip(keys, records, strict=True)
    ]  # fmt: skip
    await tx.many("unload_versions", keys)
    await tx.many("load_versions", rows)


async def _timetable(tx: Tx, records: Sequence[MomentRecord]) -> None:
    rows = [
        (
            tx.names.number(row.schedule), row.moment, row.until, row.count, row.version, row.fate.value, row.run_id,
            row.due_at, row.state,
        )
        for row in (record.row for record in records)
    ]  # fmt: skip
    await tx.many("timetable_write", rows)


async def _controls(tx: Tx, records: Sequence[ControlRecord]) -> None:
    await tx.many("load_controls", [(record.key, record.value, record.changes) for record in records])


async def _keys(tx: Tx, records: Sequence[KeyRecord]) -> None:
    await tx.many("load_keys", [(record.key, record.run_id, record.expires_at) for record in records])


async def _permits(tx: Tx, records: Sequence[PermitRecord]) -> None:
    await tx.many("holders_keep", [(record.key, run_id) for record in records for run_id in record.run_ids])


async def _attempts(tx: Tx, records: Sequence[AttemptRecord]) -> None:
    await tx.many("load_attempts", [(record.run_id, record.token, record.body) for record in records])


async def _digests(tx: Tx, records: Sequence[DigestRecord]) -> None:
    keys = [(record.day, tx.names.number(record.task), record.state.value) for record in records]
    await tx.many("unload_digests", keys)
    await tx.many("load_digests", [(*key, record.count) for key, record in zip(keys, records, strict=True)])


async def _buckets(tx: Tx, records: Sequence[BucketRecord]) -> None:
    await tx.run("unload_buckets")
    await tx.many("load_buckets", [(record.low, record.high, record.epoch) for record in records])


async def _close_books(tx: Tx, records: Sequence[MarksRecord]) -> None:
    """Numbers go on above those that were given away; counts that follow from the rows are worked out."""
    for record in records:
        await tx.rows("load_sessions_mark", record.sessions)
        await tx.rows("load_tokens_mark", record.tokens)
    await tx.run("load_holding")
    await tx.run("load_dropped", DAY_MICROS)


_LOADERS: Final[dict[Kind, Callable[[Tx, Any], Awaitable[None]]]] = {
    Kind.SCHEDULES: _schedules,
    Kind.VERSIONS: _versions,
    Kind.TIMETABLE: _timetable,
    Kind.CONTROLS: _controls,
    Kind.KEYS: _keys,
    Kind.RUNS: _runs,
    Kind.PERMITS: _permits,
    Kind.ATTEMPTS: _attempts,
    Kind.ENDED: _ended,
    Kind.DEAD: _dead,
    Kind.DIGESTS: _digests,
    Kind.BUCKETS: _buckets,
    Kind.MARKS: _close_books,
}
