"""The planner: writes the timetable. It decides nothing by memory: each step is a compare-and-set on the cursor."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable

from shike.bounds import SLEEP_SECONDS_MAX, SWEEP_SECONDS
from shike.clock import MICROS
from shike.errors import BadInput, IdsUsedUp, NotFound, StaleEpoch, StoreError
from shike.ids import RunIds, virtual_bucket
from shike.model import NEVER, Bucket, Ended, Planned
from shike.runtime import woken
from shike.scheduler.buckets import Buckets
from shike.scheduler.moments import plan_following, plan_step
from shike.session import Member
from shike.store.base import Store
from shike.store.hints import Hint, HintKind
from shike.store.verbs import Plan
from shike.trigger.line import Line

log = logging.getLogger("shike.scheduler")

SCHEDULES_PER_LOOK = 500
LINES_MAX = 10_000  # parsed triggers kept: a few KB each
REPEAT_SECONDS = 0.5


class Planner:
    """Plans the schedules of the buckets in hand, woken by changes and by the earliest `plan_at`."""

    def __init__(self, store: Store, member: Member, buckets: Buckets) -> None:
        self._store = store
        self._member = member
        self._buckets = buckets
        self._wake = asyncio.Event()
        self._lines: dict[tuple[str, int], Line] = {}

    def hinted(self, hint: Hint) -> None:
        if hint.kind is HintKind.SCHEDULE:
            self._wake.set()

    def look(self) -> None:
        """Look at once: buckets or schedules changed."""
        self._wake.set()

    async def run(self) -> None:
        """The role."""
        while True:
            self._wake.clear()
            try:
                pause = await self._look()
            except StoreError as error:
                log.warning("planning is repeated: %s", error)
                pause = REPEAT_SECONDS
            await self._rest(pause)

    async def _rest(self, seconds: float) -> None:
        """Sleep in short pieces, so that a jump of the store's clock is noticed; give way in any case."""
        await asyncio.sleep(0)
        until = self._member.store_now() + int(seconds * MICROS)
        while (left := (until - self._member.store_now()) / MICROS) > 0 and not self._wake.is_set():
            if left > seconds + SLEEP_SECONDS_MAX:
                return  # the clock was set back
            await woken(self._wake, min(left, SLEEP_SECONDS_MAX))

    async def _look(self) -> float:
        """Plan what is to be planned; how long there is nothing to do after that."""
        pause = SWEEP_SECONDS
        for bucket in list(self._buckets.owned.values()):
            now = await self._store.now()
            until = now + int(SWEEP_SECONDS * MICROS)
            found = await self._store.to_plan(bucket.low, bucket.high, until, SCHEDULES_PER_LOOK)
            for planned in found:
                if planned.plan_at > now:
                    pause = min(pause, (planned.plan_at - now) / MICROS)
                    continue
                if await self._plan(planned, bucket, now):
                    pause = 0.0  # its new plan_at may lie within this very sweep
            if len(found) == SCHEDULES_PER_LOOK and found[-1].plan_at <= now:
                pause = 0.0  # there may be more that is to be planned now
        return pause

    async def _plan(self, planned: Planned, bucket: Bucket, now: int) -> bool:
        """One schedule, one step. False: another node, an edit or a new owner came between."""
        try:
            if planned.paused and NEVER < planned.resume_at <= now:
                await self._store.control_schedule(planned.schedule.name, paused=False)
                return True
            plan = await self._step(planned, bucket, now)
            return plan is not None and await self._store.plan(plan)
        except StaleEpoch:
            self._buckets.doubt()
        except NotFound:
            pass  # deleted in between
        except StoreError:
            raise
        except IdsUsedUp:
            await self._member.more_ids()
            return True
        except BadInput as error:
            log.error("schedule %s cannot be planned: %s", planned.schedule.name, error)
        except Exception:  # whatever is wrong with one schedule, the others are planned
            log.exception("schedule %s cannot be planned", planned.schedule.name)
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
