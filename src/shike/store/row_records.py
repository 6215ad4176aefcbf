"""Records of rows that all SQL stores keep alike, and where reading them begins."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from shike.model import Fate, State, TimetableRow
from shike.store.records import RECORDS_VERSION as V
from shike.store.records import (
    AttemptRecord,
    BucketRecord,
    ControlRecord,
    DigestRecord,
    KeyRecord,
    Kind,
    MomentRecord,
    Place,
    Record,
    VersionRecord,
)
from shike.store.rows import unpack_schedule

BEFORE: Final = -(1 << 63)  # before all numbers
START: Final[Mapping[Kind, Place]] = {
    Kind.SCHEDULES: ("",),
    Kind.VERSIONS: ("", BEFORE),
    Kind.TIMETABLE: ("", BEFORE),
    Kind.CONTROLS: ("",),
    Kind.KEYS: ("",),
    Kind.RUNS: (BEFORE,),
    Kind.PERMITS: ("",),
    Kind.ATTEMPTS: (BEFORE, BEFORE),
    Kind.ENDED: (BEFORE, BEFORE),
    Kind.DEAD: (BEFORE, BEFORE),
    Kind.DIGESTS: (BEFORE, "", BEFORE),
    Kind.BUCKETS: (BEFORE,),
    Kind.MARKS: (),
}


def _version(row: Sequence[Any]) -> Record:
    since, until, stands, ordinal, edited_at, body = row
    return VersionRecord(V, unpack_schedule(body), edited_at, since, until, ordinal, bool(stands))


def _moment(row: Sequence[Any]) -> Record:
    schedule, version, moment, until, count, fate, *rest = row
    return MomentRecord(V, TimetableRow(schedule, version, moment, until, count, Fate(fate), *rest))


PLAIN: Final[Mapping[Kind, tuple[str, Callable[[Sequence[Any]], Record]]]] = {  # the statement, and its rows' records
    Kind.VERSIONS: ("read_versions", _version),
    Kind.TIMETABLE: ("read_timetable", _moment),
    Kind.CONTROLS: ("read_controls", lambda row: ControlRecord(V, *row)),
    Kind.KEYS: ("read_keys", lambda row: KeyRecord(V, *row)),
    Kind.ATTEMPTS: ("read_attempts", lambda row: AttemptRecord(V, *row)),
    Kind.DIGESTS: ("read_digests", lambda row: DigestRecord(V, row[0], row[1], State(row[2]), row[3])),
    Kind.BUCKETS: ("read_buckets", lambda row: BucketRecord(V, *row)),
}
