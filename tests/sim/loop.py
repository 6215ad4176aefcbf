"""An event loop in virtual time whose processes can be killed, paused and resumed from outside.

Three ideas. *Time is a number*: when nothing is ready the loop jumps to the next timer. *Order is drawn*: what is
ready in the same tick runs in a seeded order, so that nobody can lean on it. *A process is a context variable*:
every handle carries the context it was made in, so the loop knows whose step it is about to run. A killed process's
steps are dropped for good and no `finally` runs, as after SIGKILL; a paused one's are put aside and run late, as
between SIGSTOP and SIGCONT.

The loop leans on private names of asyncio (`_run_once`, `Handle._context`, `Handle._run`);
`tests/sim/test_loop.py` pins them on each Python version.
"""

from __future__ import annotations

import asyncio
import contextvars
import gc
import heapq
import logging
import sys
import threading
import warnings
from collections import deque
from collections.abc import Awaitable, Callable, Coroutine, Iterator
from contextlib import contextmanager
from random import Random
from typing import Any, TypeVar

T = TypeVar("T")

STEPS_PER_INSTANT_MAX = 200_000  # so many steps without time passing are a live-lock, not work
TASKS_PRUNE_MIN = 256  # finished tasks of a process are forgotten when it has made so many


class Deadlock(RuntimeError):
    """Nothing is ready, no timer is set: nothing can ever happen again."""


class Livelock(RuntimeError):
    """Something spins: time stands still while steps go on."""


class ThreadForbidden(RuntimeError):
    """The simulated code asked for a thread or an executor, which no seed can order."""


class Process:
    """One simulated process start. It is killed once; a restart is a new one."""

    __slots__ = ("context", "dead", "name", "parked", "paused", "tasks", "tasks_prune_at")

    def __init__(self, name: str) -> None:
        self.name = name
        self.dead = False
        self.paused = False
        self.parked: list[asyncio.Handle] = []
        self.tasks: list[asyncio.Task[Any]] = []
        self.tasks_prune_at = TASKS_PRUNE_MIN
        self.context = contextvars.Context()
        self.context.run(_PROCESS.set, self)

    def adopt(self, task: asyncio.Task[Any]) -> None:
        """Remember a task of this process: a kill must keep its coroutine from ever being finalised."""
        if len(self.tasks) >= self.tasks_prune_at:
            self.tasks = [task for task in self.tasks if not task.done()]
            self.tasks_prune_at = max(TASKS_PRUNE_MIN, 2 * len(self.tasks))
        self.tasks.append(task)


_PROCESS: contextvars.ContextVar[Process | None] = contextvars.ContextVar("process", default=None)


def current() -> Process | None:
    """The process whose step is running; None in the harness."""
    return _PROCESS.get()


