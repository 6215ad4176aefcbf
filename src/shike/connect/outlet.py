"""The end of a run is told outside (R2.11): at least once, and never at the cost of a run."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from shike.call import Task
from shike.connect.bounds import OUTLET_ATTEMPTS, OUTLET_PAUSE_SECONDS_MAX
from shike.connect.follower import Told, follower_of
from shike.connect.names import check_name
from shike.connect.sinks.base import Sink, outcome_of
from shike.errors import BadInput, NotFound
from shike.model import Backoff, State

if TYPE_CHECKING:
    from shike.app import Shike

PREFIX = "shike.outlet."  # of the tasks that tell
QUEUE = "outlets"


class Outlet:
    """Tells a sink of each end of these tasks' runs:

        told = Outlet(app, "receipts", to_rabbitmq(url, "receipts"), [send_receipt])

    Make it where the tasks are defined, in every process that works on them or schedules. A run of the outlet's own
    task (`shike.outlet.receipts`, queue `outlets`) tells the sink: of a success it is submitted by the very write that
    settles it; of any other end, whoever brought it about, by the node that follows the history (`shike.connect.
    follower`), a second later or so. So nothing is told that is not so, no end is forgotten when a process dies, and a
    sink that fails disturbs nobody: that run is tried OUTLET_ATTEMPTS times over an hour or more, then it is a dead
    letter, to be replayed. A sink may hear an end twice, with the same `run_id`. The connection stays open until
    `close`.

    Not told is what ended more than FOLLOW_LATE_SECONDS before the outlet was first there, and a planned moment that
    an edit or a pause of its schedule took back: that is no end of a run (`shike audit` has it).
    """

    def __init__(
        self,
        app: Shike,
        name: str,
        sink: Sink,
        tasks: Sequence[Task[..., Any]],
        *,
        states: Sequence[State] = (State.SUCCESS, State.DEAD, State.CANCELLED, State.SKIPPED),
    ) -> None:
        """Raises `BadInput` for a name that is no short word, what is no task, and no end; `DuplicateName`."""
        check_name("name of an outlet", name)
        if isinstance(tasks, Task) or not tasks or not all(isinstance(task, Task) for task in tasks):
            raise BadInput("an outlet tells of the runs of a list of tasks: Outlet(app, name, sink, [task, …])")
        self.name = name
        self.told = 0
        """How many ends this process has told."""
        self._app = app
        self._sink = sink
        self._states = frozenset(states)
        self._opening = asyncio.Lock()
        self._is_open = False
        retry = Backoff(attempts=OUTLET_ATTEMPTS, max_seconds=OUTLET_PAUSE_SECONDS_MAX)
        teller = app.task(name=f"{PREFIX}{name}", queue=QUEUE, retry=retry, keep_result=False)(self._tell)
        names = frozenset(task.definition.name for task in tasks)
        follower_of(app).add(Told(name, names, self._states, teller))
        for task in tasks:
            task.definition.tellers = (*task.definition.tellers, teller.definition)

    async def _tell(self, run_id: str) -> None:
        """The handler. What it raises is told of in the run that it failed in."""
        client = self._app.client
        store = await client.store()
        ended = await client.here(store.ended(int(run_id)))
        if ended is None:
            raise NotFound(f"run {run_id} is in the history no more: its end cannot be told")
        if ended.state not in self._states:
            return
        outcome = outcome_of(ended, client.codec)
        async with self._opening:
            if not self._is_open:
                await self._sink.open()
                self._is_open = True
        try:
            await self._sink.put(outcome)
        except BaseException:
            await self.close()  # the next try opens it anew
            raise
        self.told += 1

    async def close(self) -> None:
        """Let go of the sink; the next end opens it again."""
        async with self._opening:
            self._is_open = False
            await self._sink.close()
