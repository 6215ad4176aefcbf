"""Everything observable, by name: the documented API of what Shike tells its listeners (R3.12).

Listeners hear of what *this process* does, after the store has accepted it. They may be sync or async, and harm nobody:
each hears its events one after the other behind a bounded queue of its own, off the hot path (`shike.ears`). One that
raises, or takes longer than LISTENER_SECONDS, is logged and counted; of one that is too slow the LISTENER_CALLS_MAX
oldest events wait and further ones are dropped, counted and said to be in the log.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final, Literal, get_args

from msgspec import Struct

from shike.ears import Ear
from shike.errors import BadInput

RUN_STARTED: Final = "run.started"  # an attempt begins: run_id, task, queue, schedule, key, attempt
RUN_SUCCEEDED: Final = "run.succeeded"  # as all that follow, with state and reason: the store took it
RUN_FAILED: Final = "run.failed"  # an attempt failed, and the run is tried again
RUN_DEAD: Final = "run.dead"  # it failed for good
RUN_CANCELLED: Final = "run.cancelled"
RUN_SKIPPED: Final = "run.skipped"  # granted, and not started: too late, expired
RUN_ENDED: Final = "run.ended"  # any of these five
RUN_REFUSED: Final = "run.refused"  # a late report was refused: run_id, task
WORKER_STARTED: Final = "worker.started"  # name: the worker
WORKER_STOPPED: Final = "worker.stopped"
SCHEDULER_STARTED: Final = "scheduler.started"
SCHEDULER_STOPPED: Final = "scheduler.stopped"
SESSION_LOST: Final = "session.lost"  # reason
SCHEDULE_CHANGED: Final = "schedule.changed"  # name: made, edited, paused, resumed, deleted by anybody
SCHEDULE_PLANNED: Final = "schedule.planned"  # name; reason: how many of its moments this node wrote down
BUCKETS_CHANGED: Final = "buckets.changed"  # name: this node; reason: which parts of the timetable it looks after now

Name = Literal[
    "run.started",
    "run.succeeded",
    "run.failed",
    "run.dead",
    "run.cancelled",
    "run.skipped",
    "run.ended",
    "run.refused",
    "worker.started",
    "worker.stopped",
    "scheduler.started",
    "scheduler.stopped",
    "session.lost",
    "schedule.changed",
    "schedule.planned",
    "buckets.changed",
]
NAMES: Final[tuple[Name, ...]] = get_args(Name)
BY_STATE: Final[dict[str, Name]] = {
    "SUCCESS": RUN_SUCCEEDED,
    "FAILED": RUN_FAILED,
    "DEAD": RUN_DEAD,
    "CANCELLED": RUN_CANCELLED,
    "SKIPPED": RUN_SKIPPED,
}


class Event(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One thing that happened. Fields that do not apply are empty."""

    event: str
    name: str = ""
    run_id: str = ""
    task: str = ""
    state: str = ""
    reason: str = ""
    queue: str = ""
    schedule: str = ""
    key: str = ""
    attempt: int = 0  # of `run.started`


Listener = Callable[[Event], Awaitable[None] | None]


class Emitter:
    """Tells listeners. `wanted(name)` is cheap: nobody builds an event that nobody wants.

    With `aside` sync listeners are called on threads of their own, as in production; without, they are called where
    the event is told, as in tests that hold the clock.
    """

    def __init__(self, *, aside: bool = False) -> None:
        self.aside = aside
        self.listeners: dict[str, list[Listener]] = {}  # by the names of events; empty: nobody listens at all
        self.ears: list[Ear[Event]] = []
        self.on_new: list[Callable[[], None]] = []  # called when somebody begins to listen
        self._by_name: dict[str, list[tuple[Ear[Event], bool]]] = {}

    def on(self, name: Name | Literal["*"], listener: Listener, *, quick: bool = False) -> None:
        """Call `listener` for each event of that name; `*` means all. `quick`: it is Shike's own, sync, takes no time
        and is told at once. Raises `BadInput` for what is no event and no function."""
        if name != "*" and name not in NAMES:
            raise BadInput(f"no event is called {name!r}; there are: {', '.join(NAMES)}")
        if not callable(listener):
            raise BadInput(f"{listener!r:.60} cannot listen: give a function that takes an event")
        ear = next((one for one in self.ears if one.listener == listener), None)
        if ear is None:
            ear = Ear(listener)
            self.ears.append(ear)
        self.listeners.setdefault(name, []).append(listener)
        self._by_name.setdefault(name, []).append((ear, quick))
        for heed in self.on_new:
            heed()

    def wanted(self, *names: str) -> bool:
        """Whether anybody listens to one of these."""
        return bool(self.listeners) and ("*" in self.listeners or any(name in self.listeners for name in names))

    def emit(self, event: Event) -> None:
        """Tell whoever wants to know; never raises, never waits."""
        for ear, quick in (*self._by_name.get(event.event, ()), *self._by_name.get("*", ())):
            if quick or not self.aside:
                ear.call(event)
            else:
                ear.tell(event)

    async def rest(self) -> None:
        """Wait until listeners have heard what was told, each at most LISTENER_SECONDS."""
        await asyncio.gather(*[ear.rest() for ear in self.ears])
