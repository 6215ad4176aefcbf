"""What a store holds, told in the same words by every kind of store: records that can be carried to another.

Sessions and leases are not among them: they belong to processes, which open new ones. A run that is leased is told as
what it would be if its lease were given back. Derived counts are worked out by whoever loads.

Records are arrays: the version comes first, fields are only ever appended, each with a default
(`tests/unit/store/test_records.py` holds the golden bytes).
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from enum import StrEnum
from typing import Any, Final, TypeAlias

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from shike.clock import MICROS
from shike.model import NEVER, Ended, Live, Planned, Run, Schedule, ScheduleVersion, State, TimetableRow

RECORDS_VERSION: Final = 1
DAY_MICROS: Final = 24 * 3600 * MICROS


class Kind(StrEnum):
    """The kinds of records, in the order in which they are loaded."""

    SCHEDULES = "schedules"
    VERSIONS = "versions"
    TIMETABLE = "timetable"
    CONTROLS = "controls"
    KEYS = "keys"
    RUNS = "runs"
    PERMITS = "permits"
    ATTEMPTS = "attempts"
    ENDED = "ended"
    DEAD = "dead"
    DIGESTS = "digests"
    BUCKETS = "buckets"
    MARKS = "marks"


class LiveRecord(Struct, frozen=True, array_like=True, gc=False):
    """A run that is not over. Waiting for its permit, or in its lane."""

    version: int
    run: Run
    state: State  # WAITING, SCHEDULED or FAILED
    run_at: int
    band: int
    attempts: int = 0
    crashes: int = 0
    changes: int = 1  # `Live.version`
    suspect: bool = False
    together: int = 0
    cancel: str = ""
    progress: bytes = b""
    running: bool = False  # it was leased when the record was read

    def live(self) -> Live:
        return Live(
            self.run, self.state, self.run_at, self.band, self.attempts, self.crashes, self.changes, 0, self.suspect,
            self.cancel, self.progress, self.together,
        )  # fmt: skip


class EndedRecord(Struct, frozen=True, array_like=True, gc=False):
    """A run that is over: of the history, or a dead letter."""

    version: int
    run: Run
    state: State
    ended_at: int
    attempts: int
    token: int
    session: str
    reason: str = ""
    result: bytes = b""
    trace: bytes = b""
    replayed_as: int = 0

    def ended(self) -> Ended:
        return Ended(
            self.run, self.state, self.ended_at, self.attempts, self.token, self.session, self.reason, self.result,
            self.trace, self.replayed_as,
        )  # fmt: skip


class ScheduleRecord(Struct, frozen=True, array_like=True):
    """A schedule, and how far it has been planned."""

    version: int
    planned: Planned


class VersionRecord(Struct, frozen=True, array_like=True):
    """A version of a schedule. `until` of one that stands is `NEVER`: it answers up to the schedule's cursor."""

    version: int
    schedule: Schedule
    edited_at: int
    since: int = NEVER
    until: int = NEVER
    ordinal: int = 0
    stands: bool = True


class MomentRecord(Struct, frozen=True, array_like=True, gc=False):
    """A row of the timetable."""

    version: int
    row: TimetableRow


class ControlRecord(Struct, frozen=True, array_like=True, gc=False):
    """A control row."""

    version: int
    key: str
    value: bytes
    changes: int  # `Control.version`


class KeyRecord(Struct, frozen=True, array_like=True, gc=False):
    """A business key that is remembered."""

    version: int
    key: str
    run_id: int
    expires_at: int


class PermitRecord(Struct, frozen=True, array_like=True, gc=False):
    """The runs that hold one permit, in the order they got it."""

    version: int
    key: str
    run_ids: tuple[int, ...]


class AttemptRecord(Struct, frozen=True, array_like=True, gc=False):
    """An attempt that was written down, packed. The last one of an ended run lies with that."""

    version: int
    run_id: int
    token: int
    body: bytes


class DigestRecord(Struct, frozen=True, array_like=True, gc=False):
    """How many runs of a task ended so on one day (since 1970), also of those that are dropped by now."""

    version: int
    day: int
    task: str
    state: State
    count: int


class BucketRecord(Struct, frozen=True, array_like=True, gc=False):
    """A bucket without its owner: whoever takes it does so in a later epoch."""

    version: int
    low: int
    high: int
    epoch: int


