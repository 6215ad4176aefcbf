"""What a process at work can tell about itself: counted as it happens, sampled where counting would cost too much."""

from __future__ import annotations

import logging
from collections import Counter, deque
from datetime import datetime
from typing import TYPE_CHECKING

from msgspec import Struct, field
from msgspec.structs import replace

from shike.clock import MICROS, to_datetime
from shike.errors import StoreError
from shike.events import RUN_ENDED, Event
from shike.model import State
from shike.operate.facts import RunFacts, last_attempt, run_facts
from shike.operate.schedules import upcoming
from shike.store.base import Counts
from shike.track.owed import owed_at

if TYPE_CHECKING:
    from shike.app import Shike
    from shike.engine import Engine
    from shike.store.base import Store

log = logging.getLogger("shike")

AHEAD_SECONDS = 60
AHEAD_RUNS = 2_000  # read for the picture of the next minute
SAMPLES_PER_LOOK = 25  # ended runs read back for their lateness, each time the screen is drawn
LATENESS_KEPT = 1_000
RECENT_KEPT = 12
LINES_PER_LOOK = 20  # of dead letters in the log: a storm is told by its number
NEXT_KEPT = 8
RATE_LOOKS = 10


class Next(Struct, frozen=True):
    """A moment ahead."""

    at: datetime
    in_seconds: float
    schedule: str
    task: str


class Snapshot(Struct, frozen=True, kw_only=True):
    """One look at a process and its store."""

    at: datetime
    uptime_seconds: float
    counts: Counts
    running_here: int
    slots: int
    per_second: float
    ended: dict[str, int]  # by state, in this process, since it started
    late_p50_seconds: float | None
    late_p99_seconds: float | None
    due_by_second: list[int]  # instants with due runs, for each of the next 60 seconds
    next: list[Next]
    recent: list[RunFacts] = field(default_factory=list)


class Status:
    """Gathers what `Screen` shows."""

    def __init__(self, app: Shike) -> None:
        self._app = app
        self._clock = app.runtime.clock
        self._engine: Engine | None = None
        self._store: Store | None = None
        self._slots = 0
        self._started = self._clock.monotonic()
        self._ended: Counter[str] = Counter()
        self._unread: deque[tuple[int, str]] = deque(maxlen=SAMPLES_PER_LOOK)
        self._lines_left = LINES_PER_LOOK
        self._late: deque[float] = deque(maxlen=LATENESS_KEPT)
        self._recent: deque[RunFacts] = deque(maxlen=RECENT_KEPT)
        self._marks: deque[tuple[float, int]] = deque(maxlen=RATE_LOOKS)
        self._counts = Counts()

    async def attach(self, engine: Engine, store: Store, slots: int) -> None:
        """Begin to listen."""
        self._engine, self._store, self._slots = engine, store, slots
        self._app.events.on(RUN_ENDED, self._heard, quick=True)

    def _heard(self, event: Event) -> None:
        self._ended[event.state] += 1
        self._unread.append((int(event.run_id), event.reason))
        if event.state == State.DEAD.name and self._lines_left:
            self._lines_left -= 1
            log.warning("run %s is a dead letter: %s", event.run_id, event.reason)

    async def look(self) -> Snapshot:
        """A fresh look; where the store does not answer, what was known before."""
        store = self._store
        assert store is not None
        self._lines_left = LINES_PER_LOOK
        now = self._app.runtime.clock.wall()
        due: list[int] = [0] * AHEAD_SECONDS
        following: list[Next] = []
        try:
            now = await store.now()
            self._counts = await store.counts()
            await self._sample(store, now)
            due = await self._due(store, now)
            following = await self._next(store, now)
        except StoreError:
            pass
        return self._snapshot(now, due, following)

    async def _sample(self, store: Store, now: int) -> None:
        while self._unread:
            run_id, reason = self._unread.popleft()
            known = await store.find(run_id)
            if known is None:
                continue
            facts = run_facts(known, now)
            self._recent.append(facts if facts.reason else replace(facts, reason=reason))
            first = last_attempt(known)
            if first is not None and first.number == 1 and first.started_at:
                self._late.append((first.started_at - owed_at(known.run, first)) / MICROS)

    async def _due(self, store: Store, now: int) -> list[int]:
        due = [0] * AHEAD_SECONDS
        window = (0, store.virtual_buckets - 1, now, now + AHEAD_SECONDS * MICROS, AHEAD_RUNS)
        instants = [at for at, _queue in await store.due(*window)]
        instants += [gated.run_at for gated in await store.gated(*window)]
        for at in instants:
            due[min((at - now) // MICROS, AHEAD_SECONDS - 1)] += 1
        return due

    async def _next(self, store: Store, now: int) -> list[Next]:
        ahead = [
            Next(
                to_datetime(moment.due_at), (moment.due_at - now) / MICROS, planned.schedule.name, planned.schedule.task
            )
            for planned in await store.schedules()
            if not planned.deleted
            for moment in upcoming(planned, now, 2)
        ]
        return sorted(ahead, key=lambda one: one.in_seconds)[:NEXT_KEPT]

    def _snapshot(self, now: int, due: list[int], following: list[Next]) -> Snapshot:
        mono = self._clock.monotonic()
        done = self._ended.total()
        since, before = self._marks[0] if self._marks else (self._started, 0)
        self._marks.append((mono, done))
        late = sorted(self._late)
        worker = self._engine.worker if self._engine is not None else None
        return Snapshot(
            at=to_datetime(now),
            uptime_seconds=mono - self._started,
            counts=self._counts,
            running_here=worker.slots.busy if worker is not None else 0,
            slots=self._slots,
            per_second=(done - before) / max(mono - since, 0.001),
            ended=dict(self._ended),
            late_p50_seconds=_quantile(late, 0.5),
            late_p99_seconds=_quantile(late, 0.99),
            due_by_second=due,
            next=following,
            recent=list(self._recent),
        )

    def total_words(self) -> str:
        """What this process did, in one line."""
        parts = [f"{count:,} {name.lower()}" for name, count in sorted(self._ended.items())]
        return ", ".join(parts) or "no runs"


def failures(ended: dict[str, int]) -> int:
    """Attempts that failed, and runs that died of it."""
    return ended.get(State.FAILED.name, 0) + ended.get(State.DEAD.name, 0)


def _quantile(ordered: list[float], share: float) -> float | None:
    return ordered[min(int(len(ordered) * share), len(ordered) - 1)] if ordered else None
