"""Schedules are made, edited, paused and planned. What they become is decided here, from what was read, and written in
one step if nothing of that has changed since: their rules are the same in every store."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from msgspec.structs import replace

from shike.errors import BadInput, NotFound, StaleEpoch, StoreUnavailable
from shike.ids import virtual_bucket
from shike.model import Planned, Schedule, ScheduleVersion, TimetableRow
from shike.store.checks import check_entry
from shike.store.editing import edited, standing, stepped_back
from shike.store.following import without_first
from shike.store.redis.base import Base
from shike.store.redis.records import eight, pack_planned, pack_row, pack_version, read_planned, read_row, read_version
from shike.store.redis.sessions import TRIES_MAX
from shike.store.redis.tape import put_entry
from shike.store.verbs import Plan

ROWS_PER_CALL = 5_000

Decision = tuple[
    Planned, list[ScheduleVersion | None], bool
]  # what it becomes; last version as it ends, a new one; withdraw
Decide = Callable[[Planned | None, int, int], Decision | Planned]  # of: as it is, now, moments ahead


def home_of(base: Base, name: str) -> int:
    return virtual_bucket(name, base.buckets)


def _around(base: Base, name: str) -> list[int]:
    """The buckets that have to do with a schedule: its own first. On one server its runs may stand anywhere."""
    home = home_of(base, name)
    return [home, *(bucket for bucket in base.every if bucket != home)] if base.server.one_step else [home]


async def put_schedule(base: Base, schedule: Schedule, expect: int | None, plan_at: int) -> Planned:
    def decide(known: Planned | None, now: int, ahead: int) -> Decision | Planned:
        old, same = standing(known, schedule, expect)
        if old is not None and same:
            return old
        planned = edited(known, old, schedule, now, 0 if old is None else ahead, plan_at)
        new = ScheduleVersion(schedule=planned.schedule, edited_at=now, since=planned.cursor, ordinal=planned.ordinal)
        return planned, [_ended(planned), new], True

    return await _change(base, schedule.name, decide)


async def control_schedule(
    base: Base, name: str, paused: bool | None, reason: str, resume_at: int, delete: bool
) -> Planned:
    def decide(known: Planned | None, now: int, ahead: int) -> Decision | Planned:
        if known is None or (known.deleted and not delete):
            raise NotFound(f"there is no schedule {name}")
        planned = stepped_back(known, now, ahead) if delete or paused else known
        if paused:
            planned = replace(planned, paused=True, reason=reason, resume_at=resume_at, plan_at=now)
        elif paused is False and planned.paused:  # `resume_at` tells the planner how far the pause reached
            planned = replace(planned, paused=False, reason="", resume_at=now, plan_at=now)
        ends = _ended(planned) if delete else None
        return replace(planned, deleted=planned.deleted or delete), [ends, None], bool(delete or paused)

    return await _change(base, name, decide)


def _ended(planned: Planned) -> ScheduleVersion:
    """The mark by which `_change` ends the version that stands: it answers for what was planned up to here."""
    return ScheduleVersion(schedule=planned.schedule, edited_at=0, until=planned.cursor, stands=False)


async def _change(base: Base, name: str, decide: Decide) -> Planned:
    tags = base.tags(_around(base, name))
    for _ in range(TRIES_MAX):
        now, raw, last, ahead, ids = await base.server.script("to_withdraw", tags, (name,))
        decided = decide(read_planned(raw) if raw is not None else None, now, ahead)
        if isinstance(decided, Planned):
            return decided
        planned, (ends, new), withdraws = decided
        tape: list[Any] = [name, raw or b"", pack_planned(planned), "" if planned.deleted else planned.plan_at]
        tape += (_ending(last, ends), pack_version(new) if new is not None else b"")
        places = {bucket: place for place, bucket in enumerate(_around(base, name), 1)}
        withdrawn = ids if withdraws else []
        tape.append(len(withdrawn))
        for run_id in withdrawn:
            tape += (run_id, places.get(run_id[7] % base.buckets, 1))
        if await base.server.script("schedule", tags, tape) == b"kept":
            return planned
    raise StoreUnavailable(f"schedule {name} changes all the time; the same call may be repeated")


def _ending(last: bytes | None, ends: ScheduleVersion | None) -> bytes:
    """The last version as it is from now on, where it stood and ends."""
    if last is None or ends is None:
        return b""
    version = read_version(last)
    return pack_version(replace(version, until=ends.until, stands=False)) if version.stands else b""


async def plan(base: Base, wanted: Plan) -> bool:
    if not 0 <= wanted.bucket < base.buckets:
        raise BadInput(f"there is no virtual bucket {wanted.bucket} in this store")
    for one in wanted.moments:
        check_entry(one.entry)
    home = home_of(base, wanted.schedule)
    if not base.server.one_step and wanted.bucket != home:
        await _check_epoch(base, wanted)  # the schedule's own bucket, of the same range, is compared in the step itself
    buckets = [home]
    if base.server.one_step:
        buckets += sorted({base.bucket_of(one.entry.run.id) for one in wanted.moments} - {home})
        buckets.append(wanted.bucket)
    place_of = {bucket: place for place, bucket in reversed(list(enumerate(buckets, 1)))}
    tape: list[Any] = [wanted.schedule, wanted.epoch, wanted.version]
    tape += (eight(wanted.cursor), eight(wanted.plan_at_seen))
    tape += (eight(wanted.to), eight(wanted.ordinal), eight(wanted.plan_at), len(wanted.moments))
    for one in wanted.moments:
        tape.append(eight(one.moment))
        put_entry(tape, one.entry, base.buckets, place_of.get(base.bucket_of(one.entry.run.id), 1))
    tape.append(len(wanted.ranges))
    for row in wanted.ranges:
        rest = without_first(row)
        tape += (
            eight(row.moment),
            pack_row(row),
            *((b"", b"") if rest is None else (eight(rest.moment), pack_row(rest))),
        )
    answer = await base.server.script("plan", base.tags(buckets), tape)
    if answer[0] == b"stale":
        raise StaleEpoch(f"bucket {wanted.bucket} is in epoch {answer[1]}, not {wanted.epoch}")
    return bool(answer[0] == b"planned")


async def _check_epoch(base: Base, wanted: Plan) -> None:
    tag = base.tag(wanted.bucket)
    epoch = int(await base.server.command(tag, b"GET", tag + b":epoch") or 0)
    if wanted.epoch < epoch:
        raise StaleEpoch(f"bucket {wanted.bucket} is in epoch {epoch}, not {wanted.epoch}")


# ---------------------------------------------------------------- the read side


async def schedule(base: Base, name: str) -> Planned | None:
    tag = base.tag(home_of(base, name))
    raw = await base.server.command(tag, b"HGET", tag + b":schedules", name)
    return None if raw is None else read_planned(raw)


async def schedules(base: Base) -> list[Planned]:
    parts = await base.everywhere(base.every, "schedules", ("all",))
    found = [read_planned(raw) for part in parts for raw in part]
    return sorted(found, key=lambda planned: planned.schedule.name)


async def to_plan(base: Base, buckets: Sequence[int], until: int, limit: int) -> list[Planned]:
    if not buckets:
        return []
    parts = await base.everywhere(buckets, "schedules", ("ripe", until, limit))
    found = [read_planned(raw) for part in parts for raw in part]
    return sorted(found, key=lambda planned: (planned.plan_at, planned.schedule.name))[:limit]


async def versions(base: Base, name: str) -> list[ScheduleVersion]:
    tag = base.tag(home_of(base, name))
    rows = await base.server.command(tag, b"LRANGE", b"%s:versions:%s" % (tag, name.encode()), 0, -1)
    found = [read_version(raw) for raw in rows]
    if found and found[-1].stands:
        planned = await schedule(base, name)
        assert planned is not None
        found[-1] = replace(found[-1], until=planned.cursor)
    return found


async def timetable(base: Base, name: str, start: int, end: int) -> list[TimetableRow]:
    found: dict[int, TimetableRow] = {}
    low, more = start, 1
    while more:
        moments, rows, more = await base.at(home_of(base, name), "timetable", name, low, end, ROWS_PER_CALL)
        for moment, raw in zip(moments, rows, strict=True):
            if raw is not None:
                row = read_row(name, moment, raw)
                found[row.moment] = row
                low = max(low, row.moment + 1)
    return [found[moment] for moment in sorted(found)]
