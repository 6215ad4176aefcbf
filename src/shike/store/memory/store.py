"""`MemoryStore`: the protocol's face over the tables."""

from __future__ import annotations

import functools
import threading
from collections.abc import AsyncIterator, Callable, Coroutine, Sequence
from contextlib import asynccontextmanager
from typing import Any, Concatenate, ParamSpec, TypeVar

from shike.bounds import CRASHES_MAX, SESSIONS_LISTED
from shike.clock import Clock, SystemClock
from shike.errors import BadSetting
from shike.model import Attempt, Bucket, Ended, Live, Planned, Schedule, ScheduleVersion, Session, TimetableRow
from shike.store.base import Control, Counts, Gated, RunFilter, Standing
from shike.store.guards import Entry
from shike.store.hints import Hint
from shike.store.memory import change, claims, keeping, portable, reads, routed, schedules, sessions, settle, submit
from shike.store.memory.listeners import Listeners
from shike.store.memory.tables import Tables
from shike.store.portable import MARKER_KEY, Marker, refusal
from shike.store.records import Kind, Record
from shike.store.verbs import (
    Ack,
    Answer,
    Batch,
    Beat,
    BeatReply,
    Claim,
    Division,
    Freed,
    Move,
    NewSession,
    Plan,
    Retention,
    Submitted,
)

P = ParamSpec("P")
T = TypeVar("T")

HISTORY_RUNS_MAX = 100_000  # ended runs kept, and dead letters, and runs in receipts: memory stays flat
VIRTUAL_BUCKETS = frozenset({1, 64, 256})


def atomic(
    step: Callable[Concatenate[MemoryStore, P], T],
) -> Callable[Concatenate[MemoryStore, P], Coroutine[Any, Any, T]]:
    """A verb is one step: it never suspends, holds the lock, and its listeners hear of it afterwards.

    Verbs look at everything that may be wrong before they change anything, so an error leaves no half of a step.
    """

    async def verb(self: MemoryStore, /, *args: P.args, **kwargs: P.kwargs) -> T:
        with self._lock:
            if MARKER_KEY in self._tables.controls:
                self._refuse(step.__name__)
            answer = step(self, *args, **kwargs)
            hints = self._tables.news.take()
        if hints and self._listeners:
            self._listeners.tell(hints)
        return answer

    functools.update_wrapper(verb, step)
    return verb


