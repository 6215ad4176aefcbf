"""Gangs in the simulated world: more of them than there are slots for, on workers that die, pause and come back.

Judged from outside: what handlers did, what stands in the store, and how long each worker has kept a slot empty.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from random import Random
from typing import Any
from unittest.mock import patch

from msgspec.structs import replace

from shike.bounds import LEASE_SECONDS
from shike.call import Task
from shike.client import Client
from shike.errors import StoreError
from shike.graph import Graph
from shike.model import TERMINAL, Gang
from shike.runtime import Runtime
from shike.store.codec import Plain
from shike.store.verbs import Batch, Claim
from shike.task import Definition
from shike.track import gang as rules
from shike.track.gang import Muster
from shike.worker import gangs as keeping
from shike.worker.context import current
from tests.sim.cluster import read
from tests.sim.fleet import quiet
from tests.sim.loop import simulate
from tests.sim.machines import Machine, Main
from tests.sim.roles import Breed, process
from tests.sim.workload import insist
from tests.sim.yard import Yard

WORKERS, SLOTS = 3, 2
GANGS = 6
CHAOS_SECONDS, DRAIN_SECONDS = 60.0, 240.0
KILLS = 5
LOOK_SECONDS = 0.1
SLACK_SECONDS = 2.0  # two looks at a row and a slow store, in fair weather
TOGETHER_SECONDS = LEASE_SECONDS + 10.0  # who had a slot for its gang and died with it began so long before at most


class Wish(Gang, frozen=True):
    """A gang that was submitted."""

    members: tuple[int, ...] = ()


class GangYard(Yard):
    """One node, three workers of two slots, and a client that asks for six gangs of up to six."""

    def __init__(self, seed: int) -> None:
        super().__init__(1, seed=seed, slots=SLOTS)
        self.draw = Random(f"gangs/{seed}")
        self.wishes: list[Wish] = []
        self.begun: dict[int, list[float]] = {}  # by run, each beginning
        self.violations: list[str] = []
        self._granted: dict[int, list[float]] = {}  # by run: when a worker was given it
        grant = self.store.claim

        async def claim(asked: Claim) -> Batch:
            batch = await grant(asked)
            for one in batch.runs:
                self._granted.setdefault(one.run.id, []).append(self.loop.time())
            return batch

        self.store.claim = claim  # type: ignore[method-assign]
        self._kept_since: dict[tuple[str, int, int], float] = {}
        self._tasks["member"] = Definition("member", self._member)
        self.workers = [self.worker, *(self._machine(f"w{n}", scheduler=False) for n in range(1, WORKERS))]
        self.client = Machine("client", self._ask, self.loop, self._door, self.clock.epoch, Random(f"client/{seed}"))

    def _main(self, *, scheduler: bool) -> Main:
        """With an engine of its own for each try to start: here the store does not always answer."""
        return process(Breed(), self._tasks, SLOTS, scheduler=scheduler, worker=not scheduler)

    async def _member(self) -> None:
        self.begun.setdefault(current().run.id, []).append(self.loop.time())
        self._judge_beginning(current().run.id)
        await asyncio.sleep(self.draw.uniform(0.5, 3.0))

    async def _ask(self, machine: Machine, store: Any, runtime: Runtime) -> None:
        client = Client(lambda: store, runtime, Plain())
        await insist(client.settle_here)
        task: Task[..., Any] = Task(client, self._tasks["member"], self._member)
        for _ in range(GANGS):
            graph = Graph(client)
            delays = [self.draw.uniform(0.0, 3.0) for _ in range(self.draw.randint(3, 6))]
            members = [graph.add(task.in_(delay).bind()) for delay in delays]
            least = len(members) if self.draw.random() < 0.7 else self.draw.randint(2, len(members))
            timeout = self.draw.uniform(3.0, 8.0)
            graph.gang(*members, least=least, timeout=timeout)
            try:
                await graph.submit()
            except StoreError:
                continue  # nobody knows
            ids = tuple([int(member.handle.id) for member in members])
            self.wishes.append(Wish("", len(ids), least, timeout, ids))
            await asyncio.sleep(self.draw.uniform(0.0, 2.0))

    # ------------------------------------------------------------ judgement

    def _judge_beginning(self, run_id: int) -> None:
        """Nobody is the first of its gang to begin unless as many as are needed have a slot, or had one just now."""
        wish = next((one for one in self.wishes if run_id in one.members), None)
        if (
            wish is None
            or len(self.begun[run_id]) > 1
            or any(one in self.begun for one in wish.members if one != run_id)
        ):
            return
        since = self.loop.time() - wish.timeout_seconds - TOGETHER_SECONDS
        placed = sum(any(at >= since for at in self._granted.get(one, ())) for one in wish.members)
        if placed < wish.least:
            self.violations.append(
                f"run {run_id} began at {self.loop.time():.1f} s with {placed} of {wish.least} placed"
            )

    async def _look(self) -> None:
        """Who keeps which slot, and for how long."""
        while True:
            await asyncio.sleep(LOOK_SECONDS)
            now, kept = self.loop.time(), dict[tuple[str, int, int], float]()
            for machine in self.workers:
                worker = machine.engine.worker if machine.engine is not None else None
                for gang, runs in worker._gangs._kept.items() if worker is not None else ():
                    for run_id, one in runs.items():
                        place = machine.name, run_id, one.claimed.token
                        kept[place] = self._kept_since.get(place, now)
                        self._judge_keeping(gang, run_id, now - max(kept[place], CHAOS_SECONDS + LEASE_SECONDS))
            self._kept_since = kept

    def _judge_keeping(self, gang: str, run_id: int, seconds: float) -> None:
        wish = next((one for one in self.wishes if run_id in one.members), None)
        if wish is not None and seconds > wish.timeout_seconds + SLACK_SECONDS:
            words = f"gang {gang}: a slot stands empty since {seconds:.1f} s, its time is {wish.timeout_seconds:.1f}"
            if words.split(":")[0] not in {line.split(":")[0] for line in self.violations}:
                self.violations.append(words)

    def _judge_ends(self) -> None:
        for wish in self.wishes:
            rows = [read(self.store, "find", run_id) for run_id in wish.members]
            left = [row for row in rows if row.state not in TERMINAL]
            if left:
                self.violations.append(f"of a gang of {wish.size} there are {len(left)} that never ended")

    # ------------------------------------------------------------ the story

    def tell(self) -> list[str]:
        """The whole story of this seed; what was wrong."""

        async def story() -> None:
            self.home.context.run(self.rumours.attend, self.store)
            for machine in (*self.nodes, *self.workers, self.client):
                machine.boot()
            self.meanwhile(self._look())
            self.weather.slow_call = self.weather.lost_answer = self.weather.refused = 0.01
            for at in sorted(self.draw.uniform(2.0, CHAOS_SECONDS) for _ in range(KILLS)):
                await asyncio.sleep(at - self.loop.time())
                self._strike(self.draw.choice(self.workers))
            await asyncio.sleep(CHAOS_SECONDS - self.loop.time())
            self.weather.calm = True
            for machine in (*self.nodes, *self.workers):
                machine.mend()
            await asyncio.sleep(DRAIN_SECONDS)
            self._judge_ends()

        with quiet():
            simulate(self.loop, story)
        return [*self.violations, *self.loop.complaints, *self.watch.violations]

    def _strike(self, machine: Machine) -> None:
        if self.draw.random() < 0.3:
            self.meanwhile(machine.pause(self.draw.uniform(1.0, 20.0)))
            return
        machine.kill()
        self.loop.call_later(self.draw.uniform(0.5, 5.0), machine.boot, context=self.home.context)


# -------------------------------------------------------------------- planted bugs


def never_late(muster: Muster, gang: Gang, now: int) -> bool:
    """Slots are never given back: two gangs that each have a part of what they need wait for each other for ever."""
    return False


sound = rules.noted


def half_a_gang(muster: Muster, session: str, tokens: Any, now: int) -> Muster:
    """Whoever has a slot begins: the go is flipped without counting."""
    return replace(sound(muster, session, tokens, now), go=True)


PLANTED: dict[str, tuple[Any, str, Callable[..., Any]]] = {
    "never-late": (rules, "is_late", never_late),
    "half-a-gang": (rules, "noted", half_a_gang),
    "does-not-wait": (keeping, "_gang_of", lambda claimed: None),
}


def story_of(seed: int, planted: str = "") -> list[str]:
    if not planted:
        return GangYard(seed).tell()
    home, name, bug = PLANTED[planted]
    with patch.object(home, name, bug):
        return GangYard(seed).tell()
