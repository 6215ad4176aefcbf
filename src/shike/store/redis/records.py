"""What scripts write and read beside bodies: what changed about a run, what is over, schedules, rows of the timetable.

Each layout stands in the head of a script, too; a test writes with one side and reads with the other.
"""

from __future__ import annotations

import struct
from typing import Any, Final

import msgspec
from msgspec import Struct

from shike.model import (
    IN_LANE,
    Attempt,
    Ended,
    Fate,
    Live,
    Planned,
    Run,
    Schedule,
    ScheduleVersion,
    Session,
    SessionState,
    State,
    TimetableRow,
)
from shike.store.base import Control
from shike.store.records import EndedRecord, LiveRecord
from shike.store.redis.bodies import pack_body, read_body

FATES: Final = tuple(Fate)
AT_GATE: Final = 2
LEASED: Final = 4
STATES: Final = tuple(State)

_CHANGE = struct.Struct(">BIHIBBIdIIH")
_RECORD = struct.Struct(">dIBQHIII")
_PLANNED = struct.Struct(">IQQQBB")
_ROW = struct.Struct(">BQbIQQQ")
_VERSION = struct.Struct(">d")
_SIZE = struct.Struct(">I")
_KEY = struct.Struct(">Qd")
_NUMBER = struct.Struct(">Q")

pack = msgspec.msgpack.Encoder().encode
_attempt = msgspec.msgpack.Decoder(Attempt)
_version = msgspec.msgpack.Decoder(ScheduleVersion)


class Change(Struct, frozen=True):
    """What is different about a run than when it came in."""

    state: State
    attempts: int
    crashes: int
    version: int
    band: int
    suspect: bool
    cancel: str
    progress: bytes
    together: int
    worker: str = ""


def read_change(raw: bytes) -> Change:
    state, attempts, crashes, version, band, suspect, together, _, cancel, progress, permits = _CHANGE.unpack_from(raw)
    at = _CHANGE.size
    reason = raw[at : at + cancel].decode()
    report = raw[at + cancel : at + cancel + progress]
    at += cancel + progress
    for _ in range(permits):
        at += 2 + int.from_bytes(raw[at : at + 2], "big")
    worker = raw[at:].decode()
    return Change(STATES[state], attempts, crashes, version, band, bool(suspect), reason, report, together, worker)


def pack_change(record: LiveRecord) -> bytes:
    """Of a run that comes from another store; b"": nothing has changed about it. Its permits come by themselves."""
    state, band, cancel = record.state, record.band, record.cancel.encode()
    plain = state in (State.SCHEDULED, State.WAITING) and band == record.run.band and record.changes == 1
    if plain and not (
        record.attempts or record.crashes or record.suspect or record.together or cancel or record.progress
    ):
        return b""
    kept = State.SCHEDULED if state is State.WAITING else state
    numbers = (record.attempts, record.crashes, record.changes, band, record.suspect, record.together)
    head = _CHANGE.pack(STATES.index(kept), *numbers, 0.0, len(cancel), len(record.progress), 0)
    return head + cancel + record.progress


def permits_of(raw: bytes) -> list[str]:
    """The permits that a run holds, of what changed about it."""
    *_, cancel, progress, count = _CHANGE.unpack_from(raw)
    at, found = _CHANGE.size + cancel + progress, []
    for _ in range(count):
        size = int.from_bytes(raw[at : at + 2], "big")
        found.append(raw[at + 2 : at + 2 + size].decode())
        at += 2 + size
    return found


def read_key(raw: bytes) -> tuple[int, int]:
    """The run that a business key stands for, and until when."""
    run_id, until = _KEY.unpack(raw)
    return run_id, int(until)


def pack_key(run_id: int, until: int) -> bytes:
    return _KEY.pack(run_id, until)


def read_live(run_id: int, found: list[Any]) -> Live:
    """A run that is not over, of what `look.lua` says: body, change, where it stands, run_at, token."""
    body, raw, place, run_at, token = found
    run = read_body(run_id, body)
    if raw is None:
        return Live(run, _state(place, State.SCHEDULED), run_at, run.band, token=token)
    change = read_change(raw)
    return Live(
        run,
        _state(place, change.state),
        run_at,
        change.band,
        change.attempts,
        change.crashes,
        change.version,
        token,
        change.suspect,
        change.cancel,
        change.progress,
        change.together,
        change.worker,
    )


def _state(place: int, otherwise: State) -> State:
    if place == AT_GATE:
        return State.WAITING
    return State.RUNNING if place == LEASED else otherwise


def is_pending(live: Live, now: int) -> bool:
    """The predicate: in a lane, and eligible."""
    return live.state in IN_LANE and live.run_at <= now


def read_ended(run_id: int, record: bytes, replayed: bytes | None = None) -> Ended:
    ended_at, attempts, state, token, session, reason, result, trace = _RECORD.unpack_from(record)
    parts, at = [], _RECORD.size
    for size in (session, reason, result, trace):
        parts.append(record[at : at + size])
        at += size
    return Ended(
        read_body(run_id, record[at:]), STATES[state], int(ended_at), attempts, token,
        parts[0].decode(), parts[1].decode(), parts[2], parts[3], number_of(replayed) if replayed else 0,
    )  # fmt: skip


