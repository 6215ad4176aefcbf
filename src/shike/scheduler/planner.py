"""The planner: writes the timetable. It decides nothing by memory: each step is a compare-and-set on the cursor."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable

from shike.bounds import SCANS_AT_ONCE, SLEEP_SECONDS_MAX, SWEEP_SECONDS
from shike.clock import MICROS
from shike.errors import BadInput, IdsUsedUp, NotFound, StaleEpoch, StoreError
from shike.ids import RunIds, virtual_bucket
from shike.model import NEVER, Bucket, Ended, Planned
from shike.outage import Outage
from shike.runtime import woken
from shike.scheduler.buckets import Buckets
from shike.scheduler.crew import Crew
from shike.scheduler.lateness import Lateness
from shike.scheduler.moments import plan_following, plan_step, put_off
from shike.scheduler.shares import Range
from shike.session import Member
from shike.store.base import Store
from shike.store.hints import Hint, HintKind
from shike.store.verbs import Plan
from shike.trigger.line import Line

log = logging.getLogger("shike.scheduler")

SCHEDULES_PER_LOOK = 500
LINES_MAX = 10_000  # parsed triggers kept: a few KB each
UNSURE_SECONDS = 0.5  # a bucket that may not be ours any more: its owner is being found out


class Planner:
    """Plans the schedules of the buckets in hand, woken by changes and by the earliest `plan_at`. Buckets are planned
    beside each other, the schedules of one bucket one after another: more buckets plan more at once."""

    def __init__(self, store: Store, member: Member, buckets: Buckets, lateness: Lateness) -> None:
        self._store = store
        self._member = member
        self._buckets = buckets
        self._lateness = lateness
        self.planned: Callable[[Plan], None] = lambda plan: None  # told what was written
        self._wakes: dict[Range, asyncio.Event] = {}
        self._lines: dict[tuple[str, int], Line] = {}
        self._at_once = asyncio.Semaphore(SCANS_AT_ONCE)
        self._crew = Crew(lambda: buckets.owned.values(), self._plan_on, "planner")
        self.run = self._crew.run

    def turn_over(self) -> None:
        """Buckets came or went, or are ours under another epoch."""
        self._crew.changed()
        self.look()

    def hinted(self, hint: Hint) -> None:
        if hint.kind is HintKind.SCHEDULE:
            home = virtual_bucket(hint.name, self._store.virtual_buckets)
            for (low, high), wake in self._wakes.items():
                if low <= home <= high:
                    wake.set()
        elif hint.kind is HintKind.MISSED:
            self.look()

    def look(self) -> None:
        """Look at all schedules at once."""
        for wake in self._wakes.values():
            wake.set()

    async def _plan_on(self, one: Range) -> None:
        """The work on one bucket."""
        wake = self._wakes[one] = asyncio.Event()
        outage, busy_since = Outage(log, "planning"), NEVER
        try:
            while True:
                wake.clear()
                busy_since = busy_since or self._member.store_now()
                try:
                    async with self._at_once:
                        pause = await self._look(one, busy_since)
                    outage.over()
                except StoreError as error:
                    pause = outage.pause(error)
                busy_since = NEVER if pause else busy_since
                await self._rest(pause, wake)
        finally:
            if self._wakes.get(one) is wake:
                del self._wakes[one]

    async def _rest(self, seconds: float, wake: asyncio.Event) -> None:
        """Sleep in short pieces, so that a jump of the store's clock is noticed; give way in any case."""
        await asyncio.sleep(0)
        until = self._member.store_now() + int(seconds * MICROS)
        while (left := (until - self._member.store_now()) / MICROS) > 0 and not wake.is_set():
            if left > seconds + SLEEP_SECONDS_MAX:
                return  # the clock was set back
            await woken(wake, min(left, SLEEP_SECONDS_MAX))

    async def _look(self, one: Range, busy_since: int) -> float:
        """Plan what is to be planned in one bucket; how long there is nothing to do after that."""
        pause = SWEEP_SECONDS
        now = await self._store.now()
        found = await self._store.to_plan(*one, now + int(SWEEP_SECONDS * MICROS), SCHEDULES_PER_LOOK)
        for planned in found:
            if planned.plan_at > now:
                pause = min(pause, (planned.plan_at - now) / MICROS)
                continue
            bucket = self._buckets.holder_of(one[0])
            if bucket is None or (bucket.low, bucket.high) != one:
                return UNSURE_SECONDS
            if await self._plan(planned, bucket, now):
                pause = 0.0  # its new plan_at may lie within this very sweep
            self._lateness.note(one[0], self._member.store_now() - max(planned.plan_at, busy_since))
        if len(found) == SCHEDULES_PER_LOOK and found[-1].plan_at <= now:
            pause = 0.0  # there may be more that is to be planned now
        return pause

    async def _plan(self, planned: Planned, bucket: Bucket, now: int) -> bool:
        """One schedule, one step. False: another node, an edit or a new owner came between, or it cannot be planned."""
        try:
            if planned.paused and NEVER < planned.resume_at <= now:
                await self._store.control_schedule(planned.schedule.name, paused=False)
                return True
            return await self._write(planned, bucket, now)
        except StaleEpoch:
            self._buckets.doubt()
        except NotFound:
            pass  # deleted in between
        return False

    async def _write(self, planned: Planned, bucket: Bucket, now: int) -> bool:
        """Whatever is wrong with one schedule, the others are planned: it has to wait behind them."""
        name = planned.schedule.name
        try:
            plan = await self._step(planned, bucket, now)
            if plan is None or not await self._store.plan(plan):
                return False
            self.planned(plan)
            return True
        except StoreError:
            raise
        except IdsUsedUp:
            await self._member.more_ids()
            return True
        except BadInput as error:
            log.error("schedule %s cannot be planned: %s", name, error)
        except Exception:
            log.exception("schedule %s cannot be planned", name)
        try:
            await self._store.plan(put_off(planned, now, bucket))
        except StoreError:
            raise
        except Exception:
            log.exception("schedule %s cannot be put off", name)
        return False

    async def _step(self, planned: Planned, bucket: Bucket, now: int) -> Plan | None:
        ids = self._member.ids
        if ids is None:
            return None
        line = self._line(planned)
        take = self._taker(ids)
        if not line.after_end:
            return plan_step(planned, line, now, bucket, take)
        return plan_following(planned, line, now, await self._ended_at(planned), bucket, take)

    def _taker(self, ids: RunIds) -> Callable[[str], int]:
        count = self._store.virtual_buckets
        return lambda schedule: ids.next(virtual_bucket(schedule, count))

    async def _ended_at(self, planned: Planned) -> int:
        """When the run at the cursor ended; NEVER while it goes on. One withdrawn or forgotten ended at its moment."""
        if planned.cursor == NEVER:
            return NEVER
        rows = await self._store.timetable(planned.schedule.name, planned.cursor, planned.cursor + 1)
        if not rows or not rows[0].run_id:
            return planned.cursor
        known = await self._store.find(rows[0].run_id)
        if known is None:
            return planned.cursor
        return known.ended_at if isinstance(known, Ended) else NEVER

    def _line(self, planned: Planned) -> Line:
        key = (planned.schedule.name, planned.schedule.version)
        line = self._lines.get(key)
        if line is None:
            if len(self._lines) >= LINES_MAX:
                self._lines.clear()
            line = self._lines[key] = Line.of(planned.schedule)
        return line
