"""`SQLiteStore`: the protocol's face over one writer thread, one reader thread and the files beside the database."""

from __future__ import annotations

import asyncio
import sqlite3
import threading
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Concatenate, Final, ParamSpec, TypeVar

from shike.bounds import CRASHES_MAX, SESSIONS_LISTED
from shike.clock import Clock, SystemClock
from shike.errors import BadSetting, StoreUnavailable
from shike.ids.forks import FORKS
from shike.model import Attempt, Bucket, Ended, Live, Planned, Schedule, ScheduleVersion, Session, TimetableRow
from shike.store.base import Control, Counts, Gated, RunFilter
from shike.store.guards import Entry
from shike.store.hints import Hint, HintKind
from shike.store.liveness import Liveness
from shike.store.sqlite import (
    change,
    claims,
    keeping,
    reads,
    rescue,
    schedules,
    sessions,
    settle,
    submit,
)
from shike.store.sqlite.carried import Carried
from shike.store.sqlite.database import SameFile, claim_file, connect, prepare
from shike.store.sqlite.faults import UNREADABLE, translated
from shike.store.sqlite.options import Options, Synchronous, check_namespace, parse
from shike.store.sqlite.routed import Routed
from shike.store.sqlite.statements import Statements
from shike.store.sqlite.thread import Begin, Listener, StoreThread, Verb
from shike.store.sqlite.turnstile import Turnstile
from shike.store.sqlite.tx import Facts, Tx
from shike.store.sqlite.wakeup import Wakeup
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

VIRTUAL_BUCKETS = frozenset({1, 64, 256})

FORGET_WITH_POWER: Final[frozenset[Verb]] = frozenset({claims.claim, sessions.beat})
"""A power loss that takes a lease takes its worker, too: the run is eligible again either way. Tokens skip ahead at
each opening (`database.prepare`), so that none is given twice. Everything else is on the disk before it answers."""


