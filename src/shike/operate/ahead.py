"""What is due in each second of the next minutes: computed from the schedules, exactly, without a look at live runs.

A trigger is a pure function, so what a timetable will hold can be known before it is written, and costs the same with a
million runs in the store. Runs that somebody delayed have no trigger: they are read from the front of the lanes.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Sequence
from typing import Final

from msgspec import Struct

from shike.clock import MICROS
from shike.lanes import queue_of
from shike.model import Planned
from shike.operate.schedules import upcoming
from shike.store.base import Store
from shike.trigger.line import Moment

MOMENTS_MAX: Final = 2_000  # of one schedule: two a second for a quarter of an hour, and then some
DELAYED_MAX: Final = 2_000  # instants that are read ahead in the lanes
FEW: Final = 4  # … are computed first
AT_ONCE: Final = 50  # schedules between two turns of the event loop
BUSIEST: Final = 8


class Ahead(Struct, frozen=True, kw_only=True):
    """Runs by second, from `start` on. `by_schedule`: who has most of them."""

    start: int  # UTC seconds
    planned: list[int]
    delayed: list[int]
    by_schedule: dict[str, int]
    capped: tuple[str, ...] = ()  # schedules with more moments than were looked at
    delayed_capped: bool = False  # there may be more delayed runs, after the last one that is shown

    @property
    def total(self) -> int:
        return sum(self.planned) + sum(self.delayed)


def _until(planned: Planned, start: int, end: int) -> list[Moment]:
    """The moments after `start` up to the first at or behind `end`; at most MOMENTS_MAX. Most schedules have few."""
    limit = FEW
    while True:
        moments = upcoming(planned, start, limit)
        if len(moments) < limit or moments[-1].at >= end or limit >= MOMENTS_MAX:
            return moments
        limit = min(limit * 8, MOMENTS_MAX)


async def ahead(store: Store, schedules: Sequence[Planned], seconds: int) -> Ahead:
    """Of the next `seconds` whole seconds, the present one left out."""
    now = await store.now()
    start = now // MICROS + 1
    end = start + seconds
    planned, delayed = [0] * seconds, [0] * seconds
    by_schedule: Counter[str] = Counter()
    capped: list[str] = []
    known: set[tuple[int, str]] = set()
    for place, one in enumerate(schedules):
        if place % AT_ONCE == AT_ONCE - 1:
            await asyncio.sleep(0)
        if one.deleted:
            continue
        queue, name = queue_of(one.schedule.queue), one.schedule.name
        early = now - round(one.schedule.jitter_seconds * MICROS)  # jitter may bring a passed moment into the window
        moments = _until(one, early, end * MICROS)
        due = [moment.due_at for moment in moments if now < moment.due_at < end * MICROS]
        if len(moments) == MOMENTS_MAX and moments[-1].at < end * MICROS:
            capped.append(name)
        for at in due:
            known.add((at, queue))
            if at >= start * MICROS:
                planned[at // MICROS - start] += 1
                by_schedule[name] += 1
    last = store.virtual_buckets - 1
    rows = await store.due(0, last, start * MICROS - 1, end * MICROS - 1, DELAYED_MAX)
    for at, lane in rows:
        if (at, queue_of(lane)) not in known and start * MICROS <= at < end * MICROS:
            delayed[at // MICROS - start] += 1
    return Ahead(
        start=start,
        planned=planned,
        delayed=delayed,
        by_schedule=dict(by_schedule.most_common(BUSIEST)),
        capped=tuple(capped),
        delayed_capped=len(rows) == DELAYED_MAX,
    )
