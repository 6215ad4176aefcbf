"""Run moments that are past and have no run: before a schedule began, missed, paused away.

The identity of a backfilled run is `(schedule, moment)`, kept three times over: a moment with a planned run is left
out; a *note* (a control row, written before the runs) tells which run stands for which moment, so that the audit finds
it and a later backfill leaves it out; and a business key guards it in the store for DEDUPE_SECONDS_MAX, so that a call
that died between note and runs can be repeated.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import datetime

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from shike.bounds import BAND_BACKLOG, DEDUPE_SECONDS_MAX, KEY_CHARS_MAX
from shike.client import Client
from shike.clock import MICROS, to_datetime, to_micros
from shike.errors import BadInput, TooLarge
from shike.model import NEVER, RECORD_VERSION, Ended, Fate, Live, Misfire, Overlap, Planned, Run, Schedule, TimetableRow
from shike.operate.schedules import find
from shike.store.base import Store
from shike.store.guards import Absent, Entry
from shike.track.settle import options_of
from shike.trigger.line import Line

BACKFILL_MAX = 5_000  # runs of one call: the caller sees what happens before the next one
MOMENTS_MAX = 200_000  # looked at by one call; a longer stretch is filled in parts
NOTE_RUNS = 500  # of one control row
NOTES = "backfill/"  # NOTES + schedule + "@" + its first moment + "." + the run of that


class Backfill(Struct, frozen=True, kw_only=True):
    """What a backfill did, or would do."""

    schedule: str
    start: datetime
    end: datetime
    moments: int  # in the stretch, all that are past
    left_out: int  # have a run already, or had one
    to_run: int
    over_limit: int
    first: datetime | None = None
    last: datetime | None = None


class Note(Struct, frozen=True, array_like=True):
    """Which runs stand for which moments."""

    version: int
    at: int
    runs: tuple[tuple[int, int], ...]  # (moment, run id)


async def preview(store: Store, name: str, start: datetime, end: datetime, *, limit: int = BACKFILL_MAX) -> Backfill:
    """What `backfill` would do."""
    planned = await find(store, name)
    return (await _look(store, planned, start, end, limit))[0]


async def backfill(client: Client, name: str, start: datetime, end: datetime, *, limit: int = BACKFILL_MAX) -> Backfill:
    """Submit a run for each past moment in [start, end) that has none, oldest first, at most `limit`.

    They run in the backlog band and never expire. Where the schedule does not allow overlap, they run one by one
    (beside the schedule's own). Raises `BadInput` for a schedule whose moments cannot be listed (fixed delay).
    """
    store = await client.store()
    planned = await find(store, name)
    found, moments = await _look(store, planned, start, end, limit)
    fresh = 0
    for first in range(0, len(moments), NOTE_RUNS):
        fresh += await _submit(client, planned.schedule, moments[first : first + NOTE_RUNS], await store.now())
    return replace(found, to_run=fresh, left_out=found.left_out + len(moments) - fresh)


async def standing(store: Store, schedule: str, low: int, high: int) -> dict[int, Live | Ended | None]:
    """The run that stands for each backfilled moment in [low, high); None where that was long ago and is forgotten.

    A note whose run is not there, and that is young enough for the key to guard its moment, stands for nothing.
    """
    since = await store.now() - round(DEDUPE_SECONDS_MAX * MICROS)
    found: dict[int, Live | Ended | None] = {}
    for row in await store.controls(f"{NOTES}{schedule}@"):
        note = _note.decode(row.value)
        pairs = [pair for pair in note.runs if low <= pair[0] < high]
        known = await asyncio.gather(*[store.find(run_id) for _, run_id in pairs])
        for (moment, _), one in zip(pairs, known, strict=True):
            if one is not None or note.at < since:
                found[moment] = one or found.get(moment)
    return found


async def _look(
    store: Store, planned: Planned, start: datetime, end: datetime, limit: int
) -> tuple[Backfill, list[int]]:
    low, high = to_micros(start), to_micros(end)
    if high <= low:
        raise BadInput("a backfill goes from an earlier to a later time")
    if not 1 <= limit <= BACKFILL_MAX:
        raise BadInput(f"between 1 and {BACKFILL_MAX:,} runs can be backfilled in one call, not {limit}")
    schedule = planned.schedule
    moments = past_moments(planned, low, min(high, await store.now()))
    taken = await _taken(store, schedule.name, moments)
    free = [moment for moment in moments if moment not in taken]
    chosen = free[:limit]
    return (
        Backfill(
            schedule=schedule.name,
            start=start,
            end=end,
            moments=len(moments),
            left_out=len(moments) - len(free),
            to_run=len(chosen),
            over_limit=len(free) - len(chosen),
            first=to_datetime(chosen[0]) if chosen else None,
            last=to_datetime(chosen[-1]) if chosen else None,
        ),
        chosen,
    )


def past_moments(planned: Planned, low: int, high: int) -> list[int]:
    """The moments in [low, high), also those before the schedule was made; those that the planner has not come to
    yet are its own to judge. Raises `BadInput`, `TooLarge`."""
    schedule = planned.schedule
    line = Line.of(schedule)
    if line.after_end:
        raise BadInput(f"{schedule.name} has a fixed delay: its moments follow from its runs and cannot be listed")
    if planned.cursor > schedule.created_at:
        high = min(high, planned.cursor + 1)
    elif not planned.paused:
        high = min(high, line.start_at or high)
    moments = line.trigger.bound(line.start_at, line.spread).between(low, high, MOMENTS_MAX + 1)
    if len(moments) > MOMENTS_MAX:
        raise TooLarge(
            f"{schedule.name} has more than {MOMENTS_MAX:,} moments in this stretch; backfill it in parts",
            size=len(moments),
            limit=MOMENTS_MAX,
        )
    return moments


async def _taken(store: Store, name: str, moments: Sequence[int]) -> set[int]:
    """The moments that have a run: of their own, or by an earlier backfill."""
    if not moments:
        return set()
    rows: list[TimetableRow] = await store.timetable(name, moments[0], moments[-1] + 1)
    stand = await standing(store, name, moments[0], moments[-1] + 1)
    return {row.moment for row in rows if row.fate is Fate.PLANNED} | stand.keys()


async def _submit(client: Client, schedule: Schedule, moments: Sequence[int], now: int) -> int:
    """How many of them were new."""
    store = await client.store()
    ids = [await client.take_id(schedule.name) for _ in moments]
    note = Note(RECORD_VERSION, now, tuple(zip(moments, ids, strict=True)))
    await store.put(f"{NOTES}{schedule.name}@{moments[0]}.{ids[0]}", msgspec.msgpack.encode(note), expect=0)
    answers = await client.deliver([_entry(schedule, moment, run_id) for moment, run_id in note.runs])
    return sum(answer.fresh for answer in answers)


def _entry(schedule: Schedule, moment: int, run_id: int) -> Entry:
    key = f"{schedule.name}@{moment}"[-KEY_CHARS_MAX:]
    return Entry(
        _run(schedule, moment, run_id, key),
        delay_seconds=0.0,
        guards=(Absent(key=key, seconds=DEDUPE_SECONDS_MAX),),
    )


def _run(schedule: Schedule, moment: int, run_id: int, key: str) -> Run:
    """Due now, for its lateness is nobody's fault; about `moment`. The gate's name is no schedule's, so it lets its
    runs through one by one, whatever the schedule does with its own."""
    one_by_one = schedule.overlap is not Overlap.ALLOW or schedule.overlap_max
    return replace(
        Run(RECORD_VERSION, run_id, schedule.task),
        args=schedule.args,
        queue=schedule.queue,
        band=BAND_BACKLOG,
        due_at=NEVER,
        key=key,
        schedule=schedule.name,
        moment=moment,
        misfire=Misfire.ALL,
        gate=f"overlap/{schedule.name}@backfill" if one_by_one else options_of(schedule.options).gate,
        options=schedule.options,
        owner=schedule.owner,
        schedule_version=schedule.version,
    )


_note = msgspec.msgpack.Decoder(Note)