class SQLiteStore(Routed, Carried):
    """Keeps everything in one SQLite file, for all processes of one machine.

    Promises the contract of `shike.store.base.Store`. A commit is on the disk before its verb answers (`synchronous=
    full`; claims and beats excepted, which nobody misses after a power loss). With `normal` a power loss may take the
    last commits, the death of a process nothing (P8). Verbs may be called in any thread's event loop; on a thread
    without one they block (`shike.runtime.driven`). `where`: a path, or a URL as `options.parse` reads it.
    `virtual_buckets` is fixed when the store is made; None takes what is there. Raises `BadSetting`, `BadStoreURL`.
    """

    any_thread = True
    blocks = True

    def __init__(
        self,
        where: str | Path,
        *,
        clock: Clock | None = None,
        namespace: str = "shike",
        virtual_buckets: int | None = None,
        crashes_max: int = CRASHES_MAX,
    ) -> None:
        if virtual_buckets is not None and virtual_buckets not in VIRTUAL_BUCKETS:
            raise BadSetting(f"virtual_buckets={virtual_buckets}: a store has 1, 64 or 256")
        check_namespace(namespace)
        self.url = where if isinstance(where, str) else f"sqlite:///{where}"
        options = parse(where) if isinstance(where, str) else Options(path=where)
        self._options = replace(options, path=options.path.absolute())  # whoever changes the folder, the file stays
        self.clock = clock or SystemClock()
        self.namespace = namespace
        self.virtual_buckets = virtual_buckets or 1
        self._buckets_wanted = virtual_buckets
        self._crashes_max = crashes_max
        self._opening = threading.Lock()
        self._writer: StoreThread | None = None
        self._reader: StoreThread | None = None
        self._path = path = self._options.path
        self._folder = path.with_name(f"{path.name}-shike")
        self._liveness = Liveness(self._folder)
        self._wakeup: Wakeup | None = None
        self._turnstile: Turnstile | None = None
        FORKS.in_child(self._forked)
        FORKS.around(self._before_fork, self._after_fork)

    # ---------------------------------------------------------------- opening and closing

    async def open(self) -> None:
        await asyncio.to_thread(self.start)

    def start(self) -> None:
        """As `open`, from code that has no event loop. Opening what is open changes nothing."""
        with self._opening:
            if self._writer is None:
                try:
                    self._start()
                except (sqlite3.Error, *UNREADABLE) as error:
                    raise translated(error, self._path) from error
                except OSError as error:
                    raise StoreUnavailable(f"{self._path} cannot be used: {error}") from error

    def _start(self) -> None:
        sql = Statements(self.namespace)
        connection = connect(self._options)
        try:
            claim_file(connection, self._options, sql)
            connection.execute("pragma busy_timeout = 0")  # the turnstile waits, in shorter steps
            self._folder.mkdir(mode=0o700, exist_ok=True)
            self._turnstile = Turnstile(self._folder, self._options.busy_seconds)
            self.virtual_buckets = prepare(connection, sql, self._buckets_wanted, self._turnstile.begin)
            self._wakeup = Wakeup(self._folder)
            reading = connect(self._options, read_only=True)
        except BaseException:
            connection.close()
            self._let_go()
            raise
        facts = Facts(self.virtual_buckets, self._crashes_max)
        lost = FORGET_WITH_POWER if self._options.synchronous is Synchronous.FULL else frozenset()
        same = SameFile(self._path)
        write = _checked(same, self._turnstile)
        self._writer = self._thread("write", Tx(connection, sql, self.clock, facts), write, same, lost)
        self._reader = self._thread("read", Tx(reading, sql, self.clock, facts), _snapshot, same, frozenset())

    def _thread(self, name: str, tx: Tx, begin: Begin, same: SameFile, lost: frozenset[Verb]) -> StoreThread:
        def again() -> sqlite3.Connection:
            same.check()
            return connect(self._options, read_only=begin is _snapshot, waits=begin is _snapshot)

        thread = StoreThread(f"shike:sqlite:{name}", tx, self._path, begin, again, self._spread, lost)
        thread.start()
        return thread

    async def close(self) -> None:
        await asyncio.to_thread(self.stop)

    def stop(self) -> None:
        """As `close`, from code that has no event loop."""
        with self._opening:
            writer, reader = self._writer, self._reader
            self._writer = self._reader = None
            for thread in (writer, reader):
                if thread is not None:
                    thread.close()
            self._let_go()

    def _let_go(self) -> None:
        """Of the files beside the database."""
        wakeup, self._wakeup = self._wakeup, None
        if wakeup is not None:
            wakeup.close()
        if self._turnstile is not None:
            self._turnstile.close()
        self._liveness.close()

    def _before_fork(self) -> None:
        self._opening.acquire()
        for thread in (self._writer, self._reader):
            if thread is not None:
                thread.rest()

    def _after_fork(self) -> None:
        for thread in (self._writer, self._reader):
            if thread is not None:
                thread.go_on()
        self._opening.release()

    def _forked(self) -> None:
        """In a child: threads, connections and sockets are the parent's. It has to open the store for itself."""
        self._opening = threading.Lock()
        for thread in (self._writer, self._reader):
            if thread is not None:
                thread.orphan()
        self._writer = self._reader = self._wakeup = None

    # ---------------------------------------------------------------- handing verbs over

    def _open_thread(self, thread: StoreThread | None) -> StoreThread:
        if thread is None:
            raise StoreUnavailable(f"{self._path}: the store is not open; open it first")
        return thread

    async def _write(self, verb: Callable[Concatenate[Tx, P], T], *words: P.args, **more: P.kwargs) -> T:
        answer: T = await self._open_thread(self._writer).ask(verb, words)
        return answer

    async def _read(self, read: Callable[Concatenate[Tx, P], T], *words: P.args, **more: P.kwargs) -> T:
        answer: T = await self._open_thread(self._reader).ask(read, words)
        return answer

    def listen(self, callback: Callable[[Hint], None]) -> Callable[[], None]:
        if self._wakeup is None:
            raise StoreUnavailable(f"{self._path}: the store is not open; open it first")
        return self._wakeup.listen(callback)

    def tell(self, hint: Hint) -> None:
        for loop, callback in self._spread([hint]):
            try:
                loop.call_soon_threadsafe(callback, hint)
            except RuntimeError:
                pass  # that loop is closed

    def nudge(self, queue: str) -> None:
        """Say that something was committed for a queue by other means, such as `submit_on`."""
        self.tell(Hint(HintKind.DUE, queue, self.clock.wall()))

    def _spread(self, hints: list[Hint]) -> list[Listener]:
        """Tell other processes; who is to be told in this one."""
        wakeup = self._wakeup
        if wakeup is None:
            return []
        wakeup.send(hints)
        return wakeup.listeners()

    def is_gone(self, session: str) -> bool:
        return self._liveness.is_gone(session)

    def is_alive(self, session: str) -> bool:
        return self._liveness.is_held(session)

    # ---------------------------------------------------------------- the write side

    async def open_session(self, new: NewSession) -> Session:
        return await self._liveness.opening(new, lambda: self._write(sessions.open_session, new))

    async def beat(self, beat: Beat) -> BeatReply:
        return await self._write(sessions.beat, beat)

    async def close_session(self, session: str, *, seen_beat: int | None, reason: str) -> bool:
        words = session, seen_beat, reason, self.is_gone(session), self.is_alive(session)
        return await self._liveness.closing(session, seen_beat, lambda: self._write(sessions.close_session, *words))

    async def free(self, session: str, limit: int) -> Freed:
        return await self._liveness.freeing(session, lambda: self._write(rescue.free, session, limit))

    async def divide(self, division: Division) -> list[Bucket]:
        return await self._write(sessions.divide, division)

    async def submit(self, entries: Sequence[Entry], *, repeat: bool = False) -> list[Submitted]:
        return await self._write(submit.submit, entries, repeat)

    async def claim(self, claim: Claim) -> Batch:
        return await self._write(claims.claim, claim)

    async def settle(self, session: str, acks: Sequence[Ack]) -> list[Answer]:
        return await self._write(settle.settle, session, acks)

    async def move(self, moves: Sequence[Move]) -> list[Answer]:
        return await self._write(change.move, moves)

    async def plan(self, plan: Plan) -> bool:
        return await self._write(schedules.plan, plan)

    async def put_schedule(self, schedule: Schedule, *, expect: int | None, plan_at: int) -> Planned:
        return await self._write(schedules.put_schedule, schedule, expect, plan_at)

    async def control_schedule(
        self,
        name: str,
        *,
        paused: bool | None = None,
        reason: str = "",
        resume_at: int = 0,
        delete: bool = False,
    ) -> Planned:
        return await self._write(schedules.control_schedule, name, paused, reason, resume_at, delete)

    async def put(self, key: str, value: bytes | None, *, expect: int | None) -> Control | None:
        return await self._write(keeping.put, key, value, expect)

    async def purge(self, keep: Retention) -> int:
        return await self._write(keeping.purge, keep)

    async def drop_dead(self, run_ids: Sequence[int]) -> int:
        return await self._write(keeping.drop_dead, run_ids)

    # ---------------------------------------------------------------- the read side

    async def now(self) -> int:
        return self.clock.wall()

    async def live(self, run_id: int) -> Live | None:
        return await self._read(reads.live, run_id)

    async def ended(self, run_id: int) -> Ended | None:
        return await self._read(reads.ended, run_id)

    async def outcomes(self, run_ids: Sequence[int]) -> dict[int, Ended]:
        return await self._read(reads.outcomes, run_ids)

    async def find(self, run_id: int) -> Live | Ended | None:
        return await self._read(reads.find, run_id)

    async def runs(self, wanted: RunFilter) -> list[Live | Ended]:
        return await self._read(reads.runs, wanted)

    async def attempts(self, run_id: int) -> list[Attempt]:
        return await self._read(reads.attempts, run_id)

    async def due(self, low: int, high: int, after: int, until: int, limit: int) -> list[tuple[int, str]]:
        return await self._read(reads.due, low, high, after, until, limit)

    async def gated(self, low: int, high: int, after: int, until: int, limit: int) -> list[Gated]:
        return await self._read(reads.gated, low, high, after, until, limit)

    async def holders(self, gate: str) -> list[int]:
        return await self._read(reads.holders, gate)

    async def gate_waiters(self, gate: str, limit: int) -> list[Gated]:
        return await self._read(reads.gate_waiters, gate, limit)

    async def schedule(self, name: str) -> Planned | None:
        return await self._read(reads.schedule, name)

    async def schedules(self) -> list[Planned]:
        return await self._read(reads.schedules)

    async def versions(self, name: str) -> list[ScheduleVersion]:
        return await self._read(schedules.versions, name)

    async def to_plan(self, low: int, high: int, until: int, limit: int) -> list[Planned]:
        return await self._read(reads.to_plan, low, high, until, limit)

    async def timetable(self, schedule: str, start: int, end: int) -> list[TimetableRow]:
        return await self._read(reads.timetable, schedule, start, end)

    async def sessions(self, *, all: bool = False, limit: int = SESSIONS_LISTED) -> list[Session]:
        return await (self._read(reads.listed_sessions, limit) if all else self._read(reads.present))

    async def left_over(self) -> list[Session]:
        return await self._read(reads.left_over)

    async def held(self, session: str) -> int:
        return await self._read(reads.held, session)

    async def buckets(self) -> list[Bucket]:
        return await self._read(reads.buckets)

    async def dead(self, limit: int, before: int = 0, task: str = "") -> list[Ended]:
        return await self._read(reads.dead, limit, before, task)

    async def unsuccessful(self, since: int, behind: int, limit: int) -> list[Ended]:
        return await self._read(reads.unsuccessful, since, behind, limit)

    async def controls(self, prefix: str) -> list[Control]:
        return await self._read(reads.controls, prefix)

    async def counts(self) -> Counts:
        return await self._read(reads.counts)


def _checked(same: SameFile, turnstile: Turnstile) -> Begin:
    def begin(connection: sqlite3.Connection) -> None:
        same.check()
        turnstile.begin(connection)

    return begin


def _snapshot(connection: sqlite3.Connection) -> None:
    """Reads of one group see one state of the file."""
    connection.execute("begin")
