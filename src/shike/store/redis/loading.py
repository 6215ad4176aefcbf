"""Records go under the keys, as if they came there by themselves; nobody else is here until the books are closed."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Sequence
from typing import Any, Final

from shike.ids import virtual_bucket
from shike.model import Bucket, Fate, ScheduleVersion, State
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
from shike.store.redis.base import HOME, Base
from shike.store.redis.bodies import pack_body
from shike.store.redis.keeping import switched
from shike.store.redis.records import (
    eight,
    pack_attempts,
    pack_change,
    pack_ended,
    pack_key,
    pack_planned,
    pack_row,
    pack_version,
    read_version,
    split_attempts,
)
from shike.store.redis.schedules import home_of
from shike.store.redis.sessions import pack_bucket

IN_ORDER: Final = 10_000  # records that one step puts in order
_SINGLE: Final = frozenset({Fate.PLANNED, Fate.WITHDRAWN})


async def load(base: Base, kind: Kind, records: Sequence[Record]) -> None:
    """`Portable.load`."""
    if records:
        await _LOADERS[kind](base, records)


async def _runs(base: Base, records: Sequence[LiveRecord]) -> None:
    def put(tape: list[Any], place: int) -> None:
        record = records[place]
        body = pack_body(record.run, base.buckets)
        waits = int(record.state is State.WAITING)
        tape += (eight(record.run.id), body, pack_change(record), record.run_at, waits)

    await base.by_bucket([record.run.id for record in records], "load_runs", (), put)


async def _permits(base: Base, records: Sequence[PermitRecord]) -> None:
    held = [(run_id, record.key) for record in records for run_id in record.run_ids]

    def put(tape: list[Any], place: int) -> None:
        tape += (eight(held[place][0]), held[place][1])

    await base.by_bucket([run_id for run_id, _ in held], "load_permits", (), put)


async def _ended(base: Base, records: Sequence[EndedRecord]) -> None:
    await _over(base, records, dead=0)


async def _dead(base: Base, records: Sequence[EndedRecord]) -> None:
    await _over(base, records, dead=1)


async def _over(base: Base, records: Sequence[EndedRecord], *, dead: int) -> None:
    def put(tape: list[Any], place: int) -> None:
        record = records[place]
        replayed = eight(record.replayed_as) if record.replayed_as else b""
        tape += (eight(record.run.id), pack_ended(record, base.buckets), dead, replayed)

    await base.by_bucket([record.run.id for record in records], "load_over", (), put)


async def _attempts(base: Base, records: Sequence[AttemptRecord]) -> None:
    """A run's may come on two pages."""
    by_run: dict[int, dict[int, bytes]] = {}
    for record in records:
        by_run.setdefault(record.run_id, {})[record.token] = record.body
    for bucket, run_ids in _by_bucket(by_run, base.bucket_of):
        tag = base.tag(bucket)
        known = await base.server.command(tag, b"HMGET", tag + b":att", *map(eight, run_ids))
        words: list[bytes] = []
        for run_id, rows in zip(run_ids, known, strict=True):
            words += (eight(run_id), pack_attempts(dict(split_attempts(rows or b"")) | by_run[run_id]))
        await base.server.command(tag, b"HSET", tag + b":att", *words)


async def _schedules(base: Base, records: Sequence[ScheduleRecord]) -> None:
    for planned in (record.planned for record in records):
        tag, name = base.tag(home_of(base, planned.schedule.name)), planned.schedule.name
        await base.server.command(tag, b"HSET", tag + b":schedules", name, pack_planned(planned))
        if not planned.deleted:
            await base.server.command(tag, b"ZADD", tag + b":plan_at", planned.plan_at, name)


async def _versions(base: Base, records: Sequence[VersionRecord]) -> None:
    for record in records:
        name = record.schedule.name
        tag = base.tag(home_of(base, name))
        key = b"%s:versions:%s" % (tag, name.encode())
        numbers = [read_version(raw).schedule.version for raw in await base.server.command(tag, b"LRANGE", key, 0, -1)]
        if record.schedule.version not in numbers:
            await base.server.command(tag, b"RPUSH", key, pack_version(_version(record)))
        await base.server.command(tag, b"SADD", tag + b":version_names", name)


def _version(record: VersionRecord) -> ScheduleVersion:
    return ScheduleVersion(
        schedule=record.schedule,
        edited_at=record.edited_at,
        since=record.since,
        until=record.until,
        ordinal=record.ordinal,
        stands=record.stands,
    )


