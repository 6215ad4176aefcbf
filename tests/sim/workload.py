"""What the simulated world asks of the cluster: clients that submit and sometimes cancel, and a set of schedules."""

from __future__ import annotations

import asyncio
from random import Random
from typing import Any

import msgspec

from shike.errors import StoreError
from shike.ids import RunIds
from shike.model import (
    NEVER,
    PROTOCOL_VERSION,
    RECORD_VERSION,
    Misfire,
    OnUnknown,
    Options,
    Overlap,
    Run,
    Schedule,
    State,
)
from shike.runtime import Runtime
from shike.store.base import Absent, Entry, Move, NewSession
from shike.trigger import Trigger, cron, encode, every
from tests.sim.checker import Expected
from tests.sim.machines import Machine
from tests.sim.oracle import Calendar, Rate
from tests.sim.watch import MICROS

QUEUES = ("default", "mail")
TASKS = ("instant", "quick", "quick", "quick", "flaky", "slow", "later", "hopeless", "once")
PAUSE_SECONDS = 0.3
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

    def __init__(self, draw: Random, until: float) -> None:
        self.accepted: dict[int, str] = {}
        self._draw = draw
        self._until = until

    async def main(self, machine: Machine, store: Any, runtime: Runtime) -> None:
        """One client's life: joins without a lease, then submits until the end of the day."""
        identity = runtime.entropy.token_hex(16)
        new = NewSession(
            identity=identity,
            name=machine.name,
            kind="client",
            host="",
            pid=0,
            lease_seconds=0,
            protocol=PROTOCOL_VERSION,
        )
        session = await insist(store.open_session, new)
        ids = RunIds(session.number)
        loop = asyncio.get_running_loop()
        while loop.time() < self._until:
            await asyncio.sleep(self._draw.expovariate(1 / 4.0))
            await self._submit(machine, store, [self._entry(ids) for _ in range(self._draw.choice((1, 1, 2, 5)))])
            if self._draw.random() < 0.05 and self.accepted:
                victim = self._draw.choice(list(self.accepted))
                await insist(store.move, [Move(run_id=victim, version=0, to=State.CANCELLED, reason="changed my mind")])

    async def _submit(self, machine: Machine, store: Any, entries: list[Entry]) -> None:
        try:
            answers = await store.submit(entries)
        except StoreError:
            await asyncio.sleep(PAUSE_SECONDS)
            answers = await insist(store.submit, entries, repeat=True)
        for answer in answers:
            if answer.fresh:
                self.accepted[answer.run_id] = machine.name

    def _entry(self, ids: RunIds) -> Entry:
        draw = self._draw
        task = draw.choice(TASKS)
        key = f"order-{draw.randrange(20)}" if draw.random() < 0.1 else ""
        args = msgspec.json.encode({"seconds": round(draw.uniform(1.0, 15.0), 3)}) if task == "slow" else b"{}"
        run = Run(
            version=RECORD_VERSION, id=ids.next(0), task=task, args=args, queue=draw.choice(QUEUES),
            band=draw.randrange(1, 6), key=key, options=FAIL_UNKNOWN if task == "once" else b"",
        )  # fmt: skip
        delay = draw.choice((0.0, 0.0, draw.uniform(0.0, 3.0), draw.uniform(0.0, 40.0)))
        guards = (Absent(key=key, seconds=60.0),) if key else ()
        return Entry(run, NEVER, delay, guards)


class Wish(msgspec.Struct, frozen=True):
    """One schedule of the simulated world, and what the oracle thinks of it (None: it cannot be foreseen)."""

    schedule: Schedule
    what: Rate | Calendar | None
    cap: int = 0


def schedules(start: int) -> list[Wish]:
    """One of each kind. All are anchored at `start`, so that the oracle needs no knowledge of when they were made."""

    def plan(name: str, task: str, trigger: Trigger, what: Rate | Calendar | None, cap: int = 0, **more: Any) -> Wish:
        bound = encode(trigger.bound(start, name))  # type: ignore[arg-type]
        return Wish(Schedule(name=name, task=task, trigger=bound, start_at=start, **more), what, cap)

    def rate(seconds: float) -> Rate:
        return Rate(seconds, start)

    slow = msgspec.json.encode({"seconds": 12.0})
    follow = msgspec.json.encode(Options(repeat_seconds=3.0))
    return [
        plan("five", "quick", every(5), rate(5), misfire=Misfire.ALL),
        plan("flaky", "flaky", every(7), rate(7), queue="mail"),
        plan("brittle", "quick", every(10), rate(10), misfire=Misfire.SKIP, misfire_grace_seconds=5.0),
        plan("window", "quick", every(9), rate(9), misfire=Misfire.WITHIN, misfire_window_seconds=30.0),
        plan("minute", "quick", cron("* * * * *"), Calendar("* * * * *")),
        plan("berlin", "instant", cron("*/2 * * * *", tz="Europe/Berlin"), Calendar("*/2 * * * *", "Europe/Berlin")),
        plan("skip", "slow", every(11), rate(11), 1, args=slow, overlap=Overlap.SKIP, misfire=Misfire.ALL),
        plan("queue-one", "slow", every(13), rate(13), 1, args=slow, overlap=Overlap.QUEUE_ONE, misfire=Misfire.ALL),
        plan("two", "slow", every(8), rate(8), 2, args=slow, overlap=Overlap.SKIP, overlap_max=2, misfire=Misfire.ALL),
        plan("delay", "quick", every(3, delay=True), None, after_end=True, options=follow, misfire=Misfire.ALL),
    ]  # fmt: skip


class Operator:
    """Who makes the schedules, once, at the beginning."""

    def __init__(self, plans: list[Wish]) -> None:
        self._plans = plans

    async def main(self, machine: Machine, store: Any, runtime: Runtime) -> None:
        for plan in self._plans:
            await insist(store.put_schedule, plan.schedule, expect=None, plan_at=plan.schedule.start_at)

    def expected(self) -> list[Expected]:
        """For the oracle."""
        return [
            Expected(plan.schedule.name, plan.what, plan.schedule.start_at)
            for plan in self._plans
            if plan.what is not None
        ]


def day_start(wall: int) -> int:
    """The anchor of all schedules: a round second soon after the world begins."""
    return wall + 2 * MICROS
