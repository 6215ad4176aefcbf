"""What a handler can know about the run it is working on: `shike.current()`."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from contextvars import ContextVar
from datetime import datetime
from typing import Any

from shike.attempts import pack_report
from shike.bounds import LOG_LIVE_BYTES, RESULT_BYTES_MAX
from shike.clock import to_datetime
from shike.errors import TooLarge
from shike.model import Run, Shard
from shike.payload import to_json
from shike.track.settle import options_of
from shike.worker.notes import Notes


def idempotency_key_of(run: Run) -> str:
    """See `Context.idempotency_key`."""
    if run.schedule:
        return f"{run.schedule}@{run.moment}"
    origin = run.replay_of or run.id
    return f"{run.key}#{origin}" if run.key else str(origin)


class Context:
    """One attempt, seen from inside its handler. Cheap: one per attempt, made before the handler starts."""

    __slots__ = (
        *("_notes", "_now", "_progress", "attempt", "begin", "cancelled", "claimed_at", "lost", "run", "started_at"),
        *("token", "traceparent", "traces"),
    )

    def __init__(
        self,
        run: Run,
        token: int,
        attempt: int,
        claimed_at: int,
        started_at: int,
        now: Callable[[], int] | None = None,
        *,
        traces: bool = True,
    ) -> None:
        self.run = run
        self.token = token  # grows with every claim of this run: hand it to what must refuse a late writer
        self.attempt = attempt  # counts from 1
        self.claimed_at = claimed_at
        self.started_at = started_at
        self.cancelled = ""  # why somebody asked this attempt to stop; sync handlers should look now and then
        self.lost = False  # the lease is gone: whatever this attempt reports is refused
        self.traces = traces  # whether steps and log lines are kept
        self.traceparent = ""  # of the span that an exporter made for this attempt
        self.begin: Callable[[Context], None] | None = None  # called where the handler is about to be called
        self._now = now or _clock_from(started_at)
        self._notes: Notes | None = None
        self._progress = b""

    @property
    def id(self) -> str:
        """The run's id, as it stands in JSON and on the command line."""
        return str(self.run.id)

    @property
    def idempotency_key(self) -> str:
        """The same for every attempt of this run and for its replays: send it with outside effects.

        A scheduled run's is its schedule and moment, so backfills of a moment share it. Another's is its id, after its
        business key if it has one: a key that is used again, when it is free, stands for other work.
        """
        return idempotency_key_of(self.run)

    @property
    def moment(self) -> datetime | None:
        """The schedule's nominal instant, or None for a run that was submitted."""
        return to_datetime(self.run.moment) if self.run.schedule else None

    @property
    def shard(self) -> Shard:
        """Which part of divided work this run is: `shard.index` of `shard.total`. A run that is the whole is 0 of 1."""
        return (options_of(self.run.options).shard if self.run.options else None) or Shard(0, 1)

    @property
    def due_at(self) -> datetime:
        """When this run was due; how late it is, is measured from here."""
        return to_datetime(self.run.due_at)

    def progress(self, value: Any) -> None:
        """Show how far the work is (any JSON value); seen by others within a second, with the next beat.

        Raises `BadArguments` for what JSON cannot hold and `TooLarge` above RESULT_BYTES_MAX.
        """
        report = to_json(value, "progress")  # now, in the handler's thread: the beat must not fail of it
        if len(report) > RESULT_BYTES_MAX:
            raise TooLarge(
                f"a progress report of {len(report):,} bytes; the limit is {RESULT_BYTES_MAX:,}",
                size=len(report),
                limit=RESULT_BYTES_MAX,
            )
        self._progress = report

    def latest_progress(self) -> bytes:
        """The last value given to `progress`, as JSON; empty where there is none."""
        return self._progress

    def report(self) -> bytes:
        """What is to be seen of it now: progress and the end of its log (`shike.attempts.split_report`)."""
        notes = self._notes
        if notes is None or not notes.lines_count:
            return self._progress
        return pack_report(self._progress, notes.tail(LOG_LIVE_BYTES))

    def hear(self, notes: Notes) -> None:
        """What another process notes of it."""
        self._notes = notes

    def notes(self) -> Notes | None:
        """Where steps and log lines are kept, made when it is first needed; None where tracing is off."""
        if self._notes is None and self.traces:
            with _making:  # a handler may have threads
                self._notes = self._notes or Notes(self._now)
        return self._notes

    def logged(self) -> None:
        """A line was kept."""

    def until(self) -> int:
        """The present instant, for what is still open."""
        return self._now()

    def noted(self) -> Notes | None:
        """The same, where anything was."""
        return self._notes


def _clock_from(started_at: int) -> Callable[[], int]:
    """Goes on from there: where the store's clock is not known."""
    began = time.monotonic_ns()
    return lambda: started_at + (time.monotonic_ns() - began) // 1_000


_making = threading.Lock()
running: ContextVar[Context] = ContextVar("shike_run")
together: ContextVar[tuple[Context, ...]] = ContextVar("shike_runs", default=())


def current() -> Context:
    """The run that this code works on. Raises `LookupError` outside of a handler, and in one that works on a batch."""
    if together.get():
        raise LookupError("several runs are under way here: currents() tells them, in the order of the batch")
    try:
        return running.get()
    except LookupError:
        raise LookupError("no run is under way here: current() is for code that a handler calls") from None


def currents() -> tuple[Context, ...]:
    """The runs that this code works on: those of a batch, in its order, or the one. `LookupError` outside of a handler.

    What a batch has begun goes on when one of its runs is cancelled, or loses its lease: `lost` and `cancelled` tell.
    """
    return together.get() or (current(),)