async def _timetable(base: Base, records: Sequence[MomentRecord]) -> None:
    for name in dict.fromkeys(record.row.schedule for record in records):
        rows = [record.row for record in records if record.row.schedule == name]
        tag, end = base.tag(home_of(base, name)), name.encode()
        ranges = [row for row in rows if row.fate not in _SINGLE]
        await base.server.command(
            tag, b"HSET", b"%s:tt:%s" % (tag, end), *_flat((eight(row.moment), pack_row(row)) for row in rows)
        )
        await base.server.command(
            tag, b"ZADD", b"%s:tt_moments:%s" % (tag, end), *_flat((row.moment, eight(row.moment)) for row in rows)
        )
        if ranges:
            words = _flat((row.until, eight(row.moment)) for row in ranges)
            await base.server.command(tag, b"ZADD", b"%s:tt_ranges:%s" % (tag, end), *words)
        await base.server.command(tag, b"SADD", tag + b":tt_names", name)


async def _controls(base: Base, records: Sequence[ControlRecord]) -> None:
    for record in records:
        tag = base.tag(HOME)
        await base.server.command(tag, b"HSET", tag + b":controls", record.key, eight(record.changes) + record.value)
        if name := switched(record.key):
            for tag in base.tags(base.every):
                await base.server.command(tag, b"SADD", tag + b":paused", name)


async def _keys(base: Base, records: Sequence[KeyRecord]) -> None:
    known = {record.key: record for record in records}
    for bucket, keys in _by_bucket(known, lambda key: base.bucket_of(known[key].run_id)):
        tag = base.tag(bucket)
        found = [known[key] for key in keys]
        words = _flat((record.key, pack_key(record.run_id, record.expires_at)) for record in found)
        await base.server.command(tag, b"HSET", tag + b":keys", *words)
        ends = _flat((record.expires_at, record.key) for record in found)
        await base.server.command(tag, b"ZADD", tag + b":key_ends", *ends)


async def _digests(base: Base, records: Sequence[DigestRecord]) -> None:
    """By task, wherever its runs were."""
    for record in records:
        tag = base.tag(virtual_bucket(record.task, base.buckets))
        key, name = b"%s:digest:%d" % (tag, record.day), f"{int(record.state)}:{record.task}"
        await base.server.command(tag, b"HSET", key, name, record.count)


async def _buckets(base: Base, records: Sequence[BucketRecord]) -> None:
    tag = base.tag(HOME)
    rows = [
        (record.low, pack_bucket(Bucket(low=record.low, high=record.high, epoch=record.epoch))) for record in records
    ]
    known = await base.server.command(tag, b"HKEYS", tag + b":buckets")
    await base.server.command(tag, b"HSET", tag + b":buckets", *_flat(rows))
    gone = [low for low in known if int(low) not in dict(rows)]
    if gone:
        await base.server.command(tag, b"HDEL", tag + b":buckets", *gone)
    for record in records:
        for tag in base.tags(range(record.low, record.high + 1)):
            await base.server.command(tag, b"SET", tag + b":epoch", record.epoch)


async def _close_books(base: Base, records: Sequence[MarksRecord]) -> None:
    """Numbers go on above those that were given away; the history is put in the order in which it ended."""
    (marks,) = records
    home = base.tag(HOME)
    given = int(await base.server.command(home, b"GET", home + b":session_number") or 0)
    await base.server.command(home, b"SET", home + b":session_number", max(given, marks.sessions))
    for bucket in base.every:
        tag = base.tag(bucket)
        count = int(await base.server.command(tag, b"GET", tag + b":token") or 0)
        await base.server.command(tag, b"SET", tag + b":token", max(count, marks.tokens // base.buckets + 1))
        done = 0
        while more := await base.at(bucket, "close_books", done, IN_ORDER):
            done += more


def _by_bucket(things: Iterable[Any], bucket_of: Callable[[Any], int]) -> list[tuple[int, list[Any]]]:
    found: dict[int, list[Any]] = {}
    for thing in things:
        found.setdefault(bucket_of(thing), []).append(thing)
    return list(found.items())


def _flat(pairs: Iterable[tuple[Any, Any]]) -> list[Any]:
    return [word for pair in pairs for word in pair]


_LOADERS: Final[dict[Kind, Callable[[Base, Any], Awaitable[None]]]] = {
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
