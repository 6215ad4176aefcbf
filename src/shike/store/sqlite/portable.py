"""Everything in the file as records: read from one snapshot, on a connection of its own."""

from __future__ import annotations

import asyncio
import sqlite3
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from shike.store.portable import ALL_TIME, MARKER_KEY, Marker, Phase, decoded, encoded
from shike.store.records import RECORDS_VERSION as V
from shike.store.records import (
    Kind,
    MarksRecord,
    PermitRecord,
    Place,
    Record,
    ScheduleRecord,
    record_of_ended,
    record_of_live,
)
from shike.store.row_records import BEFORE, PLAIN, START
from shike.store.rows import ended_of, live_of
from shike.store.sqlite import ended
from shike.store.sqlite.faults import UNREADABLE, translated
from shike.store.sqlite.reads import leased
from shike.store.sqlite.schedules import planned_of
from shike.store.sqlite.tx import DAY_MICROS, Tx


class Snapshot:
    """Reads pages on a thread, all in one transaction: others go on writing meanwhile."""

    words = "one instant of the store"

    def __init__(self, tx: Tx, path: Path) -> None:
        self._tx = tx
        self._path = path
        self._busy = threading.Lock()

    async def read(self, kind: Kind, after: Place, limit: int, span: tuple[int, int] = ALL_TIME) -> Sequence[Record]:
        return await asyncio.to_thread(self._read, kind, after or START[kind], limit, span)

    def _read(self, kind: Kind, after: Place, limit: int, span: tuple[int, int]) -> Sequence[Record]:
        with self._busy:
            try:
                return read(self._tx, kind, after, limit, span)
            except (sqlite3.Error, *UNREADABLE) as error:
                raise translated(error, self._path) from error


def read(tx: Tx, kind: Kind, after: Place, limit: int, span: tuple[int, int]) -> list[Record]:
    """One page."""
    match kind:
        case Kind.ENDED:
            return _ended(tx, after, limit, span)
        case Kind.DEAD:  # by id, whatever the day
            return [record_of_ended(ended_of(row)) for row in tx.all("read_dead", after[1], limit)]
        case Kind.RUNS:
            held = leased(tx)
            return [record_of_live(live_of(row, held.get(row[0], 0))) for row in tx.all("read_runs", *after, limit)]
        case Kind.PERMITS:
            keys = [key for (key,) in tx.all("read_permits", *after, limit)]
            return [PermitRecord(V, key, tuple(run_id for (run_id,) in tx.all("read_holders", key))) for key in keys]
        case Kind.TIMETABLE:
            statement, make = PLAIN[kind]
            return [make(row) for row in tx.all(statement, *after, after[0], limit)]
        case Kind.MARKS:
            return [MarksRecord(V, *row) for row in tx.all("read_marks")]
        case Kind.SCHEDULES:
            return [ScheduleRecord(V, planned_of(row)) for row in tx.all("read_schedules", *after, limit)]
        case _:
            statement, make = PLAIN[kind]
            return [make(row) for row in tx.all(statement, *after, limit)]


def _ended(tx: Tx, after: Place, limit: int, span: tuple[int, int]) -> list[Record]:
    """Day by day, the oldest first; in each by id."""
    found: list[Record] = []
    since, last = after
    for day in reversed(ended.days(tx)):
        if day < int(since) or not span[0] // DAY_MICROS <= day <= span[1] // DAY_MICROS:
            continue
        behind = last if day == since else BEFORE
        rows = tx.dated("read_ended", day, behind, *span, limit - len(found)).fetchall()
        found += [record_of_ended(ended_of(row)) for row in rows]
        if len(found) == limit:
            break
    return found


# -------------------------------------------------------------------- phases

_EVENTS: Final = ("insert", "update", "delete")
_KEPT: Final = (
    *("run", "lane", "gated", "holder", "dedupe", "lease", "dead", "schedule", "timetable", "bucket", "control"),
)
_ALL: Final = tuple((table, event) for table in _KEPT for event in _EVENTS)
_GUARDED: Final[dict[Phase, tuple[tuple[str, str], ...]]] = {
    Phase.COPYING: (),
    Phase.DRAINING: (("lease", "insert"),),
    Phase.SEALED: (*_ALL, ("session", "insert")),
    Phase.MOVED: (*_ALL, ("session", "insert"), ("session", "update")),
    Phase.LOADING: (("lease", "insert"), ("session", "insert")),
    Phase.OPENED: (),
}


def restrict(tx: Tx, marker: Marker | None) -> None:
    """`Portable.restrict`: triggers refuse what the phase does not allow, and tell the marker."""
    for (name,) in tx.all("restrict_made"):
        tx.connection.execute(f"drop trigger {name}")
    if marker is None:
        tx.run("control_delete", MARKER_KEY)
        return
    tx.run("control_write", MARKER_KEY, encoded(marker), 1)
    words = encoded(marker).decode().replace("'", "''")
    ns = tx.sql.namespace
    for table, event in _GUARDED[marker.phase]:
        tx.connection.execute(
            f"create trigger {ns}_move_{table}_{event} before {event} on {ns}_{table} "
            f"begin select raise(abort, '{words}'); end"
        )


def marker(tx: Tx) -> Marker | None:
    """`Portable.marker`."""
    row: Any = tx.one("control_find", MARKER_KEY)
    return None if row is None else decoded(row[1])
