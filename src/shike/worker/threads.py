"""Sync handlers on a bounded pool of threads.

Threads take calls from one queue and put what came of them on another; the event loop is woken once for all that
gathered, because waking it costs more than the rest of a short call together. A thread cannot be killed, so a
handler that must stop is asked, then interrupted, then given up.
"""

from __future__ import annotations

import asyncio
import contextvars
import inspect
import logging
import threading
from collections import deque
from queue import SimpleQueue
from typing import Any

from shike.bounds import KILL_GRACE_SECONDS, POLITE_SHARE, THREADS_MAX
from shike.errors import BadSetting
from shike.ids.forks import FORKS, end_stray
from shike.model import Executor
from shike.worker.context import running
from shike.worker.executor import Call
from shike.worker.failure import as_exception

log = logging.getLogger("shike.worker")


class _Interrupted(BaseException):
    """Raised inside a handler that must stop. Not an `Exception`, so that `except Exception` lets it pass."""


class _Work:
    """One call on its way through the pool. `done` belongs to the event loop, the rest to one side at a time."""

    __slots__ = ("call", "done", "dropped", "ended", "error", "over", "seat", "value")

    def __init__(self, call: Call, done: asyncio.Future[None]) -> None:
        self.call = call
        self.done = done
        self.seat: _Seat | None = None
        self.value: Any = None
        self.error: BaseException | None = None
        self.dropped = False  # nobody waits for it any more
        self.over = False  # its thread has reported
        self.ended: asyncio.Future[None] | None = None  # who stops it waits here

    def outcome(self) -> Any:
        error, self.error = self.error, None
        if error is None:
            return self.value
        try:
            raise as_exception(error)
        finally:
            del error  # it holds this frame, this frame must not hold it


class _Seat:
    """One thread, and what it works on."""

    __slots__ = ("lock", "retired", "thread", "work")

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.work: _Work | None = None
        self.retired = False
        self.thread: threading.Thread | None = None


