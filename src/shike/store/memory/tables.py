"""What the memory store holds, and the few steps of which every verb is made.

A run that is not over is in exactly one place: its lane (eligible, or ahead), its gate (waiting), or a lease
(running). `enter` and `leave` are the only doors of the first two, `grant` and `settle` of the last; `end` is the only
way out.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from heapq import heappush
from typing import Any

import msgspec
from msgspec.structs import replace

from shike.bounds import ATTEMPTS_MAX
from shike.clock import MICROS, Clock
from shike.ids import bucket_of, virtual_bucket
from shike.lanes import queue_of
from shike.model import (
    Attempt,
    Bucket,
    Ended,
    Live,
    Manner,
    Planned,
    Run,
    ScheduleVersion,
    Session,
    SessionState,
    State,
)
from shike.store.base import QUEUE_SWITCH, Control
from shike.store.decided import attempts_of
from shike.store.memory import graphs
from shike.store.memory.gates import Gates
from shike.store.memory.history import Digest, Shelf, Timetable
from shike.store.memory.lanes import Lanes, name_of
from shike.store.memory.news import News
from shike.store.pauses import NOTHING, Paused

_attempt = msgspec.msgpack.Decoder(Attempt)
pack_attempt = msgspec.msgpack.Encoder().encode


@dataclass(slots=True)
class LeaseRow:
    """One granted batch. A run of it is open as long as its `Live.token` is this one."""

    token: int
    session: str
    claim: int
    granted_at: int
    run_ids: tuple[int, ...]
    left: int  # how many are open
    manner: Manner
    settled_at: int = 0  # when the last one closed; from then on the row is a receipt
    taken: set[int] = field(default_factory=set)  # closed without an acknowledgement


@dataclass(slots=True)
class SessionRow:
    """A session and what it holds, by claim number."""

    session: Session
    leases: dict[int, LeaseRow] = field(default_factory=dict)  # all that are remembered
    open: dict[int, LeaseRow] = field(default_factory=dict)  # those not settled

    @property
    def is_open(self) -> bool:
        return self.session.state is SessionState.OPEN


@dataclass(slots=True)
class Remembered:
    """The run that holds a business key, and until when."""

    run_id: int
    until: int


class Tables:
    """All rows of one store."""

    def __init__(self, clock: Clock, virtual_buckets: int, crashes_max: int, history_max: int) -> None:
        self.clock = clock
        self.virtual_buckets = virtual_buckets
        self.crashes_max = crashes_max
        self.receipts_max = history_max
        self.news = News()
        self.runs: dict[int, Live] = {}
        self.of_schedule: dict[str, dict[int, None]] = {}  # the live runs of each schedule
        self.lanes = Lanes()
        self.suspects = Lanes()
        self.gates = Gates()
        self.parents: dict[int, int] = {}  # of runs that wait for others: how many of those are not over
        self.asked: set[int] = set()  # running runs that were asked to stop
        self.attempts: dict[int, list[bytes]] = {}
        self.timetable = Timetable()
        self.digest = Digest()
        self.over = Shelf(history_max, self.timetable, self.digest, self.attempts)
        self.dead = Shelf(history_max, self.timetable, self.digest, self.attempts)
        self.keys: dict[str, Remembered] = {}
        self.key_ends: list[tuple[int, str]] = []  # a heap
        self.sessions: dict[str, SessionRow] = {}
        self.sessions_opened = 0
        self.leases: dict[int, LeaseRow] = {}
        self.settled: deque[LeaseRow] = deque()  # receipts, oldest first
        self.receipts = 0  # runs in them
        self.token = 0  # the last fencing number
        self.schedules: dict[str, Planned] = {}
        self.versions: dict[str, list[ScheduleVersion]] = {}  # oldest first
        self.buckets = {0: Bucket(low=0, high=virtual_buckets - 1)}
        self.controls: dict[str, Control] = {}
        self.paused: Paused = NOTHING  # what `controls` say of it

    # ---------------------------------------------------------------- looking

    def now(self) -> int:
        return self.clock.wall()

    def bucket_of(self, run_id: int) -> int:
        return bucket_of(run_id) % self.virtual_buckets

    def bucket_of_name(self, name: str) -> int:
        return virtual_bucket(name, self.virtual_buckets)

    def ended(self, run_id: int) -> Ended | None:
        return self.over.rows.get(run_id) or self.dead.rows.get(run_id)

    def is_known(self, run_id: int) -> bool:
        return run_id in self.runs or self.ended(run_id) is not None

    def is_paused(self, queue: str) -> bool:
        return QUEUE_SWITCH + queue_of(queue) in self.controls

    def attempts_of(self, run_id: int) -> list[Attempt]:
        return attempts_of(self.written_of(run_id))

    def written_of(self, run_id: int) -> list[Attempt]:
        """Attempts and decisions, as they came."""
        packed = self.attempts.get(run_id, [])
        ended = self.ended(run_id)
        if ended is not None and ended.trace:
            packed = [*packed, ended.trace]
        return [_attempt.decode(one) for one in packed]

    # ---------------------------------------------------------------- a run's way

    def accept(self, run: Run, run_at: int, now: int) -> None:
        """A new run: into its lane, or before its gate."""
        live = Live(run, State.WAITING if run.gate else State.SCHEDULED, run_at, run.band)
        if run.ties:
            graphs.accept(self, live, now)
        self.runs[run.id] = live
        if run.schedule:
            self.of_schedule.setdefault(run.schedule, {})[run.id] = None
        if run.gate:
            self.gates.wait(live)
            self.news.gated(run.gate, live.run_at, now)
        else:
            self.enter(live, now)

    def enter(self, live: Live, now: int) -> None:
        """Into the lane that its queue, band and history call for."""
        (self.suspects if live.suspect else self.lanes).add(live)
        self.news.due(name_of(live), live.run_at, now)

    def leave(self, live: Live) -> None:
        """Out of its lane, or away from its gate."""
        if live.state is State.WAITING:
            self.gates.stop_waiting(live)
        else:
            (self.suspects if live.suspect else self.lanes).remove(live)

    def requeue(self, live: Live, run_at: int, now: int) -> None:
        """From a lease back into a lane."""
        live.token = 0
        live.worker = ""
        live.version += 1
        live.run_at = run_at
        live.progress = b""
        self.enter(live, now)

    def end(
        self,
        live: Live,
        state: State,
        now: int,
        reason: str = "",
        token: int = 0,
        session: str = "",
        result: bytes = b"",
        trace: bytes = b"",
        chosen: tuple[str, ...] = (),
    ) -> None:
        """Over, for ever: to the history, with its permits given back, and its children freed or ended with it. It must
        have left its lane or lease. `chosen`: the branches that its success chose."""
        run = live.run
        attempts = live.attempts + 1 if trace else live.attempts
        shelf = self.dead if state is State.DEAD else self.over
        shelf.rows[run.id] = Ended(run, state, now, attempts, token, session, reason, result, trace)
        self.news.ended.append(run.id)
        self.forget(live)
        if run.ties:
            graphs.parent_ended(self, run, state, now, chosen)

    def forget(self, live: Live) -> None:
        """Out of the live tables."""
        run = live.run
        del self.runs[run.id]
        if live.cancel:
            self.asked.discard(run.id)
        if run.schedule:
            self._leave_schedule(run)
        for key in self.gates.release(run.id):
            self.news.freed(key)

    def _leave_schedule(self, run: Run) -> None:
        runs = self.of_schedule[run.schedule]
        del runs[run.id]
        if not runs:
            del self.of_schedule[run.schedule]

    def write_attempt(self, run_id: int, packed: bytes) -> None:
        rows = self.attempts.setdefault(run_id, [])
        rows.append(packed)
        del rows[:-ATTEMPTS_MAX]  # a run may be snoozed for ever

    def keep_key(self, key: str, known: Remembered) -> None:
        self.keys[key] = known
        heappush(self.key_ends, (known.until, key))

    # ---------------------------------------------------------------- a lease's way

    def open_runs(self, lease: LeaseRow) -> list[Live]:
        """The runs of a lease that are not settled, in the order of the grant."""
        found = [self.runs.get(run_id) for run_id in lease.run_ids] if lease.left else []
        return [live for live in found if live is not None and live.token == lease.token]

    def retire(self, lease: LeaseRow, now: int) -> None:
        """Nothing of it is open: the row stays as a receipt for a while."""
        lease.left = 0
        lease.settled_at = now
        del self.sessions[lease.session].open[lease.claim]
        self.settled.append(lease)
        self.receipts += len(lease.run_ids)
        while self.receipts > self.receipts_max:
            self.drop_receipt()

    def drop_receipt(self) -> None:
        lease = self.settled.popleft()
        self.receipts -= len(lease.run_ids)
        del self.leases[lease.token]
        self.sessions[lease.session].leases.pop(lease.claim, None)

    def update_session(self, row: SessionRow, **changes: Any) -> None:
        row.session = replace(row.session, **changes)


def micros(seconds: float) -> int:
    return round(seconds * MICROS)
