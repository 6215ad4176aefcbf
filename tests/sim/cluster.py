"""A whole cluster for one seed: built, beaten, healed, drained and judged."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from random import Random
from typing import Any

from msgspec import Struct

from shike.bounds import LEASE_SECONDS
from shike.store.memory import MemoryStore
from tests.sim.chaos import Kind, Strike, script
from tests.sim.checker import World, duplicates, judge
from tests.sim.clocks import EPOCHS, SkewedClock
from tests.sim.effects import Effects
from tests.sim.faults import Cut, FaultyStore, Weather
from tests.sim.handlers import Handlers
from tests.sim.loop import Process, SimLoop, simulate
from tests.sim.machines import Machine, Main
from tests.sim.roles import Breed, process
from tests.sim.rumours import Rumours
from tests.sim.watch import Watch
from tests.sim.workload import Clients, Operator, day_start, schedules

SLOTS = 8
LONG_SECONDS = 480.0  # of faults, in a long day …
SHORT_SECONDS = 160.0  # … and in one that fits into every check
DRAIN_SECONDS = 120.0
STRIKES_PER_SECOND = 50 / LONG_SECONDS
HOUR_SHARE = 0.2
AS_SHIPPED = Breed()
AMBUSHES = {0: frozenset({"claim", "plan"}), 1: frozenset({"settle", "free", "close_session", "own"})}


class Report(Struct, frozen=True):
    """What one seed showed."""

    seed: int
    chaos_seconds: float
    violations: list[str]
    digest: str
    seconds: float  # simulated
    steps: int
    faults: dict[str, int]
    firings: int
    duplicates: int
    grants: int
    rescues: int
    refused_acks: int


class Cluster:
    """Nodes, workers, a process that is both, two clients and an operator; and what befalls them."""

    def __init__(
        self,
        seed: int,
        breed: Breed = AS_SHIPPED,
        *,
        chaos_seconds: float = LONG_SECONDS,
        trace: Callable[[str], None] | None = None,
        until: str = "",
    ) -> None:
        self.seed = seed
        self.breed = breed
        self.chaos_seconds = chaos_seconds
        self._until = until  # a promise: end the story as soon as it is seen broken
        self._dice = Random(f"shike/{seed}")
        self.loop = SimLoop(self._own_dice())
        self.weather = Weather()
        self.rumours = Rumours(self.loop)
        self.effects = Effects(lambda words: self.watch.note(words))
        self.store_clock = SkewedClock(self.loop.time, self._dice.choice(EPOCHS))
        self.store = breed.store(self.store_clock, virtual_buckets=self._dice.choice((1, 64)))
        self.store_process = Process("store")
        self.watch = Watch(self.loop.time, self.store_clock.wall, self._find, LEASE_SECONDS)
        self.watch.trace = trace
        self.clients = Clients(self._own_dice(), chaos_seconds + DRAIN_SECONDS / 2)
        plans = schedules(day_start(self.store_clock.epoch))
        self.operator = Operator(plans, self._own_dice(), chaos_seconds / LONG_SECONDS)
        self.watch.caps = {plan.schedule.name: plan.cap for plan in plans if plan.cap}
        tasks = Handlers(self.effects, self._own_dice(), self.loop.time, self._take_down).definitions
        nodes, workers, both = self._dice.choice((1, 2, 2)), self._dice.choice((2, 3)), 1
        crew = [(f"node-{n}", process(breed, tasks, SLOTS, scheduler=True, worker=False)) for n in range(nodes)]
        crew += [(f"worker-{n}", process(breed, tasks, SLOTS, scheduler=False, worker=True)) for n in range(workers)]
        crew += [(f"all-{n}", process(breed, tasks, SLOTS, scheduler=True, worker=True)) for n in range(both)]
        self.crew = [self._machine(name, main) for name, main in crew]
        self.guests = [self._machine(f"client-{n}", self.clients.main) for n in range(2)]
        self.guests.append(self._machine("operator", self.operator.main))
        self.in_flight_max = (workers + both) * SLOTS
        self._happenings: list[asyncio.Task[None]] = []
        self._duplicates = 0

    def _own_dice(self) -> Random:
        """Each part of the world has dice of its own, so that a change in one leaves the others' throws alone."""
        return Random(self._dice.getrandbits(64))

    def _machine(self, name: str, main: Main) -> Machine:
        return Machine(name, main, self.loop, self._door, self.store_clock.epoch, self._own_dice())

    def _door(self, process: Process, dice: Random) -> FaultyStore:
        return FaultyStore(
            self.store, self.loop, self.store_process, process, self.weather, self.rumours, dice, self.watch.seen
        )

    def run(self) -> Report:
        """The whole story of this seed."""
        simulate(self.loop, self._story)
        return Report(
            self.seed,
            self.chaos_seconds,
            self.watch.violations,
            self.watch.digest(),
            self.loop.time(),
            self.loop.steps,
            dict(sorted(self.weather.faults.items())),
            self.effects.count,
            self._duplicates,
            self.watch.grants,
            self.watch.rescues,
            self.watch.refused_acks,
        )

    async def _story(self) -> None:
        self.store_process.context.run(self.rumours.attend, self.store)
        for machine in (*self.crew, *self.guests):
            machine.boot()
        self._lose_an_hour()
        strikes = round(self.chaos_seconds * STRIKES_PER_SECOND)
        for strike in script(self._dice, len(self.crew), self.chaos_seconds, strikes):
            await asyncio.sleep(strike.at - self.loop.time())
            if self._until and any(line.startswith(self._until) for line in self.watch.violations):
                return
            self._strike(strike)
        await asyncio.sleep(self.chaos_seconds - self.loop.time())
        self._heal()
        healed_at = self.store_clock.wall()
        await asyncio.sleep(DRAIN_SECONDS)
        self._judge(healed_at)

    # ------------------------------------------------------------ faults

    def _strike(self, strike: Strike) -> None:
        machine = self.crew[strike.target]
        match strike.kind:
            case Kind.KILL:
                self._at(strike, machine, lambda: self._kill(machine, strike.seconds))
            case Kind.RESTART:
                machine.restart()
            case Kind.PAUSE:
                self._at(strike, machine, lambda: self._later(machine.pause(strike.seconds)))
            case Kind.PARTITION:
                self._later(machine.cut_off([*Cut][int(strike.flavour * len(Cut))], strike.seconds))
            case Kind.OUTAGE:
                for each in self.crew:
                    self._later(each.cut_off(Cut.REFUSED, strike.seconds))
            case Kind.SKEW:
                machine.clock.skew_seconds = strike.seconds
            case Kind.SLOW_STORE:
                self.weather.store_delay_seconds = 4.0 * strike.flavour
                self.loop.call_later(strike.seconds, self._quicken)
            case Kind.STORE_STEP:
                self.store_clock.step(strike.seconds)
        if strike.kind not in (Kind.KILL, Kind.PAUSE):
            self._struck(strike, machine)

    def _at(self, strike: Strike, machine: Machine, blow: Callable[[], None]) -> None:
        """At once; or in the worst instant: the store has done what was asked, and its answer is on the way."""

        def land() -> None:
            self._struck(strike, machine)
            blow()

        verbs = AMBUSHES.get(int(strike.flavour * 4))
        if verbs and machine.store is not None:
            machine.store.ambush = (verbs, land)
        else:
            land()

    def _kill(self, machine: Machine, seconds: float) -> None:
        machine.kill()
        self.loop.call_later(seconds, machine.boot, context=self.store_process.context)  # not the dead one's

    def _take_down(self, process: Process) -> None:
        """A handler kills the process it runs in."""
        for machine in self.crew:
            if machine.process is process:
                self.weather.faults["poisoned"] += 1
                self.watch.note(f"{process.name} is killed by its handler")
                self._kill(machine, 1.0)

    def _struck(self, strike: Strike, machine: Machine) -> None:
        self.weather.faults[strike.kind.value] += 1
        self.watch.note(f"{strike.kind.value} {machine.name} {strike.seconds:.3f} flavour={strike.flavour:.3f}")

    def _lose_an_hour(self) -> None:
        """In some worlds the store's clock stands an hour back for a while: then, and again when it is put right, all
        leases and moments look wrong. Late enough to leave alone the operator's edits, whose instants are judged."""
        if self._dice.random() < HOUR_SHARE and self.chaos_seconds >= LONG_SECONDS:
            begin, end = self._dice.uniform(400.0, 430.0), self._dice.uniform(435.0, 470.0)
            for at, seconds in ((begin, -3600.0), (end, 3600.0)):
                self.loop.call_at(at, self.store_clock.step, seconds)
            self.weather.faults["lost hour"] += 1

    def _later(self, happening: Any) -> None:
        self._happenings.append(self.loop.create_task(happening))

    def _quicken(self) -> None:
        self.weather.store_delay_seconds = 0.0

    def _heal(self) -> None:
        """All faults are over: the network is whole, clocks are right, everybody is up."""
        self.watch.note("heal")
        self.weather.calm = self.rumours.calm = True
        self._quicken()
        for machine in self.crew:
            machine.clock.skew_seconds = self.store_clock.skew_seconds
            machine.mend()

    # ------------------------------------------------------------ judgement

    def _find(self, run_id: int) -> Any:
        return read(self.store, "find", run_id)

    def _judge(self, healed_at: int) -> None:
        for complaint in self.loop.complaints:
            self.watch.object("P7", f"nobody handled: {complaint}")
        world = World(
            watch=self.watch,
            effects=self.effects,
            accepted=self.clients.accepted,
            expected=self.operator.expected(self.watch.edits),
            read=lambda verb, *args: read(self.store, verb, *args),
            now=self.store_clock.wall(),
            seconds=self.loop.time(),
            healed_seconds=self.chaos_seconds,
            healed_at=healed_at,
            faults=sum(self.weather.faults.values()),
            in_flight_max=self.in_flight_max,
        )
        judge(world)
        self._duplicates = duplicates(world)


def read(store: MemoryStore, verb: str, *args: Any) -> Any:
    """One verb or read of the memory store, outside of all weather."""
    step = getattr(store, verb)(*args)
    try:
        step.send(None)
    except StopIteration as done:
        return done.value
    raise AssertionError(f"{verb} of the memory store suspended")
