"""Processes that share ledgers, and people who buy from all of them at once, in virtual time: kills, pauses, slow
commits, lost answers. What was told is compared with the journal."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from random import Random
from typing import Any

from shike.errors import ClerkClosed, StoreError, StoreUnavailable
from shike.reserve import commands
from shike.reserve.clerk import Clerk
from shike.reserve.events import AnyEvent, Confirmed, Held
from shike.reserve.journal.base import Frame
from shike.reserve.journal.memory import MemoryJournal
from shike.reserve.journal.reading import events_of, verify
from shike.reserve.model import Line, Pool, Refusal, Sale, Unit
from shike.reserve.spread.bounds import PARTS
from shike.reserve.spread.owners import Owners
from shike.reserve.spread.post import MemoryPost
from shike.reserve.spread.spread import Spread
from shike.runtime import Runtime
from shike.store.memory import MemoryStore
from tests.sim.clocks import EPOCHS, SkewedClock
from tests.sim.faults import FaultyStore, Weather
from tests.sim.fleet import quiet
from tests.sim.loop import Process, SimLoop, simulate
from tests.sim.machines import Machine
from tests.sim.rumours import Rumours

LEDGERS = tuple(f"G{number}" for number in range(12))
SEGMENTS = 3
SEATS = tuple(Unit(f"s{number}") for number in range(8))
COMMIT_SECONDS = 0.05
LOST_ANSWER = 0.02  # of commits
AT = 1_800_000_000_000_000


class SlowJournal(MemoryJournal):
    """Commits take a while; of some nobody hears whether they were done."""

    def __init__(self, dice: Random) -> None:
        super().__init__()
        self._dice = dice

    async def append(self, frames: Sequence[Frame]) -> None:
        await asyncio.sleep(self._dice.uniform(0, COMMIT_SECONDS))
        await super().append(frames)
        if self._dice.random() < LOST_ANSWER:
            raise StoreUnavailable("the answer was lost")
        await asyncio.sleep(self._dice.uniform(0, COMMIT_SECONDS))


class UnfencedJournal(SlowJournal):
    """A planted bug: whoever writes last is right."""

    async def append(self, frames: Sequence[Frame]) -> None:
        await asyncio.sleep(self._dice.uniform(0, COMMIT_SECONDS))
        for frame in frames:
            known = self._frames.setdefault(frame.ledger, [])
            known[:] = [one for one in known if one.version < frame.version]
            known.append(frame)


class BelievingOwners(Owners):
    """A planted bug: what was once ours is ours for ever."""

    def has(self, part: int) -> bool:
        self.__dict__.setdefault("_believed", set()).update(self.parts())
        return part in self.__dict__["_believed"]


class Market:
    """Sellers m0, m1, …; each has a buyer who asks it for seats of all ledgers."""

    def __init__(
        self,
        sellers: int,
        *,
        seed: int,
        journal: type[SlowJournal] = SlowJournal,
        owners: type[Owners] = Owners,
    ) -> None:
        dice = Random(f"market/{seed}")
        self.loop = SimLoop(Random(dice.getrandbits(64)))
        self.weather = Weather()
        self.weather.slow_call = self.weather.lost_answer = self.weather.refused = 0.0
        self.weather.doubled = self.weather.late_commit = 0.0
        self.rumours = Rumours(self.loop)
        self.clock = SkewedClock(self.loop.time, EPOCHS[0])
        self.store = MemoryStore(self.clock, virtual_buckets=PARTS)
        self.home = Process("store")
        self.journal = journal(Random(dice.getrandbits(64)))
        self.post = MemoryPost()
        self.told: dict[str, dict[str, AnyEvent]] = {}
        self.longest = 0.0  # that anybody waited for an answer
        self.believed: dict[str, Owners] = {}
        self.stopped = False
        self._owners = owners
        self.dice = dice
        self.sellers = [self._machine(f"m{n}") for n in range(sellers)]

    def _machine(self, name: str) -> Machine:
        dice = Random(self.dice.getrandbits(64))
        return Machine(name, self._main, self.loop, self._door, self.clock.epoch, dice)

    def _door(self, process: Process, dice: Random) -> FaultyStore:
        return FaultyStore(self.store, self.loop, self.home, process, self.weather, self.rumours, dice, lambda *_: None)

    async def _main(self, machine: Machine, store: Any, runtime: Runtime) -> None:
        owners = self._owners(store, runtime, name=machine.name)
        while True:
            try:
                await owners.start()
                break
            except StoreError:
                await asyncio.sleep(0.1)
        self.believed[machine.name] = owners
        clerk = Clerk(self.journal)
        reply = f"{machine.name}.{machine.boots}"
        async with Spread(owners, clerk, self.journal, self.post, reply=reply) as spread:
            await self._buy(spread, reply, Random(reply))

    async def _buy(self, spread: Spread, name: str, dice: Random) -> None:
        number = 0
        while not self.stopped:
            await asyncio.sleep(dice.uniform(0.01, 0.2))
            number += 1
            ledger = dice.choice(LEDGERS)
            start = dice.randrange(SEGMENTS)
            hold = commands.Hold(
                f"{name}/{number}", AT, "seat", start, dice.randint(start + 1, SEGMENTS), ttl_seconds=9e5
            )
            held = await self._told(spread, ledger, hold)
            if isinstance(held, Held):
                if dice.random() < 0.5:
                    paid = await self._told(spread, ledger, commands.Confirm(f"{name}/{number}/pay", AT, held.order))
                    assert isinstance(paid, Confirmed), paid
                else:
                    await self._told(spread, ledger, commands.Release(f"{name}/{number}/free", AT, held.order))

    async def _told(self, spread: Spread, ledger: str, command: commands.AnyCommand) -> AnyEvent | Refusal:
        began = self.loop.time()
        while True:
            try:
                answer = await spread.ask(ledger, command)
            except (StoreUnavailable, ClerkClosed):
                continue
            self.longest = max(self.longest, self.loop.time() - began)
            if not isinstance(answer, Refusal):
                self.told.setdefault(ledger, {})[command.id] = answer
            return answer

    def play(self, story: Callable[[Market], Awaitable[None]], *, settle_seconds: float = 40.0) -> list[str]:
        """The story, then calm; what is wrong, a sentence each."""
        found: list[str] = []

        async def whole() -> None:
            self.home.context.run(self.rumours.attend, self.store)
            clerk = Clerk(self.journal)
            for ledger in LEDGERS:
                sale = commands.Open("open", AT, Line(tuple("ABCD")), (Pool("seat", SEATS),), sales=(Sale(opens_at=1),))
                while True:
                    try:
                        await clerk.do(ledger, sale)
                        break
                    except StoreUnavailable:
                        continue
            for machine in self.sellers:
                machine.boot()
            await story(self)
            for machine in self.sellers:
                machine.mend()
            await asyncio.sleep(settle_seconds)
            self.stopped = True
            await asyncio.sleep(settle_seconds)
            found.extend(await self._compared())

        with quiet():
            simulate(self.loop, whole)
        return [*found, *(str(one) for one in self.loop.complaints)]

    async def _compared(self) -> list[str]:
        found = []
        for ledger in LEDGERS:
            verdict = await verify(self.journal, ledger)
            found += [f"{ledger}: {words}" for words in verdict.problems]
            kept: dict[str, AnyEvent] = {}
            if verdict.clean:
                async for _, event in events_of(self.journal, ledger):
                    kept[event.command] = event
                for command, event in self.told.get(ledger, {}).items():
                    if kept.get(command) != event:
                        found.append(f"{ledger}: {command} was told, and is not in the journal")
        return found

    def owned(self) -> int:
        """So many parts somebody living believes to be theirs."""
        living = {machine.name for machine in self.sellers if machine.up}
        return sum(len(owners.parts()) for name, owners in self.believed.items() if name in living)

    async def until(self, holds: Callable[[], bool], seconds_max: float) -> float:
        """Wait for something in virtual time; how long it took."""
        began = self.loop.time()
        while not holds():
            assert self.loop.time() - began < seconds_max, f"not within {seconds_max} s"
            await asyncio.sleep(0.02)
        return self.loop.time() - began
