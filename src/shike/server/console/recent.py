"""The last quarter of an hour of what ended, kept in memory while somebody looks: how late, how many, how many failed.

The store tells which runs ended; a bounded number of them is looked up each second, so a store with a thousand ends a
second is sampled, and counted exactly all the same. What ended before anybody looked is taken from the newest runs.
"""

from __future__ import annotations

from collections import Counter, deque
from typing import Final

from msgspec import Struct

from shike.clock import MICROS
from shike.model import TERMINAL, Ended, State
from shike.operate.facts import last_attempt
from shike.store.base import RunFilter, Store
from shike.store.hints import Hint, HintKind
from shike.track.owed import owed_at

SPAN_SECONDS: Final = 900
LOOKED_UP_MAX: Final = 100  # runs in one reading: a few milliseconds of any store
SAMPLES_MAX: Final = 20_000
WARM_RUNS: Final = 300  # of the newest runs, for what went before
OVER: Final = tuple(sorted(TERMINAL))


class Sample(Struct, frozen=True, gc=False):
    """One run that ended."""

    run_id: int
    ended_at: int
    started_at: int  # of its first attempt; 0: it never began, or that was not its last one
    due_at: int  # … or, where it waited for parents or a person, when it was let go
    state: State
    task: str
    seconds: float  # how long the last attempt took


class Recent:
    """Of one server. `read` is called once a second while anybody looks."""

    def __init__(self) -> None:
        self.samples: deque[Sample] = deque(maxlen=SAMPLES_MAX)
        self.ended: Counter[int] = Counter()  # by UTC second, all that were told
        self.is_sampled = False  # more ended than could be looked up
        self._waiting: deque[int] = deque(maxlen=LOOKED_UP_MAX * 10)
        self._told_now = 0
        self._known: set[int] = set()
        self._is_warm = False

    def hear(self, hint: Hint) -> None:
        """A listener of the store."""
        if hint.kind is HintKind.ENDED:
            self._told_now += len(hint.run_ids)
            self._waiting.extend(hint.run_ids[:LOOKED_UP_MAX])

    async def read(self, store: Store) -> int:
        """Look up what ended since the last time; the store's now."""
        now = await store.now()
        if not self._is_warm:
            self._is_warm = True
            await self._look_back(store, now)
        second = now // MICROS
        self.ended[second] += self._told_now
        self.is_sampled = self._told_now > LOOKED_UP_MAX
        self._told_now = 0
        for _ in range(min(len(self._waiting), LOOKED_UP_MAX)):
            found = await store.ended(self._waiting.pop())
            if found is not None:
                self._keep(found)
        if self.is_sampled:
            self._waiting.clear()
        self._forget(now)
        return now

    async def _look_back(self, store: Store, now: int) -> None:
        rows = await store.runs(RunFilter(states=OVER, limit=WARM_RUNS))
        over = [row for row in rows if isinstance(row, Ended) and row.ended_at > now - SPAN_SECONDS * MICROS]
        for row in sorted(over, key=lambda one: one.ended_at):
            self._keep(row)
            self.ended[row.ended_at // MICROS] += 1

    def _keep(self, ended: Ended) -> None:
        if ended.run.id in self._known:
            return
        self._known.add(ended.run.id)
        last = last_attempt(ended)
        started_at = last.started_at if last is not None else 0
        self.samples.append(
            Sample(
                run_id=ended.run.id,
                ended_at=ended.ended_at,
                started_at=started_at if last is not None and last.number == 1 else 0,
                due_at=owed_at(ended.run, last) if last is not None else ended.run.due_at,
                state=ended.state,
                task=ended.run.task,
                seconds=(last.ended_at - started_at) / MICROS if last is not None and started_at else 0.0,
            )
        )

    def _forget(self, now: int) -> None:
        since = now - SPAN_SECONDS * MICROS
        while self.samples and (self.samples[0].ended_at < since or len(self.samples) == SAMPLES_MAX):
            self._known.discard(self.samples.popleft().run_id)
        for second in [one for one in self.ended if one < since // MICROS]:
            del self.ended[second]
