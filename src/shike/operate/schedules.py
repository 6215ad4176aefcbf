"""Look at schedules, pause and resume them, delete them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from msgspec import Struct

from shike.bounds import BETWEEN_MOMENTS
from shike.clock import to_datetime, to_micros
from shike.errors import BadInput, BadTime, NotFound
from shike.lanes import queue_of
from shike.model import NEVER, Fate, Planned, Schedule
from shike.operate.facts import instant
from shike.store.base import Store
from shike.trigger import Lang, decode
from shike.trigger.line import Line, Moment


class ScheduleFacts(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One schedule."""

    name: str
    task: str
    words: str
    version: int
    queue: str
    band: int
    misfire: str
    overlap: str
    next: datetime | None = None
    planned_until: datetime | None = None
    paused: bool = False
    reason: str = ""
    resume_at: datetime | None = None
    owner: str = ""
    tz_version: str = ""


class MomentFacts(Struct, frozen=True, kw_only=True):
    """One moment ahead."""

    moment: datetime
    due_at: datetime
    ordinal: int
    planned: bool  # it has its row in the timetable


async def find(store: Store, name: str) -> Planned:
    """The schedule `group/name`, or `name` in the default group; raises `NotFound`, naming near ones."""
    full_name = name if "/" in name else f"default/{name}"
    planned = await store.schedule(full_name)
    if planned is not None and not planned.deleted:
        return planned
    raise unknown(full_name, [one.schedule.name for one in await store.schedules() if not one.deleted])


def unknown(full_name: str, known: Sequence[str]) -> NotFound:
    """That there is no such schedule, and which one was perhaps meant: of a near name, or in another group."""
    from difflib import get_close_matches

    name = full_name.partition("/")[2]
    near = [other for other in known if other.partition("/")[2] == name] or get_close_matches(full_name, known, n=3)
    told = f"did you mean {' or '.join(near)}?" if near else f"there are: {', '.join(known[:8]) or 'none yet'}"
    return NotFound(f"there is no schedule {full_name!r}; {told}")


async def listing(store: Store, lang: Lang = "en") -> list[ScheduleFacts]:
    """All schedules, by name."""
    now = await store.now()
    known = [planned for planned in await store.schedules() if not planned.deleted]
    return [schedule_facts(planned, now, lang) for planned in sorted(known, key=lambda one: one.schedule.name)]


def schedule_facts(planned: Planned, now: int, lang: Lang = "en") -> ScheduleFacts:
    schedule = planned.schedule
    following = upcoming(planned, now, 1)
    return ScheduleFacts(
        name=schedule.name,
        task=schedule.task,
        words=words_of(schedule, lang),
        version=schedule.version,
        queue=queue_of(schedule.queue),
        band=schedule.band,
        misfire=schedule.misfire,
        overlap=schedule.overlap,
        next=instant(following[0].at) if following else None,
        planned_until=instant(planned.cursor),
        paused=planned.paused,
        reason=planned.reason,
        resume_at=instant(planned.resume_at) if planned.paused else None,
        owner=schedule.owner,
        tz_version=schedule.tz_version,
    )


def words_of(schedule: Schedule, lang: Lang = "en") -> str:
    """When it runs, in plain words."""
    return decode(schedule.trigger).describe(lang)


def upcoming(planned: Planned, now: int, limit: int) -> list[Moment]:
    """The next moments after now that will run, unless something changes; of a fixed delay only the planned one."""
    if planned.paused and planned.resume_at <= now:
        return []
    line = Line.of(planned.schedule)
    if line.after_end:
        return [Moment(planned.cursor, planned.ordinal, planned.cursor)] if planned.cursor > now else []
    place = max(now, planned.resume_at) if planned.paused else now
    written = line.stretch(place, until=planned.cursor)  # ahead, and in the timetable already
    return line.after(place, planned.ordinal - (written.moments if written else 0), limit=limit)


async def following(store: Store, name: str, limit: int) -> list[MomentFacts]:
    """The next moments of one schedule, and which of them are planned already."""
    if not 1 <= limit <= BETWEEN_MOMENTS:
        raise BadInput(f"between 1 and {BETWEEN_MOMENTS:,} moments can be listed, not {limit}")
    planned = await find(store, name)
    now = await store.now()
    ahead = upcoming(planned, now, limit)
    rows = await store.timetable(planned.schedule.name, ahead[0].at, ahead[-1].at + 1) if ahead else []
    written = {row.moment for row in rows if row.fate is Fate.PLANNED}
    return [
        MomentFacts(
            moment=to_datetime(moment.at),
            due_at=to_datetime(moment.due_at),
            ordinal=moment.ordinal,
            planned=moment.at in written,
        )
        for moment in ahead
    ]


async def pause(store: Store, name: str, reason: str, until: datetime | None) -> Planned:
    """No moment runs until it is resumed, or until `until`; each one is noted with that fate. The reason is kept."""
    if not reason.strip():
        raise BadInput("say why: a pause without a reason puzzles whoever finds it")
    planned = await find(store, name)
    resume_at = NEVER if until is None else to_micros(until)
    if resume_at and resume_at <= await store.now():
        raise BadTime("a pause has to end in the future")
    return await store.control_schedule(planned.schedule.name, paused=True, reason=reason, resume_at=resume_at)


async def resume(store: Store, name: str) -> Planned:
    """Go on from now; what was passed stays PAUSED, unless it is backfilled."""
    planned = await find(store, name)
    return await store.control_schedule(planned.schedule.name, paused=False)


async def delete(store: Store, name: str) -> Planned:
    """Withdraw what has not begun, plan nothing more. An app that still declares it makes it again when it starts."""
    planned = await find(store, name)
    return await store.control_schedule(planned.schedule.name, delete=True)
