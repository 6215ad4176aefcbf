"""What the simulated world asks of the cluster: clients that submit and sometimes cancel, and a set of schedules."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Iterator
from random import Random
from typing import Any

import msgspec

from shike.client import Client
from shike.errors import StoreError, StoreUnavailable
from shike.lanes import hall_of
from shike.model import (
    NEVER,
    RECORD_VERSION,
    Misfire,
    OnUnknown,
    Options,
    Overlap,
    Planned,
    Route,
    Run,
    Schedule,
)
from shike.route.registry import names
from shike.runtime import Runtime
from shike.store.codec import Plain
from shike.store.guards import Absent, Entry
from shike.trigger import Trigger, cron, encode, every
from tests.sim.checker import Expected, Span
from tests.sim.machines import Machine
from tests.sim.oracle import Calendar, Rate
from tests.sim.watch import MICROS

QUEUES = ("default", "mail")
TASKS = ("instant", "quick", "quick", "quick", "flaky", "slow", "later", "hopeless", "once")
ROUTED_SHARE = 0.6  # of the runs, in worlds where any are
PAUSE_SECONDS = 0.3
FOREVER = 1 << 62
FAIL_UNKNOWN = msgspec.json.encode(Options(on_unknown=OnUnknown.FAIL))


async def insist(verb: Any, *args: Any, **named: Any) -> Any:
    """Repeat a verb until it is answered, as every caller of a store has to."""
    while True:
        try:
            return await verb(*args, **named)
        except StoreError:
            await asyncio.sleep(PAUSE_SECONDS)


class Clients:
    """Submitters. `accepted` is what they were told is safe in the store: from then on it is the cluster's to do."""

    def __init__(self, draw: Random, until: float, *, routed: bool = False) -> None:
        self.accepted: dict[int, str] = {}
        self._routed = routed
        self._draw = draw
        self._until = until

    async def main(self, machine: Machine, store: Any, runtime: Runtime) -> None:
        """One client's life: submits until the end of the day, and now and then changes its mind."""
        client = Client(lambda: store, runtime, Plain())
        await insist(client.settle_here)
        loop = asyncio.get_running_loop()
        poison_at = self._draw.uniform(0.04, 0.7) * self._until
        while loop.time() < self._until:
            await asyncio.sleep(self._draw.expovariate(1 / 4.0))
            await self._submit(machine, client, self._draw.choice((1, 1, 2, 5)))
            if loop.time() > poison_at:
                poison_at = math.inf
                await self._submit(machine, client, 1, "poison")
            if self._draw.random() < 0.05 and self.accepted:
                await insist(client.cancel, self._draw.choice(list(self.accepted)), "changed my mind")

    async def _submit(self, machine: Machine, client: Client, count: int, task: str = "") -> None:
        """Only what the client was told counts as accepted; where it gave up, either may have happened."""
        entries = [self._entry(await insist(client.take_id, str(n)), task) for n in range(count)]
        try:
            answers = await client.deliver(entries)
        except StoreUnavailable:
            return
        for answer in answers:
            if answer.fresh:
                self.accepted[answer.run_id] = machine.name

    def _entry(self, run_id: int, task: str) -> Entry:
        draw = self._draw
        key = f"order-{draw.randrange(20)}" if draw.random() < 0.1 else ""
        delay = draw.choice((0.0, 0.0, draw.uniform(0.0, 3.0), draw.uniform(0.0, 40.0)))
        guards = (Absent(key=key, seconds=60.0),) if key else ()
        return Entry(self._run(run_id, task or draw.choice(TASKS), key), NEVER, delay, guards)

    def _run(self, run_id: int, task: str, key: str) -> Run:
        draw = self._draw
        args = msgspec.json.encode({"seconds": round(draw.uniform(1.0, 15.0), 3)}) if task == "slow" else b"{}"
        run = Run(
            version=RECORD_VERSION,
            id=run_id,
            task=task,
            args=args,
            queue=draw.choice(QUEUES),
            band=draw.randrange(1, 6),
            key=key,
            options=FAIL_UNKNOWN if task == "once" else b"",
        )
        return routed(run) if self._routed and not run.options else run


def routed(run: Run) -> Run:
    """As it is, or with one of the routes: which, its id says, so that nobody's dice are thrown for it."""
    draw = Random(f"route/{run.id}")
    if draw.random() > ROUTED_SHARE:
        return run
    route = Route(by=draw.choice(names()[1:]), affinity=draw.choice(("", "", "", "user:1")))
    return msgspec.structs.replace(run, queue=hall_of(run.queue), options=msgspec.json.encode(Options(route=route)))


class Wish(msgspec.Struct, frozen=True):
    """One schedule of the simulated world, and what the oracle thinks of it (None: it cannot be foreseen)."""

    schedule: Schedule
    what: Rate | Calendar | None
    cap: int = 0