def body_of(record: bytes) -> Run:
    """The run of a record that ended, with an id of 0."""
    sizes = _RECORD.unpack_from(record)[4:]
    return read_body(0, record[_RECORD.size + sum(sizes) :])


def pack_ended(record: EndedRecord, buckets: int) -> bytes:
    session, reason = record.session.encode(), record.reason.encode()
    head = _RECORD.pack(
        record.ended_at, record.attempts, STATES.index(record.state), record.token, len(session), len(reason),
        len(record.result), len(record.trace),
    )  # fmt: skip
    return b"".join((head, session, reason, record.result, record.trace, pack_body(record.run, buckets)))


def read_attempts(rows: bytes) -> list[Attempt]:
    return [_attempt.decode(body) for _, body in split_attempts(rows)]


def split_attempts(rows: bytes) -> list[tuple[int, bytes]]:
    """Token and body of each written attempt."""
    found, at = [], 0
    while at < len(rows):
        (size,) = _SIZE.unpack_from(rows, at)
        body = rows[at + 4 : at + 4 + size]
        found.append((_attempt.decode(body).token, body))
        at += 4 + size
    return found


def pack_attempts(attempts: dict[int, bytes]) -> bytes:
    """Of bodies by token, in the order of their tokens."""
    return b"".join(_SIZE.pack(len(attempts[token])) + attempts[token] for token in sorted(attempts))


def read_attempt(trace: bytes) -> Attempt:
    return _attempt.decode(trace)


# ---------------------------------------------------------------- schedules


class _Rest(Struct, frozen=True, array_like=True):
    resume_at: int
    reason: str
    schedule: Schedule


_rest = msgspec.msgpack.Decoder(_Rest)


def pack_planned(planned: Planned) -> bytes:
    head = _PLANNED.pack(
        planned.schedule.version, planned.cursor, planned.ordinal, planned.plan_at, planned.paused, planned.deleted
    )
    return head + pack(_Rest(planned.resume_at, planned.reason, planned.schedule))


def read_planned(raw: bytes) -> Planned:
    _, cursor, ordinal, plan_at, paused, deleted = _PLANNED.unpack_from(raw)
    rest = _rest.decode(memoryview(raw)[_PLANNED.size :])
    return Planned(
        schedule=rest.schedule,
        cursor=cursor,
        ordinal=ordinal,
        plan_at=plan_at,
        paused=bool(paused),
        reason=rest.reason,
        resume_at=rest.resume_at,
        deleted=bool(deleted),
    )


def pack_version(version: ScheduleVersion) -> bytes:
    """When it was made stands in front, for those who purge."""
    return _VERSION.pack(version.edited_at) + pack(version)


def read_version(raw: bytes) -> ScheduleVersion:
    return _version.decode(memoryview(raw)[_VERSION.size :])


def pack_row(row: TimetableRow) -> bytes:
    return _ROW.pack(FATES.index(row.fate), row.run_id, row.state, row.version, row.until, row.count, row.due_at)


def read_row(schedule: str, moment: bytes, raw: bytes) -> TimetableRow:
    fate, run_id, state, version, until, count, due_at = _ROW.unpack(raw)
    return TimetableRow(schedule, version, number_of(moment), until, count, FATES[fate], run_id, due_at, state)


# ---------------------------------------------------------------- sessions, control rows, numbers


def read_session(fields: list[bytes], claimed: int = 0) -> Session:
    """Of the fields and values of its hash."""
    known = dict(zip(fields[::2], fields[1::2], strict=True))
    return Session(
        id=known[b"id"].decode(),
        number=int(known[b"number"]),
        name=known[b"name"].decode(),
        kind=known[b"kind"].decode(),
        host=known[b"host"].decode(),
        pid=int(known[b"pid"]),
        started_at=int(known[b"started_at"]),
        expires_at=int(known[b"expires_at"]),
        beat=int(known[b"beat"]),
        claimed=claimed,
        state=SessionState(known[b"state"].decode()),
        reason=known[b"reason"].decode(),
        protocol=int(known[b"protocol"]),
        load=known[b"load"],
        closed_at=int(known[b"closed_at"]),
        lease_seconds=float(known[b"lease_seconds"]),
        died=known[b"died"] == b"1",
        held=int(known[b"held"] or 0),
    )


def read_control(key: str, raw: bytes) -> Control:
    return Control(key=key, version=number_of(raw[:8]), value=raw[8:])


def number_of(eight: bytes) -> int:
    """A run id, token or instant of its 8 bytes."""
    return int.from_bytes(eight, "big")


def eight(number: int) -> bytes:
    return number.to_bytes(8, "big")


def facts(info: bytes) -> dict[str, str]:
    """What INFO says, by name."""
    lines = (line.split(":", 1) for line in info.decode("utf-8", "replace").splitlines() if ":" in line)
    return {key: value.strip() for key, value in lines}
