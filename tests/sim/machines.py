"""Machines on which one process after another runs: each with its own clock, its own way to the store, its own luck."""

from __future__ import annotations

import asyncio
import contextvars
from collections.abc import Callable, Coroutine
from random import Random
from typing import Any

from shike.clock import Clock
from shike.engine import Engine
from shike.ids import Entropy
from shike.runtime import Role, RoleFunction, Runtime, TaskRole
from tests.sim.clocks import SkewedClock
from tests.sim.faults import Cut, FaultyStore
from tests.sim.loop import Process, SimLoop


class SimEntropy:
    """Seeded randomness for one process."""

    def __init__(self, draw: Random) -> None:
        self._draw = draw

    def token_hex(self, count: int) -> str:
        return self._draw.randbytes(count).hex()

    def random(self) -> float:
        return self._draw.random()


class SimRuntime(Runtime):
    """The seam: production roles on simulated ground. Nothing is a thread; what runs apart is one more task."""

    def __init__(self, clock: Clock, entropy: Entropy) -> None:
        super().__init__(clock, entropy, counters=lambda: None)

    def start(
        self,
        function: RoleFunction,
        name: str,
        *,
        apart: bool = False,
        failed: Callable[[BaseException], None] | None = None,
    ) -> Role:
        def died(error: BaseException) -> None:
            what = {"message": f"role {name} ended", "exception": error}
            asyncio.get_running_loop().call_exception_handler(what)
            if failed is not None:
                failed(error)

        return TaskRole(function, name, died)


Main = Callable[["Machine", Any, Runtime], Coroutine[Any, Any, None]]
Door = Callable[[Process, Random], FaultyStore]


class Machine:
    """One host. `main` is what each of its processes runs, from its boot to its kill."""

    def __init__(self, name: str, main: Main, loop: SimLoop, door: Door, epoch: int, draw: Random) -> None:
        self.name = name
        self.clock = SkewedClock(loop.time, epoch, started=draw.uniform(1.0, 1e6))
        self.boots = 0
        self.process: Process | None = None
        self.store: FaultyStore | None = None
        self.engine: Engine | None = None  # what its process runs, once that has started
        self.farewell: Callable[[], Coroutine[Any, Any, None]] | None = None  # how its process stops politely
        self._main = main
        self._loop = loop
        self._door = door
        self._draw = draw
        self._cut: Cut | None = None
        self._cuts = 0

    @property
    def up(self) -> bool:
        return self.process is not None

    def boot(self) -> None:
        """Start a process, if none runs."""
        if self.process is not None:
            return
        self.boots += 1
        self.process = Process(f"{self.name}.{self.boots}")
        self.store = self._door(self.process, Random(self._draw.getrandbits(64)))
        self.store.cut = self._cut
        runtime = SimRuntime(self.clock, SimEntropy(Random(self._draw.getrandbits(64))))
        self._loop.start(self.process, self._main(self, self.store, runtime))

    def kill(self) -> None:
        """SIGKILL what runs here."""
        if self.process is not None and self.store is not None:
            self._loop.kill(self.process)
            self.store.sever()
            self.process = self.store = self.farewell = self.engine = None

    def restart(self) -> None:
        """SIGTERM, as in a rolling update: the process ends in its own good time, and another starts."""
        if self.process is not None and self.farewell is not None:
            stopping, farewell, self.farewell = self.process, self.farewell, None
            self._loop.start(stopping, self._stop(stopping, farewell))

    async def _stop(self, process: Process, farewell: Callable[[], Coroutine[Any, Any, None]]) -> None:
        await farewell()
        self._loop.call_soon(self._replace, process, context=contextvars.Context())

    def _replace(self, process: Process) -> None:
        if self.process is process:
            self.kill()
            self.boot()

    async def pause(self, seconds: float) -> None:
        """SIGSTOP what runs here; SIGCONT it after so long, if it still lives."""
        process = self.process
        if process is None or process.paused:
            return
        self._loop.pause(process)
        await asyncio.sleep(seconds)
        self._loop.resume(process)

    async def cut_off(self, cut: Cut, seconds: float) -> None:
        """No way to the store for so long; a process that boots meanwhile finds none either."""
        self._cuts += 1
        mine = self._cuts
        self._set_cut(cut)
        await asyncio.sleep(seconds)
        if mine == self._cuts:
            self._set_cut(None)

    def mend(self) -> None:
        """Undo whatever still ails it: boot, resume, reconnect."""
        self._cuts += 1
        self._set_cut(None)
        if self.store is not None:
            self.store.ambush = None
        self.boot()
        if self.process is not None and self.process.paused:
            self._loop.resume(self.process)

    def _set_cut(self, cut: Cut | None) -> None:
        self._cut = cut
        if self.store is not None:
            self.store.cut = cut