def schedules(start: int) -> list[Wish]:
    """One of each kind. Anchored, so that the oracle needs no knowledge of when they were made; some an hour ago."""
    ago = start - 3600 * MICROS

    def wish(name: str, task: str, trigger: Trigger, what: Rate | Calendar | None, cap: int = 0, **more: Any) -> Wish:
        made = {"start_at": start, "args": b"{}", **more}
        bound = encode(trigger.bound(made["start_at"], name))  # type: ignore[arg-type]
        return Wish(Schedule(name=name, task=task, trigger=bound, **made), what, cap)

    def rate(seconds: float, anchor: int = start) -> Rate:
        return Rate(seconds, anchor)

    slow = msgspec.json.encode({"seconds": 12.0})
    follow = msgspec.json.encode(Options(repeat_seconds=3.0))
    return [
        wish("five", "quick", every(5), rate(5), misfire=Misfire.ALL),
        wish("flaky", "flaky", every(15), rate(15), queue="mail"),
        wish("brittle", "quick", every(10), rate(10), misfire=Misfire.SKIP, misfire_grace_seconds=15.0),
        wish("window", "quick", every(9), rate(9), misfire=Misfire.WITHIN, misfire_window_seconds=30.0),
        wish("minute", "quick", cron("* * * * *"), Calendar("* * * * *")),
        wish("berlin", "instant", cron("*/2 * * * *", tz="Europe/Berlin"), Calendar("*/2 * * * *", "Europe/Berlin")),
        wish("skip", "slow", every(11), rate(11), 1, args=slow, overlap=Overlap.SKIP, misfire=Misfire.ALL),
        wish("queue-one", "slow", every(13), rate(13), 1, args=slow, overlap=Overlap.QUEUE_ONE, misfire=Misfire.ALL),
        wish("two", "slow", every(8), rate(8), 2, args=slow, overlap=Overlap.SKIP, overlap_max=2, misfire=Misfire.ALL),
        wish("replace", "slow", every(14), rate(14), 1, args=slow, overlap=Overlap.REPLACE, misfire=Misfire.ALL),
        wish("cancel", "slow", every(9), rate(9), 1, args=slow, overlap=Overlap.CANCEL_PREVIOUS, misfire=Misfire.ALL),
        wish("delay", "quick", every(3, delay=True), None, after_end=True, options=follow, misfire=Misfire.ALL),
        wish("old-skip", "instant", every(20), rate(20, ago), start_at=ago, misfire=Misfire.SKIP),
        wish("old-once", "instant", every(25), rate(25, ago), start_at=ago, misfire=Misfire.ONCE),
        wish("old-all", "quick", every(50), rate(50, ago), start_at=ago, misfire=Misfire.ALL),
        wish("edited", "instant", every(10), rate(10), misfire=Misfire.ALL),
        wish("paused", "instant", every(2), rate(2), misfire=Misfire.ALL),
    ]  # fmt: skip


EDIT_SECONDS = 4  # what "edited" becomes


class Operator:
    """Who makes the schedules, edits one, and pauses one for longer than it was planned ahead."""

    def __init__(self, wishes: list[Wish], draw: Random, pace: float) -> None:
        self._wishes = {wish.schedule.name: wish for wish in wishes}
        self._draw = draw
        self._pace = pace  # 1.0 in a long day

    async def main(self, machine: Machine, store: Any, runtime: Runtime) -> None:
        for wish in self._wishes.values():
            await insist(store.put_schedule, wish.schedule, expect=None, plan_at=wish.schedule.start_at)
        await asyncio.sleep(self._pace * self._draw.uniform(20.0, 80.0))
        await insist(store.control_schedule, "paused", paused=True, reason="for a while")
        await asyncio.sleep(self._pace * self._draw.uniform(0.0, 60.0))
        await insist(store.put_schedule, self._edited(), expect=None, plan_at=self._edited().start_at)
        await asyncio.sleep(self._pace * self._draw.uniform(60.0, 240.0))
        await insist(store.control_schedule, "paused", paused=False)

    def _edited(self) -> Schedule:
        old = self._wishes["edited"].schedule
        trigger = every(EDIT_SECONDS).bound(old.start_at, old.name)
        return msgspec.structs.replace(old, trigger=encode(trigger))

    def expected(self, edits: dict[str, list[tuple[int, Planned]]]) -> list[Expected]:
        """For the oracle: the life of each schedule, cut where it was edited, paused or resumed."""
        return [Expected(name, tuple(self._spans(wish, edits[name]))) for name, wish in self._wishes.items()]

    def _spans(self, wish: Wish, edits: list[tuple[int, Planned]]) -> Iterator[Span]:
        if wish.what is None:
            return
        if edits[-1][1].schedule.version > 1 and edits[-1][1].cursor == NEVER:
            edits = edits[-1:]  # edited before anything was planned: the old version has no moments
        ends = [wall + 1 for wall, _ in edits[1:]]  # what was due at that very instant stood
        starts = [wish.schedule.start_at, *ends]
        for start, end, (_, planned) in zip(starts, [*ends, FOREVER], edits, strict=True):
            edited = planned.schedule.version > 1
            what = Rate(EDIT_SECONDS, wish.schedule.start_at) if edited else wish.what
            yield Span(start, end, what, not planned.paused)


def day_start(wall: int) -> int:
    """The anchor of all schedules: a round second soon after the world begins."""
    return wall + 2 * MICROS
