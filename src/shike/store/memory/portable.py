"""Everything in the tables as records, and back."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from itertools import chain
from typing import Final, assert_never

import msgspec

from shike.model import Attempt, Bucket, State
from shike.model import ScheduleVersion as Version
from shike.store.base import Control
from shike.store.memory import graphs, keeping
from shike.store.memory.history import DAY, Shelf
from shike.store.memory.tables import Remembered, Tables
from shike.store.portable import ALL_TIME, MARKER_KEY, Marker, Phase, decoded, encoded
from shike.store.records import RECORDS_VERSION as V
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
    Place,
    Record,
    ScheduleRecord,
    VersionRecord,
    place_of,
    record_of_ended,
    record_of_live,
    record_of_version,
)

_WRITES: Final = frozenset(  # not `settle`: a sealed store has no lease, so it can only answer
    {"open_session", "free", "divide", "submit", "claim", "move", "plan", "put_schedule"}
    | {"control_schedule", "put", "drop_dead"}
)
REFUSED: Final[dict[Phase, frozenset[str]]] = {
    Phase.COPYING: frozenset(),
    Phase.DRAINING: frozenset({"claim"}),
    Phase.SEALED: _WRITES,
    Phase.MOVED: _WRITES | {"beat", "close_session"},
    Phase.LOADING: frozenset({"open_session", "claim"}),
    Phase.OPENED: frozenset(),
}


class Snapshot:
    """All records of one instant."""

    words = "one instant of the store"

    def __init__(self, tables: Tables) -> None:
        self._records: dict[Kind, list[Record]] = {kind: sorted(_records(tables, kind), key=place_of) for kind in Kind}

    async def read(self, kind: Kind, after: Place, limit: int, span: tuple[int, int] = ALL_TIME) -> Sequence[Record]:
        found = [record for record in self._records[kind] if not after or place_of(record) > after]
        if kind is Kind.ENDED:
            found = [one for one in found if isinstance(one, EndedRecord) and span[0] <= one.ended_at < span[1]]
        return found[:limit]


def _records(tables: Tables, kind: Kind) -> Iterable[Record]:
    match kind:
        case Kind.SCHEDULES:
            return (ScheduleRecord(V, planned) for planned in tables.schedules.values())
        case Kind.VERSIONS:
            return (record_of_version(one) for versions in tables.versions.values() for one in versions)
        case Kind.TIMETABLE:
            return (MomentRecord(V, row) for rows in tables.timetable.rows.values() for row in rows.values())
        case Kind.CONTROLS:
            rows = (row for row in tables.controls.values() if row.key != MARKER_KEY)
            return (ControlRecord(V, row.key, row.value, row.version) for row in rows)
        case Kind.KEYS:
            return (KeyRecord(V, key, known.run_id, known.until) for key, known in tables.keys.items())
        case Kind.RUNS:
            return (record_of_live(live) for live in tables.runs.values())
        case Kind.PERMITS:
            gates = ((key, tuple(gate.holders)) for key, gate in tables.gates.by_key.items())
            return (PermitRecord(V, key, holders) for key, holders in gates if holders)
        case Kind.ATTEMPTS:
            return (_attempt(run_id, body) for run_id, bodies in tables.attempts.items() for body in bodies)
        case Kind.ENDED:
            return (record_of_ended(ended) for ended in tables.over.rows.values())
        case Kind.DEAD:
            return (record_of_ended(ended) for ended in tables.dead.rows.values())
        case Kind.DIGESTS:
            counts = _on_shelf(tables) + Counter(tables.digest.counts)
            return (DigestRecord(V, day, task, state, count) for (day, task, state), count in counts.items())
        case Kind.BUCKETS:
            return (BucketRecord(V, bucket.low, bucket.high, bucket.epoch) for bucket in tables.buckets.values())
        case Kind.MARKS:
            return [MarksRecord(V, tables.sessions_opened, tables.token)]
        case _:
            assert_never(kind)


def _attempt(run_id: int, body: bytes) -> AttemptRecord:
    return AttemptRecord(V, run_id, msgspec.msgpack.decode(body, type=Attempt).token, body)


def _on_shelf(tables: Tables) -> Counter[tuple[int, str, State]]:
    rows = chain(tables.over.rows.values(), tables.dead.rows.values())
    return Counter((ended.ended_at // DAY, ended.run.task, ended.state) for ended in rows)


def load(tables: Tables, records: Sequence[Record], kind: Kind) -> None:
    """`Portable.load`."""
    if kind is Kind.BUCKETS:
        tables.buckets.clear()
    shelf = tables.dead if kind is Kind.DEAD else tables.over
    for record in records:
        _load(tables, record, shelf)


def _load(tables: Tables, record: Record, shelf: Shelf) -> None:
    match record:
        case LiveRecord():
            _load_run(tables, record)
        case EndedRecord():
            shelf.rows[record.run.id] = record.ended()
        case ScheduleRecord(planned=planned):
            tables.schedules[planned.schedule.name] = planned
        case VersionRecord():
            _load_version(tables, record)
        case MomentRecord():
            tables.timetable.write(record.row)
        case ControlRecord(key=key):
            tables.controls[key] = Control(key=key, value=record.value, version=record.changes)
            keeping.note_pauses(tables)
        case KeyRecord():
            tables.keep_key(record.key, Remembered(record.run_id, record.expires_at))
        case PermitRecord():
            for run_id in record.run_ids:
                tables.gates.grant(record.key, run_id)
        case AttemptRecord():
            _load_attempt(tables, record)
        case DigestRecord():
            tables.digest.counts[record.day, record.task, record.state] = record.count
        case BucketRecord():
            tables.buckets[record.low] = Bucket(low=record.low, high=record.high, epoch=record.epoch)
        case MarksRecord():
            _close_books(tables, record)
        case _:
            assert_never(record)


def _load_run(tables: Tables, record: LiveRecord) -> None:
    run = record.run
    if run.id in tables.runs:
        tables.leave(tables.runs[run.id])
    live = tables.runs[run.id] = record.live()
    if run.ties:
        graphs.load(tables, live)
    if run.schedule:
        tables.of_schedule.setdefault(run.schedule, {})[run.id] = None
    if live.state is State.WAITING:
        tables.gates.wait(live)
    else:
        tables.enter(live, tables.now())


def _load_version(tables: Tables, record: VersionRecord) -> None:
    versions = tables.versions.setdefault(record.schedule.name, [])
    versions[:] = [one for one in versions if one.schedule.version != record.schedule.version]
    versions.append(
        Version(
            schedule=record.schedule,
            edited_at=record.edited_at,
            since=record.since,
            until=record.until,
            ordinal=record.ordinal,
            stands=record.stands,
        )
    )
    versions.sort(key=lambda one: one.schedule.version)


def _load_attempt(tables: Tables, record: AttemptRecord) -> None:
    bodies = {_attempt(record.run_id, body).token: body for body in tables.attempts.get(record.run_id, [])}
    bodies[record.token] = record.body
    tables.attempts[record.run_id] = [bodies[token] for token in sorted(bodies)]


def _close_books(tables: Tables, marks: MarksRecord) -> None:
    tables.sessions_opened = max(tables.sessions_opened, marks.sessions)
    tables.token = max(tables.token, marks.tokens)
    for shelf in (tables.over, tables.dead):
        in_order = sorted(shelf.rows.items(), key=lambda row: row[1].ended_at)
        shelf.rows.clear()
        shelf.rows.update(in_order)
    counts = tables.digest.counts
    for key, shown in _on_shelf(tables).items():
        counts[key] = counts.get(key, 0) - shown
    tables.digest.counts = {key: count for key, count in counts.items() if count > 0}


def restrict(tables: Tables, marker: Marker | None) -> None:
    """`Portable.restrict`."""
    if marker is None:
        tables.controls.pop(MARKER_KEY, None)
    else:
        tables.controls[MARKER_KEY] = Control(key=MARKER_KEY, value=encoded(marker), version=1)


def marker(tables: Tables) -> Marker | None:
    """`Portable.marker`."""
    row = tables.controls.get(MARKER_KEY)
    return None if row is None else decoded(row.value)
