"""Everything observable, by name: the documented API of what Shike tells its listeners.

Listeners hear of what *this process* does, after the store has accepted it. They may be sync or async; one that
raises is logged and harms nobody; one that is slow is not waited for, and once LISTENER_CALLS_MAX calls of async
listeners are unfinished, further events are dropped and said to be in the log.
"""

from __future__ import annotations

import asyncio
import inspect
import logging
from collections.abc import Awaitable, Callable
from typing import Final

from msgspec import Struct

from shike.bounds import LISTENER_CALLS_MAX
from shike.errors import BadInput

log = logging.getLogger("shike.events")

RUN_ENDED: Final = (
    "run.ended"  # an attempt ended and the store took it: run_id, task, state, reason; FAILED is tried again
)
RUN_REFUSED: Final = "run.refused"  # a late report was refused: run_id, task
WORKER_STARTED: Final = "worker.started"  # name: the worker
WORKER_STOPPED: Final = "worker.stopped"
SCHEDULER_STARTED: Final = "scheduler.started"
SCHEDULER_STOPPED: Final = "scheduler.stopped"
SESSION_LOST: Final = "session.lost"  # reason
SCHEDULE_CHANGED: Final = "schedule.changed"  # name: made, edited, paused, resumed, deleted by anybody

NAMES: Final = (
    RUN_ENDED,
    RUN_REFUSED,
    WORKER_STARTED,
    WORKER_STOPPED,
    SCHEDULER_STARTED,
    SCHEDULER_STOPPED,
    SESSION_LOST,
    SCHEDULE_CHANGED,
)


class Event(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One thing that happened. Fields that do not apply are empty."""

    event: str
    name: str = ""
    run_id: str = ""
    task: str = ""
    state: str = ""
    reason: str = ""


Listener = Callable[[Event], Awaitable[None] | None]


class Emitter:
    """Tells listeners. `wanted(name)` is cheap: nobody builds an event that nobody wants."""

    def __init__(self) -> None:
        self.listeners: dict[str, list[Listener]] = {}  # by the names of events; empty: nobody listens at all
        self._tasks: dict[asyncio.Task[None], None] = {}

    def on(self, name: str, listener: Listener) -> None:
        """Call `listener` for each event of that name; `*` means all."""
        if name != "*" and name not in NAMES:
            raise BadInput(f"no event is called {name!r}; there are: {', '.join(NAMES)}")
        self.listeners.setdefault(name, []).append(listener)

    def wanted(self, name: str) -> bool:
        return bool(self.listeners) and (name in self.listeners or "*" in self.listeners)

    def emit(self, event: Event) -> None:
        """Tell whoever wants to know; never raises, never waits."""
        for listener in (*self.listeners.get(event.event, ()), *self.listeners.get("*", ())):
            try:
                told = listener(event)
                if inspect.isawaitable(told):
                    self._go_on(told, event)
            except Exception:
                log.exception("listener for %s failed", event.event)

    def _go_on(self, told: Awaitable[None], event: Event) -> None:
        if len(self._tasks) >= LISTENER_CALLS_MAX:
            if inspect.iscoroutine(told):
                told.close()
            log.error("listeners are too slow: %s of run %s is dropped", event.event, event.run_id or "none")
            return
        task = asyncio.get_running_loop().create_task(_finish(told), name="shike:listener")
        self._tasks[task] = None
        task.add_done_callback(self._tasks.pop)


async def _finish(told: Awaitable[None]) -> None:
    try:
        await told
    except Exception:
        log.exception("async listener failed")
