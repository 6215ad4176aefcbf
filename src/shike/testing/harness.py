"""The harness: an app, a store of its own, and a hand on the clock."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from typing import Any, TypeVar, cast

from shike.app import Shike
from shike.call import Call, Duration, Handle, Task
from shike.clock import MICROS, WALL_MAX, to_datetime, to_micros
from shike.engine import Engine, Roles
from shike.errors import BadTime
from shike.model import Ended, Executor, Live
from shike.runtime import Role, RoleFunction, Runtime
from shike.store.base import RunFilter
from shike.store.memory import MemoryStore
from shike.testing.aside import TurnsPool, aside
from shike.testing.loop import VirtualLoop
from shike.trigger.duration import parse_duration
from shike.worker.claims import QueueShare

T = TypeVar("T")
R = TypeVar("R")

START = 1_767_225_600_000_000  # 2026-01-01T00:00:00Z
LEASE_SECONDS = 500 * 366 * 86_400.0  # one process, which never dies: a quarter of it must outlive every leap
STEP_SECONDS = 1.0  # how far time goes at once where something may happen
PATIENCE = 200  # looks at runs that are due and that nobody takes: a paused queue, say


class LoopClock:
    """Wall and monotonic time, both taken from a virtual loop, and ahead of it by all leaps."""

    def __init__(self, loop: VirtualLoop, start: int) -> None:
        self._loop = loop
        self._start = start
        self._leapt = 0  # µs

    def wall(self) -> int:
        return self._start + self._leapt + round(self._loop.time() * MICROS)

    def monotonic(self) -> float:
        return self._loop.time() + self._leapt / MICROS

    def boot(self) -> float:
        return self.monotonic()

    def leap(self, micros: int) -> None:
        """Let time pass in which nothing happens, without a turn of the loop."""
        self._leapt += max(micros, 0)


class VirtualRuntime(Runtime):
    """Starts every role on the one virtual loop: there is no apart."""

    def start(
        self,
        function: RoleFunction,
        name: str,
        *,
        apart: bool = False,
        failed: Callable[[BaseException], None] | None = None,
    ) -> Role:
        return super().start(function, name, apart=False, failed=failed)


class Harness:
    """Drives an app's real scheduler and worker through virtual time. Made by `harness(app)`."""

    def __init__(self, app: Shike, start: datetime | None, tags: Sequence[str] = ()) -> None:
        self.app = app
        self._tags = tags
        self._loop = VirtualLoop()
        self._clock = LoopClock(self._loop, to_micros(start) if start is not None else START)
        self._old = (app.client, app.runtime)
        self.store = MemoryStore(self._clock)
        self._engine: Engine | None = None

    def open(self) -> None:
        """Move the app in and start its scheduler and worker; `harness(app)` does it."""
        client, runtime = self.app.client, VirtualRuntime(clock=self._clock)
        self.app.runtime = runtime
        client.move_in(self.store, runtime, self._do)
        self.app.events.aside = False  # listeners have their turn where the event is told: no thread, no chance
        self._engine = self._do(self._start(runtime))
        self.run_due()

    async def _start(self, runtime: Runtime) -> Engine:
        await self.app.store_schedules()
        pools = {kind: TurnsPool(kind) for kind in (Executor.THREAD, Executor.PROCESS)}
        codec, events = self.app.client.codec, self.app.events
        roles = Roles(lease_seconds=LEASE_SECONDS, queues=tuple(map(QueueShare, self.app.queues)), tags=self._tags)
        given = self.app.exporters
        engine = Engine(
            self.store, runtime, self.app.tasks, roles, pools=pools, codec=codec, events=events, watchers=given
        )
        await engine.start()
        return engine

    def close(self) -> None:
        """Stop them, and give the app its own store and clock back."""
        if self._engine is not None:
            self._do(self._engine.stop(0.0))
        _, runtime = self._old
        self.app.events.aside = True
        self.app.runtime = runtime
        self.app.client.move_out(runtime)
        self._loop.close()

    def _do(self, work: Coroutine[Any, Any, T]) -> T:
        handler = aside.get()
        if handler is not None:
            return cast(T, handler.ask(work))
        return self._loop.run_until_complete(work)

    # ------------------------------------------------------------ what tests use

    @property
    def now(self) -> datetime:
        """The virtual wall clock."""
        return to_datetime(self._clock.wall())

    @property
    def turns(self) -> int:
        """How many turns the event loop has made: what a test costs, whatever the machine."""
        return self._loop.turns

    def advance(self, duration: Duration) -> None:
        """Let time pass; everything that becomes due in it runs at its moment, in order."""
        micros = parse_duration(duration)
        if micros < 0:
            raise BadTime("time cannot pass backwards")
        assert self._engine is not None
        self._do(self._pass(self._engine, self._clock.wall() + micros))

    def advance_to(self, when: datetime) -> None:
        """Let time pass until an instant."""
        self.advance((to_micros(when) - self._clock.wall()) / MICROS)

    def run_due(self) -> None:
        """Run what is due now, and what that submits for now, until nothing is."""
        assert self._engine is not None
        self._do(self._quiet(self._engine))

    async def _pass(self, engine: Engine, until: int) -> None:
        """Let time pass: in steps where something may happen, in leaps where nothing can."""
        await self._quiet(engine, wait=False)
        while (left := until - self._clock.wall()) > 0:
            still = await self._still(until) - round(STEP_SECONDS * MICROS)
            if still > STEP_SECONDS * MICROS:
                self._clock.leap(still)
                self._notice_leap(engine)
            else:
                await asyncio.sleep(min(left / MICROS, STEP_SECONDS))
        await self._quiet(engine, wait=False)

    async def _still(self, until: int) -> int:
        """For how many µs nothing can happen: no handler is under way, no run is due, no schedule to be planned."""
        counts = await self.store.counts()
        if counts.eligible or counts.running:
            return 0
        last, now = self.store.virtual_buckets - 1, self._clock.wall()
        due = await self.store.due(0, last, now, WALL_MAX, 1)
        gated = await self.store.gated(0, last, now, WALL_MAX, 1)
        to_plan = await self.store.to_plan(0, last, WALL_MAX, 1)
        looks = [at for at in (self._looks_at(),) if at]
        nexts = looks + [at for at, _ in due] + [run.run_at for run in gated] + [planned.plan_at for planned in to_plan]
        return min([until, *nexts]) - now

    def _looks_at(self) -> int:
        """When limits are looked at again though nothing happens."""
        assert self._engine is not None and self._engine.node is not None
        return self._engine.node.limiter.looks_at

    def _notice_leap(self, engine: Engine) -> None:
        """Roles sleep by the loop's time, which stood still: have them look at the clock."""
        assert engine.node is not None
        engine.node.planner.look()
        engine.node.scanner.start_over()
        engine.node.limiter.look()

    async def _quiet(self, engine: Engine, *, wait: bool = True) -> None:
        """Until nothing is due. `wait`: nor under way, however long that takes."""
        worker = engine.worker
        assert worker is not None
        for _ in range(PATIENCE):
            for _ in range(20):  # commits tell listeners in the next turns of the loop
                await asyncio.sleep(0)
            while worker.slots.queued or len(worker.acks) or (wait and worker.slots.busy):
                await asyncio.sleep(0.001)
            if not (await self.store.counts()).eligible:
                return
            await asyncio.sleep(0.001)

    def submit(self, what: Call[R] | Task[..., R]) -> Handle[R]:
        """Submit and run it, if it is due."""
        handle = self.app.client.submit(what if isinstance(what, Call) else what.bind())
        self.run_due()
        return handle

    def find(self, handle: Handle[Any] | str) -> Live | Ended | None:
        """Where a run is: its state, attempts and reason. Its value is `handle.result()`."""
        return self._do(self.store.find(int(handle if isinstance(handle, str) else handle.id)))

    def runs(self, **wanted: Any) -> list[Live | Ended]:
        """The runs in the store, newest first; see `RunFilter`."""
        return self._do(self.store.runs(RunFilter(**wanted)))

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        """Run a coroutine of the test's own in virtual time."""
        return self._do(work)


@contextmanager
def harness(app: Shike, *, start: datetime | None = None, tags: Sequence[str] = ()) -> Iterator[Harness]:
    """Move an app into a store of its own and into virtual time, for the length of the block. `tags`: what its worker
    offers to routes."""
    held = Harness(app, start, tags)
    held.open()
    try:
        yield held
    finally:
        held.close()