class SimLoop(asyncio.BaseEventLoop):
    """The loop. `draw` decides the order of what is ready together; nothing else here is random."""

    def __init__(self, draw: Random) -> None:
        super().__init__()
        self.steps = 0
        self.complaints: list[str] = []
        self._now = 0.0
        self._draw = draw
        self._sequence = 0
        self._timers: list[tuple[float, int, asyncio.TimerHandle]] = []
        self._runnable: deque[asyncio.Handle] = deque()
        self._graveyard: list[object] = []
        self._instant_steps = 0
        self._home_thread = threading.get_ident()
        self.set_exception_handler(_complain)

    # ------------------------------------------------------------ processes

    def start(self, process: Process, coroutine: Coroutine[Any, Any, T]) -> asyncio.Task[T]:
        """Run a coroutine as (part of) a process."""
        return self.create_task(coroutine, context=process.context.copy())

    def kill(self, process: Process) -> None:
        """As SIGKILL: no further step, no `finally`, no farewell."""
        process.dead = True
        self._graveyard.append((process.tasks, process.parked))
        process.tasks, process.parked = [], []

    def pause(self, process: Process) -> None:
        """As SIGSTOP: its steps wait, its timers pass unseen."""
        process.paused = True

    def resume(self, process: Process) -> None:
        """As SIGCONT: what waited runs now, late."""
        process.paused = False
        if not process.dead:
            self._runnable.extend(process.parked)
            process.parked = []

    # ------------------------------------------------------------ what asyncio asks of a loop

    def time(self) -> float:
        return self._now

    def call_soon(  # type: ignore[override]
        self, callback: Callable[..., object], *args: Any, context: contextvars.Context | None = None
    ) -> asyncio.Handle:
        handle = asyncio.Handle(callback, args, self, context)
        self._runnable.append(handle)
        return handle

    def call_soon_threadsafe(  # type: ignore[override]
        self, callback: Callable[..., object], *args: Any, context: contextvars.Context | None = None
    ) -> asyncio.Handle:
        if threading.get_ident() != self._home_thread:
            raise ThreadForbidden(f"{callback!r} was called from another thread")
        return self.call_soon(callback, *args, context=context)

    def call_at(  # type: ignore[override]
        self, when: float, callback: Callable[..., object], *args: Any, context: contextvars.Context | None = None
    ) -> asyncio.TimerHandle:
        timer = asyncio.TimerHandle(when, callback, args, self, context)
        self._sequence += 1
        heapq.heappush(self._timers, (when, self._sequence, timer))
        return timer

    def call_later(  # type: ignore[override]
        self, delay: float, callback: Callable[..., object], *args: Any, context: contextvars.Context | None = None
    ) -> asyncio.TimerHandle:
        return self.call_at(self._now + delay, callback, *args, context=context)

    def create_task(  # type: ignore[override]
        self, coro: Coroutine[Any, Any, T], *, context: contextvars.Context | None = None, **named: Any
    ) -> asyncio.Task[T]:
        task: asyncio.Task[T] = asyncio.Task(coro, loop=self, context=context, **named)
        process = _PROCESS.get() if context is None else context.get(_PROCESS)
        if process is not None:
            process.adopt(task)
        return task

    def run_in_executor(self, executor: object, func: Callable[..., object], *args: object) -> Any:
        raise ThreadForbidden(f"{func!r} was sent to an executor")

    def _timer_handle_cancelled(self, handle: asyncio.TimerHandle) -> None:
        """A cancelled timer is dropped when its time comes."""

    def _run_once(self) -> None:
        """One tick: everything that is ready now, in a drawn order; else the jump to the next timer."""
        runnable = self._runnable
        if not runnable:
            self._jump()
        if len(runnable) == 1:
            ready = [runnable.popleft()]
        else:
            ready = list(runnable)
            runnable.clear()
            self._draw.shuffle(ready)
        self.steps += len(ready)
        self._instant_steps += len(ready)
        if self._instant_steps > STEPS_PER_INSTANT_MAX:
            raise Livelock(f"at {self._now:.6f} s time stands still; next is {ready[0]!r}")
        for handle in ready:
            if handle._cancelled:
                continue
            process = handle._context.get(_PROCESS)  # type: ignore[attr-defined]
            if process is None or not (process.dead or process.paused):
                handle._run()
            elif process.dead:
                self._graveyard.append(handle)
            else:
                process.parked.append(handle)

    def _jump(self) -> None:
        """Let time pass until the next timer and make ready what is due by then."""
        timers = self._timers
        while timers and timers[0][2].cancelled():
            heapq.heappop(timers)
        if self._stopping:  # type: ignore[attr-defined]
            return
        if not timers:
            raise Deadlock(f"at {self._now:.6f} s nothing is ready and no timer is set")
        when = timers[0][0]
        if when > self._now:
            self._now = when
            self._instant_steps = 0
        while timers and timers[0][0] <= self._now:
            self._runnable.append(heapq.heappop(timers)[2])

    def bury(self) -> None:
        """End of the world: the dead and the living are finalised, unheard; then the loop is closed."""
        self.set_exception_handler(lambda loop, context: None)
        with unheard():
            for task in [*asyncio.all_tasks(self)]:
                task._log_destroy_pending = False  # type: ignore[attr-defined]
            self._graveyard.clear()
            self._timers.clear()
            self._runnable.clear()
            self.close()
            gc.collect()


def _complain(loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
    """Keep what nobody handled: a simulated cluster may fail calls, but never lose an exception."""
    assert isinstance(loop, SimLoop)
    error = context.get("exception")
    loop.complaints.append(f"{loop.time():.3f} s: {context.get('message')}: {error!r}")


@contextmanager
def unheard() -> Iterator[None]:
    """Finalisers of the dead may run now and may fail; nobody listens."""
    hook, level = sys.unraisablehook, logging.getLogger("asyncio").level
    sys.unraisablehook = lambda unraisable: None
    logging.getLogger("asyncio").setLevel(logging.CRITICAL + 1)
    try:
        with warnings.catch_warnings(action="ignore"):
            yield
    finally:
        sys.unraisablehook = hook
        logging.getLogger("asyncio").setLevel(level)


def simulate(loop: SimLoop, main: Callable[[], Awaitable[T]]) -> T:
    """Run `main` in the harness (no process) to its end, with the collector off: finalisers run at no random time."""
    collecting, is_cold = gc.isenabled(), gc.get_freeze_count() > 0  # as under pytest: `tests/conftest.py`
    gc.disable()
    if not is_cold:
        gc.freeze()  # what was there before is none of this world's litter: `bury` need not look through it
    try:
        return loop.run_until_complete(main())
    finally:
        loop.bury()
        if not is_cold:
            gc.unfreeze()
        if collecting:
            gc.enable()