class MemoryStore:
    """Keeps everything in this process: gone when it ends, and until then as good as any other store.

    Promises the contract of `shike.store.base.Store`. Its history is bounded: `history_max` ended runs and as many
    dead letters, the oldest leave first and are counted in a digest. Several event loops may use it (`any_thread`).
    Raises `BadSetting` for a number of virtual buckets that no store has.
    """

    url = "memory://"
    any_thread = True
    blocks = True

    def __init__(
        self,
        clock: Clock | None = None,
        *,
        namespace: str = "shike",
        virtual_buckets: int = 1,
        crashes_max: int = CRASHES_MAX,
        history_max: int = HISTORY_RUNS_MAX,
    ) -> None:
        if virtual_buckets not in VIRTUAL_BUCKETS:
            raise BadSetting(f"virtual_buckets={virtual_buckets}: a store has 1, 64 or 256")
        self.clock = clock or SystemClock()
        self.namespace = namespace
        self.virtual_buckets = virtual_buckets
        self._tables = Tables(self.clock, virtual_buckets, crashes_max, history_max)
        self._listeners = Listeners()
        self._lock = threading.Lock()

    def _refuse(self, verb: str) -> None:
        """What a move does not allow now."""
        marker = portable.marker(self._tables)
        if marker is not None and verb in portable.REFUSED[marker.phase]:
            raise refusal(marker)

    async def open(self) -> None:
        """Nothing to do: it is open as long as it is."""

    async def close(self) -> None:
        """Nothing to do: another role of this process may go on using it."""

    def listen(self, callback: Callable[[Hint], None]) -> Callable[[], None]:
        return self._listeners.add(callback)

    def tell(self, hint: Hint) -> None:
        self._listeners.tell([hint])

    def is_gone(self, session: str) -> bool:
        """Never provable: whoever asks lives in the same process."""
        return False

    def is_alive(self, session: str) -> bool:
        """As whoever asks."""
        return True

    # ---------------------------------------------------------------- the write side

    @atomic
    def open_session(self, new: NewSession) -> Session:
        return sessions.open_session(self._tables, new)

    @atomic
    def beat(self, beat: Beat) -> BeatReply:
        return sessions.beat(self._tables, beat)

    @atomic
    def close_session(self, session: str, *, seen_beat: int | None, reason: str) -> bool:
        return sessions.close_session(
            self._tables, session, seen_beat, reason, self.is_gone(session), self.is_alive(session)
        )

    @atomic
    def free(self, session: str, limit: int) -> Freed:
        return sessions.free(self._tables, session, limit)

    @atomic
    def divide(self, division: Division) -> list[Bucket]:
        return sessions.divide(self._tables, division)

    @atomic
    def submit(self, entries: Sequence[Entry], *, repeat: bool = False) -> list[Submitted]:
        return submit.submit(self._tables, entries, repeat)

    @atomic
    def claim(self, claim: Claim) -> Batch:
        return claims.claim(self._tables, claim)

    @atomic
    def settle(self, session: str, acks: Sequence[Ack]) -> list[Answer]:
        return settle.settle(self._tables, session, acks)

    @atomic
    def move(self, moves: Sequence[Move]) -> list[Answer]:
        return change.move(self._tables, moves)

    @atomic
    def plan(self, plan: Plan) -> bool:
        return schedules.plan(self._tables, plan)

    @atomic
    def put_schedule(self, schedule: Schedule, *, expect: int | None, plan_at: int) -> Planned:
        return schedules.put_schedule(self._tables, schedule, expect, plan_at)

    @atomic
    def control_schedule(
        self,
        name: str,
        *,
        paused: bool | None = None,
        reason: str = "",
        resume_at: int = 0,
        delete: bool = False,
    ) -> Planned:
        return schedules.control_schedule(self._tables, name, paused, reason, resume_at, delete)

    @atomic
    def put(self, key: str, value: bytes | None, *, expect: int | None) -> Control | None:
        return keeping.put(self._tables, key, value, expect)

    @atomic
    def purge(self, keep: Retention) -> int:
        return keeping.purge(self._tables, keep)

    @atomic
    def drop_dead(self, run_ids: Sequence[int]) -> int:
        return keeping.drop_dead(self._tables, run_ids)

    # ---------------------------------------------------------------- to be moved

    @asynccontextmanager
    async def snapshot(self, *, still: bool = False) -> AsyncIterator[portable.Snapshot]:
        with self._lock:
            found = portable.Snapshot(self._tables)
        yield found

    @atomic
    def load(self, kind: Kind, records: Sequence[Record]) -> None:
        portable.load(self._tables, records, kind)

    @atomic
    def restrict(self, marker: Marker | None) -> None:
        portable.restrict(self._tables, marker)

    @atomic
    def marker(self) -> Marker | None:
        return portable.marker(self._tables)

    # ---------------------------------------------------------------- the read side

    @atomic
    def now(self) -> int:
        return self._tables.now()

    @atomic
    def live(self, run_id: int) -> Live | None:
        return reads.live(self._tables, run_id)

    @atomic
    def ended(self, run_id: int) -> Ended | None:
        return self._tables.ended(run_id)

    @atomic
    def outcomes(self, run_ids: Sequence[int]) -> dict[int, Ended]:
        found = {run_id: self._tables.ended(run_id) for run_id in run_ids}
        return {run_id: ended for run_id, ended in found.items() if ended is not None}

    @atomic
    def find(self, run_id: int) -> Live | Ended | None:
        return reads.find(self._tables, run_id)

    @atomic
    def runs(self, wanted: RunFilter) -> list[Live | Ended]:
        return reads.runs(self._tables, wanted)

    @atomic
    def attempts(self, run_id: int) -> list[Attempt]:
        return self._tables.attempts_of(run_id)

    @atomic
    def decisions(self, run_id: int) -> list[Attempt]:
        return routed.decisions(self._tables, run_id)

    @atomic
    def lanes(self) -> list[Standing]:
        return routed.lanes(self._tables)

    @atomic
    def standing(self, lane: str, limit: int) -> list[Live]:
        return routed.standing(self._tables, lane, limit)

    @atomic
    def of_band(self, lane: str, band: int, after: int, limit: int) -> list[Live]:
        return routed.of_band(self._tables, lane, band, after, limit)

    @atomic
    def due(self, low: int, high: int, after: int, until: int, limit: int) -> list[tuple[int, str]]:
        return reads.due(self._tables, low, high, after, until, limit)

    @atomic
    def gated(self, low: int, high: int, after: int, until: int, limit: int) -> list[Gated]:
        return reads.gated(self._tables, low, high, after, until, limit)

    @atomic
    def holders(self, gate: str) -> list[int]:
        return self._tables.gates.holders(gate)

    @atomic
    def gate_waiters(self, gate: str, limit: int) -> list[Gated]:
        return reads.gate_waiters(self._tables, gate, limit)

    @atomic
    def schedule(self, name: str) -> Planned | None:
        return self._tables.schedules.get(name)

    @atomic
    def schedules(self) -> list[Planned]:
        return reads.schedules(self._tables)

    @atomic
    def versions(self, name: str) -> list[ScheduleVersion]:
        return reads.versions(self._tables, name)

    @atomic
    def to_plan(self, low: int, high: int, until: int, limit: int) -> list[Planned]:
        return reads.to_plan(self._tables, low, high, until, limit)

    @atomic
    def timetable(self, schedule: str, start: int, end: int) -> list[TimetableRow]:
        return reads.timetable(self._tables, schedule, start, end)

    @atomic
    def sessions(self, *, all: bool = False, limit: int = SESSIONS_LISTED) -> list[Session]:
        return reads.listed(self._tables, limit) if all else reads.present(self._tables)

    @atomic
    def left_over(self) -> list[Session]:
        return reads.left_over(self._tables)

    @atomic
    def held(self, session: str) -> int:
        row = self._tables.sessions.get(session)
        return 0 if row is None else len(row.open)

    @atomic
    def buckets(self) -> list[Bucket]:
        return [self._tables.buckets[low] for low in sorted(self._tables.buckets)]

    @atomic
    def dead(self, limit: int, before: int = 0, task: str = "") -> list[Ended]:
        return reads.dead(self._tables, limit, before, task)

    @atomic
    def unsuccessful(self, since: int, behind: int, limit: int) -> list[Ended]:
        return reads.unsuccessful(self._tables, since, behind, limit)

    @atomic
    def controls(self, prefix: str) -> list[Control]:
        return reads.controls(self._tables, prefix)

    @atomic
    def counts(self) -> Counts:
        return reads.counts(self._tables)