class MarksRecord(Struct, frozen=True, array_like=True, gc=False):
    """The highest numbers given away. A store that is loaded gives higher ones only."""

    version: int
    sessions: int  # the high part of run ids
    tokens: int  # fencing numbers


Record: TypeAlias = (
    LiveRecord
    | EndedRecord
    | ScheduleRecord
    | VersionRecord
    | MomentRecord
    | ControlRecord
    | KeyRecord
    | PermitRecord
    | AttemptRecord
    | DigestRecord
    | BucketRecord
    | MarksRecord
)
Place: TypeAlias = tuple[int | str, ...]  # where a record stands among those of its kind

TYPES: Final[dict[Kind, type[Record]]] = {
    Kind.SCHEDULES: ScheduleRecord,
    Kind.VERSIONS: VersionRecord,
    Kind.TIMETABLE: MomentRecord,
    Kind.CONTROLS: ControlRecord,
    Kind.KEYS: KeyRecord,
    Kind.RUNS: LiveRecord,
    Kind.PERMITS: PermitRecord,
    Kind.ATTEMPTS: AttemptRecord,
    Kind.ENDED: EndedRecord,
    Kind.DEAD: EndedRecord,
    Kind.DIGESTS: DigestRecord,
    Kind.BUCKETS: BucketRecord,
    Kind.MARKS: MarksRecord,
}

_encoder = msgspec.msgpack.Encoder()
_decoders = {kind: msgspec.msgpack.Decoder(list[type_]) for kind, type_ in TYPES.items()}  # type: ignore[valid-type]


def place_of(record: Record) -> Place:
    """Unique within its kind; reading goes on behind it."""
    match record:
        case LiveRecord():
            return (record.run.id,)
        case EndedRecord():
            return (record.ended_at // DAY_MICROS, record.run.id)
        case ScheduleRecord():
            return (record.planned.schedule.name,)
        case VersionRecord():
            return (record.schedule.name, record.schedule.version)
        case MomentRecord():
            return (record.row.schedule, record.row.moment)
        case ControlRecord() | KeyRecord() | PermitRecord():
            return (record.key,)
        case AttemptRecord():
            return (record.run_id, record.token)
        case DigestRecord():
            return (record.day, record.task, record.state)
        case BucketRecord():
            return (record.low,)
        case MarksRecord():
            return ()


def packed(records: Sequence[Record]) -> bytes:
    """Many records of one kind."""
    return _encoder.encode(records)


def unpacked(kind: Kind, data: bytes) -> list[Any]:
    """What `packed` has made of records of this kind. Raises `msgspec.DecodeError` for other bytes."""
    return _decoders[kind].decode(data)


class Tally(Struct):
    """How many records there are, and a sum over them that does not depend on their order."""

    count: int = 0
    total: int = 0

    def add(self, records: Iterable[Record]) -> None:
        for record in records:
            self.count += 1
            if isinstance(record, LiveRecord) and record.running:
                record = replace(record, running=False)  # that belongs to a process
            seen = hashlib.blake2b(_encoder.encode(record), digest_size=8).digest()
            self.total = (self.total + int.from_bytes(seen)) & 0xFFFF_FFFF_FFFF_FFFF


def record_of_live(live: Live) -> LiveRecord:
    """A run as it would be if its lease were given back."""
    state = State.SCHEDULED if live.state in (State.RUNNING, State.ASSIGNED) else live.state
    return LiveRecord(
        RECORDS_VERSION, live.run, state, live.run_at, live.band, live.attempts, live.crashes, live.version,
        live.suspect, live.together, live.cancel, live.progress, live.state is State.RUNNING,
    )  # fmt: skip


def record_of_ended(ended: Ended) -> EndedRecord:
    return EndedRecord(
        RECORDS_VERSION, ended.run, ended.state, ended.ended_at, ended.attempts, ended.token, ended.session,
        ended.reason, ended.result, ended.trace, ended.replayed_as,
    )  # fmt: skip


def record_of_version(one: ScheduleVersion) -> VersionRecord:
    until = NEVER if one.stands else one.until
    return VersionRecord(RECORDS_VERSION, one.schedule, one.edited_at, one.since, until, one.ordinal, one.stands)
