"""Many at once on one server store: whatever they do to each other, nothing is lost, doubled or oversold."""

from __future__ import annotations

import asyncio
import random
import threading
from collections import Counter
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from shike.errors import Conflict, NotFound, SessionClosed, StaleEpoch
from shike.model import RECORD_VERSION, Run, Schedule, SessionState, State
from shike.store.base import Store
from shike.store.guards import Absent, Below, Entry, Insert, PlanNext
from shike.store.verbs import (
    Ack,
    Answer,
    Beat,
    Claim,
    Claimed,
    Division,
    Move,
    NewSession,
    Plan,
    PlannedMoment,
    Retention,
    Want,
)
from tests import bounded
from tests.contract.stores import STORES

SERVERS = sorted(set(STORES) - {"memory", "sqlite"})
WORKERS = 4  # threads, each with an event loop and a store of its own, as processes have them
TASKS_EACH = 3  # at the same time on one of these loops
STEPS = 60
CAP = 3
GATES = ("api", "disk")
NAMES = ("s/one", "s/two")
SECOND = 1_000_000


class Ledger:
    """What the store has said to anybody."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.accepted: set[int] = set()  # runs that were stored
        self.grants: Counter[tuple[int, int]] = Counter()  # (run, token)
        self.successes: Counter[int] = Counter()
        self.withdrawn = 0
        self.most_holders = 0
        self.errors: list[BaseException] = []


class Actor:
    """One who does anything, at random."""

    def __init__(self, store: Store, number: int, ledger: Ledger) -> None:
        self.store = store
        self.number = number
        self.ledger = ledger
        self.draw = random.Random(number)
        self.serial = 0
        self.lives = 0
        self.session = ""
        self.claims = 0
        self.beats = 0
        self.held: list[Claimed] = []

    def run(self, **fields: Any) -> Run:
        self.serial += 1
        return Run(RECORD_VERSION, (self.number << 40) + (self.serial << 8), "mail", **fields)

    async def join(self) -> None:
        self.lives += 1
        self.session, self.claims, self.beats, self.held = f"{self.number}-{self.lives}", 0, 0, []
        await self.store.open_session(
            NewSession(identity=self.session, name="n", kind="worker", host="h", pid=1, lease_seconds=60, protocol=1)
        )

    async def act(self) -> None:
        verbs: list[tuple[int, Callable[[], Awaitable[None]]]] = [
            (6, self.submit), (8, self.claim), (8, self.settle), (3, self.move), (2, self.beat), (1, self.die),
            (1, self.edit), (2, self.plan), (2, self.admit), (1, self.divide), (1, self.purge), (1, self.look),
        ]  # fmt: skip
        (verb,) = self.draw.choices([verb for _, verb in verbs], [weight for weight, _ in verbs])
        try:
            await verb()
        except (Conflict, NotFound, SessionClosed, StaleEpoch):
            if (await self.store.sessions(all=True)) and self.session not in await self.open_sessions():
                await self.join()

    async def open_sessions(self) -> set[str]:
        return {known.id for known in await self.store.sessions()}

    async def submit(self) -> None:
        entries = []
        for _ in range(self.draw.randint(1, 8)):
            kind = self.draw.randrange(6)
            guards = (Absent(f"k{self.draw.randrange(4)}", 0.05),) if kind == 0 else ()
            gate = self.draw.choice(GATES) if kind == 1 else ""
            entry = Entry(self.run(gate=gate, band=self.draw.choice((0, 3, 7))), guards=guards, delay_seconds=0.0)
            entries.append(entry)
        answers = await self.store.submit(entries)
        with self.ledger.lock:
            self.ledger.accepted |= {answer.run_id for answer in answers if answer.fresh}

    async def claim(self) -> None:
        self.claims += 1
        asked = Claim(
            session=self.session, number=self.claims, wants=(Want("default", self.draw.randint(1, 10), 5),),
            tasks=frozenset({"mail"}),
        )  # fmt: skip
        session = self.session
        batch = await self.store.claim(asked)
        again = await self.store.claim(asked) if batch.runs and self.draw.random() < 0.2 else batch
        with self.ledger.lock:
            for claimed in batch.runs:
                assert claimed.run_at <= batch.now
                self.ledger.grants[claimed.run.id, claimed.token] += 1
        if session == self.session:
            assert {one.run.id for one in again.runs} <= {one.run.id for one in batch.runs}
            self.held += batch.runs
        if not batch.runs:
            self.claims -= 1

    async def settle(self) -> None:
        """Twice at once, as a worker does: the runs of one lease in two flushes."""
        self.draw.shuffle(self.held)
        count = self.draw.randint(2, 8)
        mine, self.held = self.held[:count], self.held[count:]
        await asyncio.gather(self.report(mine[::2]), self.report(mine[1::2]))

    async def report(self, mine: list[Claimed]) -> None:
        acks = [self.ack(claimed) for claimed in mine]
        answers = await self.store.settle(self.session, acks)
        with self.ledger.lock:
            for ack, answer in zip(acks, answers, strict=True):
                if answer is not Answer.ACCEPTED:
                    continue
                self.ledger.successes[ack.run_id] += ack.state is State.SUCCESS
                for effect in ack.effects:
                    if isinstance(effect, Insert):
                        self.ledger.accepted.add(effect.entry.run.id)

    def ack(self, claimed: Claimed) -> Ack:
        run = claimed.run
        state = self.draw.choice((State.SUCCESS, State.SUCCESS, State.FAILED, State.SCHEDULED, State.DEAD))
        effects: tuple[Any, ...] = ()
        if run.schedule:
            following = self.run(schedule=run.schedule, ordinal=run.ordinal + 1)
            effects = (PlanNext(run.schedule, run.schedule_version, 0.001, Entry(following)),)
        elif self.draw.random() < 0.2:
            effects = (Insert(Entry(self.run(), delay_seconds=0.0)),)
        return Ack(run.id, claimed.token, state, 0.0, reason="why", trace=b"", effects=effects)

    async def move(self) -> None:
        with self.ledger.lock:
            known = sorted(self.ledger.accepted)
        if not known:
            return
        chosen = [self.draw.choice(known[-100:]) for _ in range(3)]
        to = self.draw.choice((State.SCHEDULED, State.CANCELLED))
        await self.store.move(
            [Move(run_id=run_id, version=0, to=to, band=self.draw.choice((None, 0))) for run_id in chosen]
        )

    async def admit(self) -> None:
        gate = self.draw.choice(GATES)
        waiting = await self.store.gate_waiters(gate, 3)
        await self.store.move(
            [
                Move(run_id=one.run_id, version=one.version, to=State.SCHEDULED, guards=(Below(gate, CAP),))
                for one in waiting
            ]
        )
        holders = len(await self.store.holders(gate))
        with self.ledger.lock:
            self.ledger.most_holders = max(self.ledger.most_holders, holders)

    async def beat(self) -> None:
        self.beats += 1
        forgotten = self.held[: len(self.held) // 4]
        tokens = {claimed.token for claimed in self.held} - {claimed.token for claimed in forgotten}
        self.held = [claimed for claimed in self.held if claimed.token in tokens]
        await self.store.beat(
            Beat(
                session=self.session, number=self.beats, lease_seconds=60, received=self.claims, holds=tuple(tokens),
                progress=tuple((claimed.run.id, claimed.token, b"half") for claimed in self.held[:2]),
            )
        )  # fmt: skip

    async def die(self) -> None:
        """While it still reports and claims: others take over what they find."""
        session = self.session
        ends = await asyncio.gather(self.settle(), self.claim(), self.bury(session), return_exceptions=True)
        for error in ends:
            if error is not None and not isinstance(error, (Conflict, SessionClosed)):
                raise error
        await self.bury(session)
        await self.join()

    async def bury(self, session: str) -> None:
        await self.store.close_session(session, seen_beat=None, reason="died")
        while (await self.store.free(session, 2)).left:
            pass

    async def edit(self) -> None:
        name = self.draw.choice(NAMES)
        if self.draw.random() < 0.3:
            await self.store.control_schedule(name, paused=self.draw.random() < 0.5, delete=self.draw.random() < 0.2)
        else:
            schedule = Schedule(name=name, task="mail", trigger=b"%d" % self.draw.randrange(1000))
            await self.store.put_schedule(schedule, expect=None, plan_at=0)

    async def plan(self) -> None:
        planned = await self.store.schedule(self.draw.choice(NAMES))
        if planned is None or planned.deleted:
            return
        (bucket, *_) = await self.store.buckets()
        now = await self.store.now()
        first = max(planned.cursor, now - SECOND) + 1
        moments = []
        for place in range(3):
            at = first + place * SECOND
            words = {
                "schedule": planned.schedule.name,
                "moment": at,
                "ordinal": planned.ordinal + place + 1,
                "due_at": at,
            }
            run = self.run(schedule_version=planned.schedule.version, **words)
            moments.append(PlannedMoment(at, run.ordinal, at, Entry(run)))
        wanted = Plan(
            schedule=planned.schedule.name, version=planned.schedule.version,
            cursor=planned.cursor, plan_at_seen=planned.plan_at,
            to=moments[-1].moment, ordinal=planned.ordinal + 3, plan_at=now, bucket=bucket.low, epoch=bucket.epoch,
            moments=tuple(moments),
        )  # fmt: skip
        if await self.store.plan(wanted):
            pass

    async def divide(self) -> None:
        seen = await self.store.buckets()
        await self.store.divide(
            Division(
                session=self.session, owner="", old=tuple((bucket.low, bucket.epoch) for bucket in seen),
                new=tuple((bucket.low, bucket.high) for bucket in seen),
            )
        )  # fmt: skip

    async def purge(self) -> None:
        await self.store.purge(
            Retention(success_seconds=1e9, dead_seconds=1e9, receipt_seconds=1e9, session_seconds=1e9, rows_max=100)
        )

    async def look(self) -> None:
        counts = await self.store.counts()
        assert counts.running >= 0 and counts.waiting >= 0


async def _drain(store: Store) -> None:
    """Admit, claim and settle until nothing is live."""
    for session in await store.sessions():
        await store.close_session(session.id, seen_beat=None, reason="over")
    for session in await store.sessions(all=True):
        assert session.state is SessionState.CLOSED
        while (await store.free(session.id, 100)).left:
            pass
    last = Actor(store, 99, Ledger())
    await last.join()
    for name in NAMES:
        try:
            await store.control_schedule(name, delete=True)
        except NotFound:
            pass
    while sum((await store.counts()).by_queue.values()):
        for gate in GATES:
            for one in await store.gate_waiters(gate, 100):
                await store.move([Move(run_id=one.run_id, version=0, to=State.SCHEDULED)])
        last.claims += 1
        wants = (Want("default", 1000, 1000),)
        batch = await store.claim(
            Claim(session=last.session, number=last.claims, wants=wants, tasks=frozenset({"mail"}))
        )
        last.claims -= not batch.runs
        await store.settle(last.session, [Ack(one.run.id, one.token, State.SUCCESS) for one in batch.runs])


def _live(make: Callable[[], Store], number: int, ledger: Ledger) -> None:
    """What one thread does."""

    async def work() -> None:
        store = make()
        await store.open()
        try:
            actors = [Actor(store, 1 + number * TASKS_EACH + place, ledger) for place in range(TASKS_EACH)]
            await asyncio.gather(*map(_act, actors))
        finally:
            await store.close()

    try:
        bounded.run(work(), bounded.CROWD_SECONDS)
    except BaseException as error:
        ledger.errors.append(error)


async def _act(actor: Actor) -> None:
    await actor.join()
    for _ in range(STEPS):
        await actor.act()


@pytest.mark.parametrize("kind", SERVERS)
def test_many_at_once_lose_double_and_oversell_nothing(kind: str, tmp_path: Path) -> None:
    ledger = Ledger()

    def make() -> Store:
        return STORES[kind](tmp_path, None)

    async def check() -> None:
        store = make()
        await store.open()
        await _drain(store)
        for run_id in ledger.accepted:
            ended = await store.ended(run_id)
            assert ended is not None, f"run {run_id} is lost"
            assert not ledger.successes[run_id] or ended.state is State.SUCCESS
        for gate in GATES:
            assert await store.holders(gate) == []
        counts = await store.counts()
        assert sum(counts.ended.values()) >= len(ledger.accepted)
        await store.close()

    async def made() -> None:
        store = make()
        await store.open()
        await store.close()

    bounded.run(made())
    threads = [threading.Thread(target=_live, args=(make, number, ledger)) for number in range(WORKERS)]
    for thread in threads:
        thread.start()
    bounded.joined(*threads, seconds=bounded.CROWD_SECONDS)
    if ledger.errors:
        raise ledger.errors[0]
    assert max(ledger.grants.values()) == 1, "a run was granted twice under one token"
    assert max(ledger.successes.values()) == 1
    assert ledger.most_holders <= CAP
    bounded.run(check(), bounded.CROWD_SECONDS)
