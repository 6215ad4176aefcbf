"""The scanner: reads ahead what will be due, and wakes exactly then. Its timer is a cache; it decides nothing.

What it has read lies below its floor and is not read again, except by the sweep: each SWEEP_SECONDS every bucket is
read from −∞, because a commit may become visible late, behind the floor. Hints make it quick, the sweep makes it
sure.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable

from shike.bounds import READ_AHEAD_RUNS, READ_AHEAD_SECONDS, SLEEP_SECONDS_MAX, SWEEP_SECONDS
from shike.clock import MICROS, WALL_MAX, WALL_MIN, Clock
from shike.errors import StoreError
from shike.model import Bucket
from shike.runtime import woken
from shike.scheduler.buckets import Buckets
from shike.session import Member
from shike.store.base import Store
from shike.store.hints import Hint, HintKind
from shike.timer import TimerQueue, timer_queue

log = logging.getLogger("shike.scheduler")

AHEAD = int(READ_AHEAD_SECONDS * MICROS)
REPEAT_SECONDS = 0.5
ARMED_MAX = 4 * READ_AHEAD_RUNS  # wake-ups held at once: two reads' worth of each kind

Wake = tuple[HintKind, str]  # (DUE, queue) or (GATED, gate)
Armed = tuple[int, Wake]


class Scanner:
    """Wakes workers (`store.tell`) and the gatekeeper (`gate_due`) at the moments that it has read."""

    def __init__(
        self, store: Store, member: Member, buckets: Buckets, clock: Clock, gate_due: Callable[[str], None]
    ) -> None:
        self._store = store
        self._now = member.store_now
        self._buckets = buckets
        self._clock = clock
        self._gate_due = gate_due
        self._timer: TimerQueue[Armed] = timer_queue()
        self._armed: dict[Armed, None] = {}  # what the timer holds, each once
        self._let_go = WALL_MAX  # the earliest that was told or read and not held since the present read began
        self._floor = WALL_MIN
        self._read_until = WALL_MIN
        self._swept_at = 0.0
        self._alarm: asyncio.TimerHandle | None = None
        self._wake = asyncio.Event()

    def hinted(self, hint: Hint) -> None:
        """A commit: what is due soon goes straight into the timer.

        What is due already was told to the workers by the same hint; to tell it again would echo among the nodes.
        """
        if hint.kind is HintKind.DUE:
            if hint.at > self._now():
                self._hold(hint.at, (HintKind.DUE, hint.queue))
        elif hint.kind is HintKind.GATED:
            self._hold(hint.at, (HintKind.GATED, hint.name))

    def start_over(self) -> None:
        """The buckets in hand changed: read them from the beginning."""
        self._floor = self._read_until = WALL_MIN
        self._wake.set()

    async def run(self) -> None:
        """The role."""
        while True:
            self._wake.clear()
            try:
                await self._read()
                pause = self._until_next_read()
            except StoreError as error:
                log.warning("reading ahead is repeated: %s", error)
                pause = REPEAT_SECONDS
            await woken(self._wake, pause)

    async def _read(self) -> None:
        """Read the window (floor, now + AHEAD]; from −∞ when a sweep is due."""
        owned = list(self._buckets.owned.values())
        if not owned:
            return
        self._let_go = WALL_MAX
        now = await self._store.now()
        sweep = self._clock.monotonic() - self._swept_at >= SWEEP_SECONDS
        after = WALL_MIN - 1 if sweep else self._floor
        if sweep:
            self._swept_at = self._clock.monotonic()
        reached = [await self._read_bucket(bucket, after, now) for bucket in owned]
        self._floor = self._read_until = min(*reached, self._let_go - 1)
        self._arm()

    async def _read_bucket(self, bucket: Bucket, after: int, now: int) -> int:
        """Put what is due soon in one bucket into the timer; how far it has been read."""
        low, high, until = bucket.low, bucket.high, now + AHEAD
        due = await self._store.due(low, high, after, until, READ_AHEAD_RUNS)
        for at, queue in due:
            self._hold(max(at, now), (HintKind.DUE, queue), read=True)
        gated = await self._store.gated(low, high, after, until, READ_AHEAD_RUNS)
        for waiting in gated:
            self._hold(max(waiting.run_at, now), (HintKind.GATED, waiting.gate), read=True)
        if not due and not gated:
            return min(await self._first_beyond(low, high, until), now + self._idle())
        if len(due) == READ_AHEAD_RUNS:  # others of the same instant may have been cut off
            until = min(until, due[-1][0] - 1)
        if len(gated) == READ_AHEAD_RUNS:
            until = min(until, gated[-1].run_at - 1)
        return until

    async def _first_beyond(self, low: int, high: int, at: int) -> int:
        """Nothing is due soon: the read-ahead may sleep until just before the first run that is."""
        due = await self._store.due(low, high, at, WALL_MAX, 1)
        gated = await self._store.gated(low, high, at, WALL_MAX, 1)
        first = min([found for found, _ in due] + [waiting.run_at for waiting in gated], default=WALL_MAX)
        return max(first - 1, at)

    def _idle(self) -> int:
        return int(2 * SWEEP_SECONDS * MICROS)

    def _until_next_read(self) -> float:
        if not self._buckets.owned:
            return SWEEP_SECONDS  # whoever stands by is woken when a bucket comes
        ahead = (self._read_until - self._now()) / MICROS - READ_AHEAD_SECONDS / 2
        sweep = self._swept_at + SWEEP_SECONDS - self._clock.monotonic()
        return max(min(ahead, sweep, SWEEP_SECONDS), 0.05)

    def _hold(self, at: int, wake: Wake, *, read: bool = False) -> None:
        """Put one wake-up into the timer, unless it lies beyond what is read ahead (a read will find it)."""
        key = (at, wake)
        if key in self._armed:
            return
        beyond = not read and at > max(self._now() + AHEAD, self._read_until)
        if beyond or len(self._armed) >= ARMED_MAX:
            self._let_go = min(self._let_go, at)  # a read that is under way may have passed it already
            return
        self._armed[key] = None
        self._timer.insert(at, key)
        if not read:
            self._arm()

    def _arm(self) -> None:
        """Set the alarm to the earliest wake-up."""
        next_due = self._timer.next_due()
        if next_due is None:
            return
        loop = asyncio.get_running_loop()
        seconds = min(max((next_due - self._now()) / MICROS, 0.0), SLEEP_SECONDS_MAX)
        when = loop.time() + seconds
        if self._alarm is not None:
            if self._alarm.when() <= when and not self._alarm.cancelled():
                return
            self._alarm.cancel()
        self._alarm = loop.call_at(when, self._fire)

    def _fire(self) -> None:
        """It is time: one word per queue or gate, however many runs are due."""
        if self._alarm is not None:
            self._alarm.cancel()
            self._alarm = None
        now = self._now()
        due = self._timer.pop_due(now)
        for key in due:
            self._armed.pop(key, None)
        for kind, name in dict.fromkeys(wake for _, wake in due):
            if kind is HintKind.DUE:
                self._store.tell(Hint(HintKind.DUE, name, now))
            else:
                self._gate_due(name)
        self._timer.maintain(READ_AHEAD_RUNS)  # or the alarm, early by a bucket, would come back at once for nothing
        self._arm()
