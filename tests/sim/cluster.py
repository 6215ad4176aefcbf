"""A whole cluster for one seed: built, beaten, healed, drained and judged."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from random import Random
from typing import Any

from msgspec import Struct

from shike.bounds import LEASE_SECONDS
from shike.model import Bucket
from shike.store.memory import MemoryStore
from shike.track.approval import key_of
from tests.sim.chaos import Kind, Strike, script
from tests.sim.checker import STORE_STEP_SECONDS, World, duplicates, judge
from tests.sim.clocks import EPOCHS, SkewedClock
from tests.sim.effects import Effects
from tests.sim.faults import Cut, FaultyStore, Weather
from tests.sim.graphs import Agents
from tests.sim.handlers import Handlers
from tests.sim.loop import Process, SimLoop, simulate
from tests.sim.machines import Machine, Main
from tests.sim.roles import Breed, process
from tests.sim.rumours import Rumours
from tests.sim.tenants import Tenants
from tests.sim.watch import Watch
from tests.sim.workload import Clients, Operator, day_start, schedules

SLOTS = 8
LONG_SECONDS = 480.0  # of faults, in a long day …
SHORT_SECONDS = 90.0  # … and in one that fits into every check
DRAIN_SECONDS_MAX = 120.0  # without faults, until all is over; in a shorter day as long as there were faults
STRIKES_PER_SECOND = 50 / LONG_SECONDS
HOUR_SHARE = 0.2
ROUTED_EVERY, ROUTED_REST = 5, 3  # of so many worlds one has routes: seeds 3, 8, 13 …
BELIEF_SECONDS = 0.1
JUMP_SHARE = 0.25
GRAPHS_SHARE = 0.5  # of the worlds: graphs of work are made there
LIMITS_SHARE = 0.5  # and limited work is submitted
TELLS_SHARE = 0.5  # of the worlds: the store can tell whether a process lives, as a lock file does; else it never can
JUMP_SECONDS = 240.0  # longer than what is left of the story, so that a lease of the jump would be seen
AS_SHIPPED = Breed()
AMBUSHES = {0: frozenset({"claim", "plan"}), 1: frozenset({"settle", "free", "close_session", "divide"})}


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
        self.drain_seconds = min(chaos_seconds, DRAIN_SECONDS_MAX)
        self._until = until  # a promise: end the story as soon as it is seen broken
        self._dice = Random(f"shike/{seed}")
        self.loop = SimLoop(self._own_dice())
        self.weather = Weather()
        self.rumours = Rumours(self.loop)
        self.effects = Effects(lambda words: self.watch.note(words))
        self.store_clock = SkewedClock(self.loop.time, self._dice.choice(EPOCHS))
        self.store = breed.store(self.store_clock, virtual_buckets=self._dice.choice((1, 64)))
        self.store_process = Process("store")
        self.watch = Watch(self.loop.time, self.store_clock.wall, self._find, LEASE_SECONDS, self._is_gone)
        self.watch.trace = trace
        self._tells = Random(f"shike/tells/{seed}").random() < TELLS_SHARE
        self.store.is_alive = self._is_alive  # type: ignore[method-assign]
        self.store.is_gone = self._is_gone  # type: ignore[method-assign]
        routed = seed % ROUTED_EVERY == ROUTED_REST
        self.clients = Clients(self._own_dice(), chaos_seconds + self.drain_seconds / 2, routed=routed)
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
        self.agents = Agents(tasks, Random(f"shike/agents/{seed}"), chaos_seconds + self.drain_seconds / 3)
        if Random(f"shike/graphs/{seed}").random() < GRAPHS_SHARE:
            self.guests.append(self._machine("agent", self.agents.main, Random(f"shike/agent/{seed}")))
        self.tenants = Tenants(tasks, Random(f"shike/tenants/{seed}"), chaos_seconds + self.drain_seconds / 3)
        if Random(f"shike/limits/{seed}").random() < LIMITS_SHARE:
            self.guests.append(self._machine("tenants", self.tenants.main, Random(f"shike/tenant/{seed}")))
        self.watch.approved = lambda run_id: bool(read(self.store, "controls", key_of(run_id)))
        self.in_flight_max = (workers + both) * SLOTS
        self._happenings: list[asyncio.Task[None]] = []
        self._duplicates = 0

    def _own_dice(self) -> Random:
        """Each part of the world has dice of its own, so that a change in one leaves the others' throws alone."""
        return Random(self._dice.getrandbits(64))

    def _machine(self, name: str, main: Main, dice: Random | None = None) -> Machine:
        return Machine(name, main, self.loop, self._door, self.store_clock.epoch, dice or self._own_dice())

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
        self._later(self._ask_who_owns())
        self._lose_an_hour()
        self._jump_ahead()
        strikes = round(self.chaos_seconds * STRIKES_PER_SECOND)
        for strike in script(self._dice, len(self.crew), self.chaos_seconds, strikes):
            await asyncio.sleep(strike.at - self.loop.time())
            if self._until and any(line.startswith(self._until) for line in self.watch.violations):
                return
            self._strike(strike)
        await asyncio.sleep(self.chaos_seconds - self.loop.time())
        self._heal()
        healed_at = self.store_clock.wall()
        await asyncio.sleep(self.drain_seconds)
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

    def _jump_ahead(self) -> None:
        """In others it jumps ahead for as long as everybody needs to beat; then who works dies, and it is put right.
        Late enough, again, to leave the operator alone."""
        dice = Random(f"shike/jump/{self.seed}")
        if "lost hour" in self.weather.faults or dice.random() >= JUMP_SHARE:
            return
        begin = self.chaos_seconds * dice.uniform(0.84, 0.9)
        self.loop.call_at(begin, self.store_clock.step, JUMP_SECONDS)
        for machine in self.crew:
            if not machine.name.startswith("node"):
                self.loop.call_at(begin + 2.5, self._kill, machine, 1.0)
        self.loop.call_at(begin + 3.0, self.store_clock.step, -JUMP_SECONDS)
        self.weather.faults["jump ahead"] += 1

    def _later(self, happening: Any) -> None:
        self._happenings.append(self.loop.create_task(happening))

    async def _ask_who_owns(self) -> None:
        """Now and then: no two processes may believe that one bucket is theirs."""
        while True:
            await asyncio.sleep(BELIEF_SECONDS)
            self.watch.believed(beliefs(self.crew))

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

    # ------------------------------------------------------------ what the store can tell

    def _is_alive(self, session: str) -> bool:
        return self._tells and self._lives(session)

    def _is_gone(self, session: str) -> bool:
        return self._tells and session in self.watch.sessions and not self._lives(session)

    def _lives(self, session: str) -> bool:
        """Paused or cut off, it lives."""
        name = self.watch.sessions.get(session)
        machines = (*self.crew, *self.guests)
        return any(machine.process is not None and machine.process.name == name for machine in machines)

    # ------------------------------------------------------------ judgement

    def _find(self, run_id: int) -> Any:
        return read(self.store, "find", run_id)

    def _judge(self, healed_at: int) -> None:
        for complaint in self.loop.complaints:
            self.watch.object("P7", f"nobody handled: {complaint}")
        world = World(
            watch=self.watch,
            effects=self.effects,
            accepted=self.clients.accepted | self.agents.accepted | self.tenants.accepted,
            approved=self.agents.succeeded,
            expected=self.operator.expected(self.watch.edits),
            read=lambda verb, *args: read(self.store, verb, *args),
            now=self.store_clock.wall(),
            seconds=self.loop.time(),
            healed_seconds=self.chaos_seconds,
            healed_at=healed_at,
            faults=sum(self.weather.faults.values()),
            in_flight_max=self.in_flight_max,
            stepped_seconds=STORE_STEP_SECONDS + JUMP_SECONDS * ("jump ahead" in self.weather.faults),
        )
        judge(world)
        self._duplicates = duplicates(world)


def beliefs(crew: Sequence[Machine]) -> dict[str, list[Bucket]]:
    """What each node would plan for at this instant."""
    nodes = {machine.name: machine.engine.node for machine in crew if machine.engine is not None}
    return {name: node.buckets.in_hand() for name, node in nodes.items() if node is not None}


def read(store: MemoryStore, verb: str, *args: Any) -> Any:
    """One verb or read of the memory store, outside of all weather."""
    step = getattr(store, verb)(*args)
    try:
        step.send(None)
    except StopIteration as done:
        return done.value
    raise AssertionError(f"{verb} of the memory store suspended")
