"""Records go into the tables, as if they had come there by themselves."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Final

from shike.model import State
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
from shike.store.rows import lane_of, pack
from shike.store.sqlite import ended, graphs
from shike.store.sqlite.tx import Tx


def load(tx: Tx, kind: Kind, records: Sequence[Record]) -> None:
    """`Portable.load`."""
    if kind is Kind.BUCKETS:
        tx.run("buckets_drop", 0, 1 << 16)
    for record in records:
        _LOADERS[kind](tx, record)


def _run(tx: Tx, record: LiveRecord) -> None:
    run = record.run
    lane = lane_of(tx.names.number(run.queue), record.band, suspect=record.suspect)
    task, schedule = tx.names.number(run.task), _schedule_number(tx, run.schedule)
    tx.run(
        "load_run", run.id, record.state.value, lane, record.run_at, task, schedule, run.moment, record.attempts,
        record.crashes, record.changes, run.key, record.cancel, record.progress, pack(run), record.together,
    )  # fmt: skip
    if record.state is State.WAITING:
        tx.run("load_gated", run.id, run.gate, record.run_at)
    else:
        tx.run("load_lane", lane, record.run_at, run.id, task)
    if run.ties:
        graphs.load(tx, run, record.state)


def _schedule_number(tx: Tx, name: str) -> int:
    return tx.names.number(name) if name else 0


def _ended(tx: Tx, record: EndedRecord) -> None:
    day = tx.today(record.ended_at)
    tx.dated("load_ended", day, *_ended_row(tx, record))


def _dead(tx: Tx, record: EndedRecord) -> None:
    tx.run("load_dead", *_ended_row(tx, record), record.replayed_as)


def _ended_row(tx: Tx, record: EndedRecord) -> tuple[object, ...]:
    run, names = record.run, tx.names
    return (
        run.id, record.state.value, record.ended_at, record.attempts, record.token, record.session,
        names.number(run.task), lane_of(names.number(run.queue), run.band), _schedule_number(tx, run.schedule),
        run.moment, run.key, record.reason, record.result, record.trace, pack(run),
    )  # fmt: skip


def _schedule(tx: Tx, record: ScheduleRecord) -> None:
    planned, schedule = record.planned, record.planned.schedule
    tx.run(
        "schedule_write", tx.names.number(schedule.name), schedule.name, schedule.version, planned.cursor,
        planned.ordinal, planned.plan_at, planned.paused, planned.reason, planned.resume_at, planned.deleted,
        pack(schedule),
    )  # fmt: skip


def _version(tx: Tx, record: VersionRecord) -> None:
    schedule = record.schedule
    tx.run(
        "load_version", tx.names.number(schedule.name), schedule.version, record.since,
        None if record.stands else record.until, record.ordinal, record.edited_at, pack(schedule),
    )  # fmt: skip


def _moment(tx: Tx, record: MomentRecord) -> None:
    row = record.row
    number = tx.names.number(row.schedule)
    values = (row.moment, row.until, row.count, row.version, row.fate.value, row.run_id, row.due_at, row.state)
    tx.many("timetable_write", [(number, *values)])


def _permit(tx: Tx, record: PermitRecord) -> None:
    for run_id in record.run_ids:
        tx.run("holder_keep", record.key, run_id)


def _control(tx: Tx, record: ControlRecord) -> None:
    tx.run("control_write", record.key, record.value, record.changes)


def _key(tx: Tx, record: KeyRecord) -> None:
    tx.run("dedupe_keep", record.key, record.run_id, record.expires_at)


def _attempt(tx: Tx, record: AttemptRecord) -> None:
    tx.run("load_attempt", record.run_id, record.token, record.body)


def _digest(tx: Tx, record: DigestRecord) -> None:
    tx.run("load_digest", record.day, tx.names.number(record.task), record.state.value, record.count)


def _bucket(tx: Tx, record: BucketRecord) -> None:
    tx.many("buckets_write", [(record.low, record.high, "", record.epoch)])


def _close_books(tx: Tx, marks: MarksRecord) -> None:
    """Numbers go on above those that were given away; counts that follow from the rows are worked out."""
    for table, mark in (("session", marks.sessions), ("lease", marks.tokens)):
        name = f"{tx.sql.namespace}_{table}"
        tx.run("load_sequence", name, name)
        tx.run("load_mark", mark, name)
    tx.run("load_holding")
    for day in ended.days(tx):
        tx.dated("load_dropped", day, day)


_LOADERS: Final[dict[Kind, Callable[[Tx, Any], None]]] = {
    Kind.SCHEDULES: _schedule,
    Kind.VERSIONS: _version,
    Kind.TIMETABLE: _moment,
    Kind.CONTROLS: _control,
    Kind.KEYS: _key,
    Kind.RUNS: _run,
    Kind.PERMITS: _permit,
    Kind.ATTEMPTS: _attempt,
    Kind.ENDED: _ended,
    Kind.DEAD: _dead,
    Kind.DIGESTS: _digest,
    Kind.BUCKETS: _bucket,
    Kind.MARKS: _close_books,
}