class ThreadPool:
    """Runs sync handlers on at most `size` threads, started when first needed.

    Each handler is called in a fresh `contextvars` context, in which `shike.current()` is its run. A handler made
    with `async def` gets an event loop of its own for the call.

    A call that is cancelled sees `context.cancelled`; after POLITE_SHARE of `grace_seconds` a private
    `BaseException` is raised in its thread, which takes effect at the next Python instruction, not inside a blocking
    system call; after the rest the thread is given up: counted in `abandoned`, replaced, never waited for. Its
    handler may still go on: only the token keeps its late effects out.

    Not thread-safe: `run` and `close` belong to one event loop.
    """

    kind = Executor.THREAD

    def __init__(self, size: int, *, grace_seconds: float = KILL_GRACE_SECONDS) -> None:
        if not 1 <= size <= THREADS_MAX:
            raise BadSetting(f"a worker can have 1 to {THREADS_MAX} threads, not {size}")
        self.size = size
        self.abandoned = 0
        self._polite_seconds = grace_seconds * POLITE_SHARE
        self._forced_seconds = grace_seconds - self._polite_seconds
        self._loop: asyncio.AbstractEventLoop | None = None
        self._calls: SimpleQueue[_Work | None] = SimpleQueue()
        self._reports: deque[_Work | _Seat] = deque()
        self._waking = False
        self._open: set[_Work] = set()
        self._seats: set[_Seat] = set()
        self._closed = False
        self._quiet: asyncio.Future[None] | None = None  # `close` waits here

    @property
    def threads(self) -> int:
        """How many threads there are, without the ones given up."""
        return len(self._seats)

    async def run(self, call: Call) -> Any:
        """See `Pool.run`. `SystemExit`, `KeyboardInterrupt` and their like fail the run as `HandlerFailed`."""
        if self._closed:
            raise RuntimeError("this pool of threads is closed")
        loop = self._loop or self._settle()
        work = _Work(call, loop.create_future())
        self._open.add(work)
        self._hire()
        self._calls.put(work)
        try:
            await work.done
        except asyncio.CancelledError:
            await self._stop(work)
            raise
        finally:
            self._open.discard(work)
            if self._quiet is not None:
                self._hush()
        return work.outcome()

    async def close(self) -> None:
        """See `Pool.close`. Calls that still run are stopped as if cancelled."""
        self._closed = True
        loop = asyncio.get_running_loop()
        for work in list(self._open):
            work.done.cancel()
        for _ in self._seats:
            self._calls.put(None)
        self._quiet = loop.create_future()
        self._hush()
        await asyncio.wait([self._quiet], timeout=self._polite_seconds + 2 * self._forced_seconds)

    def _settle(self) -> asyncio.AbstractEventLoop:
        self._loop = asyncio.get_running_loop()
        return self._loop

    def _hire(self) -> None:
        if len(self._seats) < self.size and len(self._seats) < len(self._open):
            seat = _Seat()
            self._seats.add(seat)
            seat.thread = threading.Thread(target=self._main, args=(seat,), name="shike:handler", daemon=True)
            seat.thread.start()

    # On the threads.

    def _main(self, seat: _Seat) -> None:
        try:
            while not seat.retired and (work := self._calls.get()) is not None:
                self._work(seat, work)
        except _Interrupted:  # it came when the handler was over already; this thread ends in any case
            pass
        if seat.work is not None:
            self._report(seat.work)
        self._report(seat)

    def _work(self, seat: _Seat, work: _Work) -> None:
        seat.work = work
        work.seat = seat  # first this, then the look at `dropped`; `_stop` does it the other way round
        forks = FORKS.count
        if not work.dropped:
            try:
                work.value = contextvars.Context().run(_call, work.call)
            except BaseException as error:
                work.error = error
        if FORKS.count != forks:
            end_stray(work.error)
        with seat.lock:
            seat.work = None
        self._report(work)

    def _report(self, item: _Work | _Seat) -> None:
        self._reports.append(item)
        if not self._waking:
            self._waking = True
            assert self._loop is not None
            try:
                self._loop.call_soon_threadsafe(self._deliver)
            except RuntimeError:  # the loop is closed: nobody is left to hear it
                log.debug("a handler ended after its worker's event loop was closed")

    # On the event loop.

    def _deliver(self) -> None:
        self._waking = False  # before the first look, so that a report behind the last look wakes again
        while self._reports:
            item = self._reports.popleft()
            if isinstance(item, _Work):
                item.over = True
                if not item.done.done():
                    item.done.set_result(None)
                if item.ended is not None and not item.ended.done():
                    item.ended.set_result(None)
            else:
                self._leave(item)

    def _leave(self, seat: _Seat) -> None:
        self._seats.discard(seat)
        if not self._closed:
            self._hire()
        elif self._quiet is not None:
            self._hush()

    def _hush(self) -> None:
        if self._quiet is not None and not self._quiet.done() and not self._open and not self._seats:
            self._quiet.set_result(None)

    async def _stop(self, work: _Work) -> None:
        work.dropped = True
        if work.seat is None:  # not begun, and it will not be: its thread looks at `dropped`
            return
        context = work.call.context
        context.cancelled = context.cancelled or "stopped by the worker"
        if await self._ends(work, self._polite_seconds) or not self._interrupt(work):
            return
        if not await self._ends(work, self._forced_seconds):
            self._give_up(work)

    async def _ends(self, work: _Work, seconds: float) -> bool:
        """Whether the handler ends in time. Being cancelled once more cuts the wait short."""
        if work.over:
            return True
        work.ended = asyncio.get_running_loop().create_future()
        try:
            await asyncio.wait([work.ended], timeout=seconds)
        except asyncio.CancelledError:
            pass
        return work.over

    def _interrupt(self, work: _Work) -> bool:
        import ctypes  # loads slowly and is seldom needed

        seat = work.seat
        assert seat is not None and seat.thread is not None and seat.thread.ident is not None
        with seat.lock:  # so that the exception cannot reach the thread's next call
            if seat.work is not work:
                return False
            seat.retired = True
            ctypes.pythonapi.PyThreadState_SetAsyncExc(
                ctypes.c_ulong(seat.thread.ident), ctypes.py_object(_Interrupted)
            )
        return True

    def _give_up(self, work: _Work) -> None:
        assert work.seat is not None
        self.abandoned += 1
        self._leave(work.seat)
        log.warning("task %s ignores that it must stop; its thread is given up", work.call.definition.name)


def _call(call: Call) -> Any:
    running.set(call.context)
    if call.context.begin is not None:
        call.context.begin(call.context)
    handler = call.definition.handler
    assert handler is not None
    value = handler(*call.args, **call.kwargs)
    return asyncio.run(value) if inspect.iscoroutine(value) else value
