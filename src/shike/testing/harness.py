"""The harness: an app, a store of its own, and a hand on the clock."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from contextvars import copy_context
from datetime import datetime
from typing import Any, TypeVar

from shike.app import Shike
from shike.call import Call, Duration, Handle, Task
from shike.clock import MICROS, to_datetime, to_micros
from shike.engine import Engine, Roles
from shike.errors import BadTime
from shike.model import Ended, Executor, Live
from shike.runtime import Role, RoleFunction, Runtime
from shike.store.base import RunFilter
from shike.store.memory import MemoryStore
from shike.testing.loop import VirtualLoop
from shike.trigger.duration import parse_duration
from shike.worker.context import running
from shike.worker.executor import Call as HandlerCall

T = TypeVar("T")
R = TypeVar("R")

START = 1_767_225_600_000_000  # 2026-01-01T00:00:00Z


class LoopClock:
    """Wall and monotonic time, both taken from a virtual loop."""

    def __init__(self, loop: VirtualLoop, start: int) -> None:
        self._loop = loop
        self._start = start

    def wall(self) -> int:
        return self._start + round(self._loop.time() * MICROS)

    def monotonic(self) -> float:
        return self._loop.time()

    def boot(self) -> float:
        return self._loop.time()


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


class InlinePool:
    """Runs sync handlers where they are called: no threads, so nothing happens at the same time."""

    def __init__(self, kind: Executor) -> None:
        self.kind = kind
        self.size = 1

    async def run(self, call: HandlerCall) -> Any:
        handler = call.definition.handler
        assert handler is not None
        context = copy_context()
        context.run(running.set, call.context)
        return context.run(handler, *call.args, **call.kwargs)

    async def close(self) -> None:
        """There is nothing to close."""


class Harness:
    """Drives an app's real scheduler and worker through virtual time. Made by `harness(app)`."""

    def __init__(self, app: Shike, start: datetime | None) -> None:
        self.app = app
        self._loop = VirtualLoop()
        self._clock = LoopClock(self._loop, to_micros(start) if start is not None else START)
        self._old = (app.client, app.runtime)
        self.store = MemoryStore(self._clock)
        self._engine: Engine | None = None

    def open(self) -> None:
        client, runtime = self.app.client, VirtualRuntime(clock=self._clock)
        self.app.runtime = runtime
        client.move_in(self.store, runtime, self._do)
        self._engine = self._do(self._start(runtime))
        self.run_due()

    async def _start(self, runtime: Runtime) -> Engine:
        await self.app.store_schedules()
        pools = {kind: InlinePool(kind) for kind in (Executor.THREAD, Executor.PROCESS)}
        codec, events = self.app.client.codec, self.app.events
        engine = Engine(self.store, runtime, self.app.tasks, Roles(), pools=pools, codec=codec, events=events)
        await engine.start()
        return engine

    def close(self) -> None:
        if self._engine is not None:
            self._do(self._engine.stop(0.0))
        _, runtime = self._old
        self.app.runtime = runtime
        self.app.client.move_out(runtime)
        self._loop.close()

    def _do(self, work: Coroutine[Any, Any, T]) -> T:
        return self._loop.run_until_complete(work)

    # ------------------------------------------------------------ what tests use

    @property
    def now(self) -> datetime:
        """The virtual wall clock."""
        return to_datetime(self._clock.wall())

    def advance(self, duration: Duration) -> None:
        """Let time pass; everything that becomes due in it runs at its moment, in order."""
        micros = parse_duration(duration)
        if micros < 0:
            raise BadTime("time cannot pass backwards")
        self._do(asyncio.sleep(micros / MICROS))
        self.run_due()

    def advance_to(self, when: datetime) -> None:
        """Let time pass until an instant."""
        self.advance((to_micros(when) - self._clock.wall()) / MICROS)

    def run_due(self) -> None:
        """Run what is due now, and what that submits for now, until nothing is."""
        assert self._engine is not None
        self._do(self._quiet(self._engine))

    async def _quiet(self, engine: Engine) -> None:
        for _ in range(20):  # commits tell listeners in the next turns of the loop
            await asyncio.sleep(0)
        while True:
            assert engine.worker is not None
            for _ in range(20):
                await asyncio.sleep(0)
            counts = await self.store.counts()
            if not counts.eligible and not engine.worker.slots.busy and not len(engine.worker.acks):
                return
            await asyncio.sleep(0.001)

    def submit(self, what: Call[R] | Task[..., R]) -> Handle[R]:
        """Submit and run it, if it is due."""
        handle = self.app.client.submit(what if isinstance(what, Call) else what.bind())
        self.run_due()
        return handle

    def find(self, handle: Handle[Any] | str) -> Live | Ended | None:
        """Where a run is."""
        return self._do(self.store.find(int(handle if isinstance(handle, str) else handle.id)))

    def runs(self, **wanted: Any) -> list[Live | Ended]:
        """The runs in the store, newest first; see `RunFilter`."""
        return self._do(self.store.runs(RunFilter(**wanted)))

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        """Run a coroutine of the test's own in virtual time."""
        return self._do(work)


@contextmanager
def harness(app: Shike, *, start: datetime | None = None) -> Iterator[Harness]:
    """Move an app into a store of its own and into virtual time, for the length of the block."""
    held = Harness(app, start)
    held.open()
    try:
        yield held
    finally:
        held.close()
