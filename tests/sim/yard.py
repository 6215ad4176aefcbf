"""A few nodes and a worker on one store in fair weather: what befalls them is the test's own story."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable
from random import Random
from typing import Any

from shike.bounds import LEASE_SECONDS
from shike.engine import Engine, Roles
from shike.runtime import Runtime
from shike.scheduler.preset import PRESETS, Preset
from shike.store.memory import MemoryStore
from shike.worker.claims import QueueShare
from tests.sim.clocks import EPOCHS, SkewedClock
from tests.sim.cluster import beliefs, read
from tests.sim.effects import Effects
from tests.sim.faults import FaultyStore, Weather
from tests.sim.fleet import quiet
from tests.sim.handlers import Handlers
from tests.sim.loop import Process, SimLoop, simulate
from tests.sim.machines import Machine, Main
from tests.sim.rumours import Rumours
from tests.sim.watch import Watch
from tests.sim.workload import QUEUES, insist

BELIEF_SECONDS = 0.05
PRECISE = PRESETS["precise"]


class Yard:
    """Nodes n0, n1, … and a worker. The only fault of the network is `weather.store_delay_seconds`."""

    def __init__(self, nodes: int, *, seed: int = 1, preset: Preset = PRECISE, slots: int = 50) -> None:
        dice = Random(f"yard/{seed}")
        self.loop = SimLoop(Random(dice.getrandbits(64)))
        self.weather = Weather()
        self.weather.slow_call = self.weather.lost_answer = self.weather.refused = 0.0
        self.weather.doubled = self.weather.late_commit = 0.0
        self.rumours = Rumours(self.loop)
        self.clock = SkewedClock(self.loop.time, EPOCHS[0])
        self.store = MemoryStore(self.clock, virtual_buckets=preset.virtual_buckets)
        self.home = Process("store")
        self.watch = Watch(self.loop.time, self.clock.wall, lambda run: read(self.store, "find", run), LEASE_SECONDS)
        self.effects = Effects(self.watch.note)
        self._tasks = Handlers(self.effects, Random(1), self.loop.time, lambda process: None).definitions
        self._preset = preset
        self._slots = slots
        self._dice = dice
        self.nodes = [self._machine(f"n{n}", scheduler=True) for n in range(nodes)]
        self.worker = self._machine("w", scheduler=False)
        self._happenings: list[asyncio.Task[Any]] = []

    def _machine(self, name: str, *, scheduler: bool) -> Machine:
        dice = Random(self._dice.getrandbits(64))
        return Machine(name, self._main(scheduler=scheduler), self.loop, self._door, self.clock.epoch, dice)

    def _door(self, process: Process, dice: Random) -> FaultyStore:
        return FaultyStore(self.store, self.loop, self.home, process, self.weather, self.rumours, dice, self.watch.seen)

    def _main(self, *, scheduler: bool) -> Main:
        shares = tuple(QueueShare(name) for name in QUEUES)

        async def main(machine: Machine, store: Any, runtime: Runtime) -> None:
            roles = Roles(
                scheduler=scheduler, worker=not scheduler, slots=self._slots, queues=shares, name=machine.name,
                preset=self._preset,
            )  # fmt: skip
            engine = machine.engine = Engine(store, runtime, self._tasks, roles, pools={})
            await insist(engine.start)
            machine.farewell = lambda: engine.stop(5.0)

        return main

    def play(self, story: Callable[[Yard], Awaitable[None]]) -> None:
        """The story, with everybody up from its beginning; then nobody may have objected to anything."""

        async def whole() -> None:
            self.home.context.run(self.rumours.attend, self.store)
            for machine in (*self.nodes, self.worker):
                machine.boot()
            self.meanwhile(self._ask_who_owns())
            await story(self)

        with quiet():
            simulate(self.loop, whole)
        assert self.loop.complaints == []
        assert self.watch.violations == []

    def meanwhile(self, happening: Any) -> None:
        self._happenings.append(self.loop.create_task(happening))

    async def _ask_who_owns(self) -> None:
        while True:
            self.watch.believed(beliefs(self.nodes))
            await asyncio.sleep(BELIEF_SECONDS)

    # ------------------------------------------------------------ what a story asks

    def believed(self) -> Counter[str]:
        """How many virtual buckets each node would plan for at this instant."""
        found = beliefs(self.nodes)
        return Counter({name: sum(one.high - one.low + 1 for one in buckets) for name, buckets in found.items()})

    def buckets(self) -> Counter[str]:
        """How many buckets each node would plan for at this instant."""
        return Counter({name: len(buckets) for name, buckets in beliefs(self.nodes).items()})

    async def until(self, holds: Callable[[], bool], seconds_max: float) -> float:
        """Wait for something; how long it took."""
        began = self.loop.time()
        while not holds():
            assert self.loop.time() - began < seconds_max, f"not within {seconds_max} s: {self.buckets()}"
            await asyncio.sleep(0.02)
        return self.loop.time() - began

    def is_whole(self) -> bool:
        """Whether every virtual bucket is looked after, evenly."""
        counts = [count for name, count in self.buckets().items() if self._is_up(name)]
        return self.believed().total() == self.store.virtual_buckets and max(counts) - min(counts) <= 1

    def _is_up(self, name: str) -> bool:
        return any(node.name == name and node.process is not None and node.store.cut is None for node in self.nodes)  # type: ignore[union-attr]  # a process has a store
