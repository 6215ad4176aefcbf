"""The scanner: reads ahead what will be due, and wakes exactly then. Its timer is a cache; it decides nothing.

Each bucket has a reader of its own. What a reader has read lies below its floor and is not read again, except by the
sweep: each SWEEP_SECONDS every bucket is read from −∞, because a commit may become visible late, behind the floor.
Hints make it quick, the sweep makes it sure.

The readers' pace follows what they find: far from anything due they sleep until just before the first run, or until
the sweep; where a read was cut off, the next follows at once; where reads are slow, they begin earlier and go further
(`shike.scheduler.reach`).
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable

from shike.bounds import READ_AHEAD_RUNS, SCANS_AT_ONCE, SWEEP_SECONDS
from shike.clock import MICROS, WALL_MAX, WALL_MIN, Clock
from shike.errors import StoreError
from shike.outage import Outage
from shike.runtime import woken
from shike.scheduler.alarm import Alarm, Wake
from shike.scheduler.buckets import Buckets
from shike.scheduler.crew import Crew
from shike.scheduler.lateness import Lateness
from shike.scheduler.preset import CLASSIC, Preset
from shike.scheduler.reach import Reach
from shike.scheduler.shares import Range
from shike.scheduler.waker import Waker
from shike.session import Member
from shike.store.base import Store
from shike.store.hints import Hint, HintKind

log = logging.getLogger("shike.scheduler")

IDLE_MICROS = round(2 * SWEEP_SECONDS * MICROS)  # where nothing is due, the sweep comes before this floor is reached


class Scanner:
    """Wakes workers (`store.tell`) and the gatekeeper (`gate_due`) at the moments that it has read.

    It reads for what it last knew to be its node's: to wake somebody twice does no harm, to plan twice would.
    """

    def __init__(
        self,
        store: Store,
        member: Member,
        buckets: Buckets,
        clock: Clock,
        gate_due: Callable[[str], None],
        lateness: Lateness,
        preset: Preset = CLASSIC,
        waker: Waker | None = None,
        concerns: Callable[[str], bool] = lambda gate: True,
    ) -> None:
        self._store = store
        self._now = member.store_now
        self._clock = clock
        self._gate_due = gate_due
        self._concerns = concerns  # whether what is told of a gate is this node's to hear; what is read always is
        self._lateness = lateness
        self._preset = preset
        self._reaches: dict[Range, Reach] = {}
        self._alarm = Alarm(self._now, self._say, waker)
        self.woken = self._alarm.woken
        self._at_once = asyncio.Semaphore(SCANS_AT_ONCE)
        self._crew = Crew(lambda: buckets.owned.values(), self._read_on, "scanner")
        self.turn_over = self._crew.changed

    async def run(self) -> None:
        """Read for all buckets, and wake, until it is cancelled."""
        try:
            await self._crew.run()
        finally:
            self._alarm.close()

    def hinted(self, hint: Hint) -> None:
        """A commit: what is due soon goes straight into the timer.

        What is due already was told to the workers by the same hint; to tell it again would echo among the nodes.
        """
        if hint.kind is HintKind.DUE:
            if hint.at > self._now():
                self._told(hint.at, (HintKind.DUE, hint.queue))
        elif hint.kind is HintKind.GATED:
            if self._concerns(hint.name):
                self._told(hint.at, (HintKind.GATED, hint.name))
        elif hint.kind is HintKind.MISSED:
            self.start_over()

    def start_over(self) -> None:
        """Read everything from the beginning."""
        for reach in self._reaches.values():
            reach.start_over()

    # ---------------------------------------------------------------- reading

    async def _read_on(self, one: Range) -> None:
        """The work on one bucket."""
        reach = self._reaches[one] = Reach(self._preset)
        outage = Outage(log, "reading ahead")
        try:
            while True:
                reach.wake.clear()
                try:
                    async with self._at_once:
                        await self._read(one, reach)
                    outage.over()
                    pause = reach.rest_seconds(self._now(), self._clock.monotonic())
                except StoreError as error:
                    pause = outage.pause(error)
                await woken(reach.wake, pause)
        finally:
            if self._reaches.get(one) is reach:
                del self._reaches[one]

    async def _read(self, one: Range, reach: Reach) -> None:
        """Read the window (floor, until]; from −∞ when a sweep is due."""
        began, now, floor = self._clock.monotonic(), self._now(), reach.floor
        after, until = reach.begin(began), reach.until(now)
        due, gated = await asyncio.gather(
            self._store.due(*one, after, until, READ_AHEAD_RUNS),
            self._store.gated(*one, after, until, READ_AHEAD_RUNS),
        )
        arrived = self._now()
        for at, queue in due:
            self._found(reach, at, arrived, (HintKind.DUE, queue))
        for waiting in gated:
            self._found(reach, waiting.run_at, arrived, (HintKind.GATED, waiting.gate))
        if WALL_MIN < floor < arrived:  # it should have been read before its time
            late = (at for at in (*(at for at, _ in due), *(one.run_at for one in gated)) if floor < at < arrived)
            self._lateness.note(one[0], arrived - min(late, default=arrived))
        if not due and not gated:
            until = min(await self._first_beyond(one, until), now + IDLE_MICROS)
        if len(due) == READ_AHEAD_RUNS:  # others of the same instant may have been cut off
            until = min(until, due[-1][0] - 1)
        if len(gated) == READ_AHEAD_RUNS:
            until = min(until, gated[-1].run_at - 1)
        reach.end(until, self._clock.monotonic() - began)
        self._alarm.arm()

    async def _first_beyond(self, one: Range, at: int) -> int:
        """Nothing is due soon: the read-ahead may sleep until just before the first run that is."""
        due, gated = await asyncio.gather(
            self._store.due(*one, at, WALL_MAX, 1), self._store.gated(*one, at, WALL_MAX, 1)
        )
        first = min([found for found, _ in due] + [waiting.run_at for waiting in gated], default=WALL_MAX)
        return max(first - 1, at)

    # ---------------------------------------------------------------- waking

    def _found(self, reach: Reach, at: int, now: int, wake: Wake) -> None:
        """A read found it."""
        if not self._alarm.hold(max(at, now), wake):
            reach.refused = min(reach.refused, at)

    def _told(self, at: int, wake: Wake) -> None:
        """A hint told it. What lies beyond all that was read will be read; but a read under way may have passed it."""
        ahead = self._now() + round(self._preset.read_ahead_seconds * MICROS)
        reached = max((reach.floor for reach in self._reaches.values()), default=WALL_MIN)
        if at <= max(ahead, reached) and self._alarm.hold(at, wake):
            self._alarm.arm()
            return
        for reach in self._reaches.values():
            reach.refused = min(reach.refused, at)

    def _say(self, wake: Wake, now: int) -> None:
        kind, name = wake
        if kind is HintKind.DUE:
            self._store.tell(Hint(HintKind.DUE, name, now))
        else:
            self._gate_due(name)
