"""The words in which the contract is told: a store, a clock that stands still, and short ways to say things."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec

from shike.clock import MICROS, ManualClock
from shike.model import RECORD_VERSION, Attempt, Bucket, Ended, Live, Run, Schedule, Session, State
from shike.store.base import Store
from shike.store.guards import Entry
from shike.store.hints import Hint, HintKind
from shike.store.verbs import (
    Ack,
    Answer,
    Batch,
    Beat,
    BeatReply,
    Claim,
    Claimed,
    Division,
    Move,
    NewSession,
    Plan,
    PlannedMoment,
    Retention,
    Submitted,
    Want,
)
from tests.contract.stores import Maker
from tests.news import commits

LEASE_SECONDS = 10.0
TASK = "mail"
ALL_BANDS = tuple(range(8))


class World:
    """One store and those who use it."""

    def __init__(self, make: Maker, folder: Path) -> None:
        self.make = make
        self.folder = folder
        self.clock = ManualClock()
        self.store: Store
        self.last_id = 0
        self.numbers: dict[str, int] = {}
        self.dead: set[str] = set()
        self.heard: asyncio.Queue[Hint]

    async def open(self, **options: Any) -> None:
        self.store = self.make(self.folder, self.clock, **options)
        self.store.is_alive = lambda session: session not in self.dead  # type: ignore[method-assign]
        await self.store.open()

    async def close(self) -> None:
        await self.store.close()

    async def reopen(self, folder: str, **options: Any) -> None:
        """Another store, of other options, for the rest of the test."""
        await self.close()
        self.folder = self.folder / folder
        self.folder.mkdir()
        await self.open(**options)

    @property
    def now(self) -> int:
        return self.clock.wall()

    def after(self, seconds: float) -> int:
        """The instant so long from now."""
        return self.now + round(seconds * MICROS)

    # ------------------------------------------------------------ runs come in

    def run(self, *, bucket: int = 0, **fields: Any) -> Run:
        """A run that has not been submitted yet."""
        self.last_id += 1
        words: dict[str, Any] = {"id": self.last_id << 8 | bucket, "task": TASK} | fields
        return Run(version=RECORD_VERSION, **words)

    async def submit(self, *runs: Run | Entry, repeat: bool = False) -> list[Submitted]:
        entries = [run if isinstance(run, Entry) else Entry(run) for run in runs]
        return await self.store.submit(entries, repeat=repeat)

    async def add(self, **fields: Any) -> int:
        """Submit one run; its id."""
        (answer,) = await self.submit(self.run(**fields))
        return answer.run_id

    # ------------------------------------------------------------ sessions and leases

    async def session(self, identity: str = "worker", *, lease_seconds: float = LEASE_SECONDS) -> Session:
        return await self.store.open_session(
            NewSession(
                identity=identity,
                name=f"the {identity}",
                kind="worker",
                host="here",
                pid=1,
                lease_seconds=lease_seconds,
                protocol=1,
            )
        )

    async def claim(
        self,
        session: str = "worker",
        count: int = 10,
        *,
        queue: str = "default",
        number: int | None = None,
        wants: tuple[Want, ...] = (),
        tasks: Sequence[str] = (TASK,),
        **more: Any,
    ) -> Batch:
        """The session's next claim, or the one of this number again."""
        if number is None:
            number = self.numbers.get(session, 0) + 1
        self.numbers[session] = max(number, self.numbers.get(session, 0))
        wants = wants or (Want(queue, count, count),)
        return await self.store.claim(
            Claim(session=session, number=number, wants=wants, tasks=frozenset(tasks), **more)
        )

    async def granted(self, session: str = "worker", count: int = 10, **more: Any) -> list[int]:
        """The ids of a fresh claim."""
        return ids((await self.claim(session, count, **more)).runs)

    async def take(self, session: str = "worker", **more: Any) -> Claimed:
        """A claim that is expected to give exactly one run."""
        (claimed,) = (await self.claim(session, 1, **more)).runs
        return claimed

    async def started(self, session: str = "worker", **fields: Any) -> Claimed:
        """A run that was submitted and is leased to the session."""
        run_id = await self.add(**fields)
        claimed = await self.take(session, queue=fields.get("queue", "default"))
        assert claimed.run.id == run_id
        return claimed

    async def beat(self, session: str = "worker", number: int = 1, **fields: Any) -> BeatReply:
        words: dict[str, Any] = {"lease_seconds": LEASE_SECONDS, "received": 0, "holds": ()} | fields
        return await self.store.beat(Beat(session=session, number=number, **words))

    async def bury(self, session: str = "worker", reason: str = "killed") -> None:
        """The session's process dies, and it is closed; what it holds is not yet free."""
        self.dead.add(session)
        await self.miss(session, reason)

    async def miss(self, session: str = "worker", reason: str = "no beat") -> None:
        """The session's lease runs out and it is closed; its process lives."""
        self.clock.advance(LEASE_SECONDS + 1)
        (seen,) = [known.beat for known in await self.store.sessions() if known.id == session]
        assert await self.store.close_session(session, seen_beat=seen, reason=reason)

    async def crash(self, session: str = "worker") -> None:
        """The session dies, and what it held is rescued."""
        await self.bury(session)
        await self.rescue(session)

    async def lapse(self, session: str = "worker") -> None:
        """The session is missed, and what it held is rescued; its process lives."""
        await self.miss(session)
        await self.rescue(session)

    async def rescue(self, session: str) -> None:
        """What a closed session held goes back."""
        while (await self.store.free(session, 10)).left:
            pass

    async def own(self, session: str) -> list[Bucket]:
        """All buckets as they are become the session's, if they are free."""
        seen = await self.store.buckets()
        return await self.divide(session, seen, [(bucket.low, bucket.high) for bucket in seen])

    async def divide(
        self,
        session: str,
        old: Sequence[Bucket],
        new: Sequence[tuple[int, int]],
        *,
        owner: str | None = None,
        silent: tuple[tuple[str, int], ...] = (),
    ) -> list[Bucket]:
        """The session divides what it saw; for itself, unless an owner is named."""
        return await self.store.divide(
            Division(
                session=session,
                owner=session if owner is None else owner,
                old=tuple((bucket.low, bucket.epoch) for bucket in old),
                new=tuple(new),
                silent=silent,
            )
        )

    # ------------------------------------------------------------ runs go out

    async def settle(self, claimed: Claimed, state: State, session: str = "worker", **fields: Any) -> Answer:
        (answer,) = await self.store.settle(session, [ack(claimed, state, **fields)])
        return answer

    async def move(self, run_id: int, to: State, *, version: int = 0, **fields: Any) -> Answer:
        (answer,) = await self.store.move([Move(run_id=run_id, version=version, to=to, **fields)])
        return answer

    async def live(self, run_id: int) -> Live:
        found = await self.store.live(run_id)
        assert found is not None
        return found

    async def ended(self, run_id: int) -> Ended:
        found = await self.store.ended(run_id)
        assert found is not None
        return found

    # ------------------------------------------------------------ schedules

    async def schedule(self, name: str = "daily/report", *, expect: int | None = None, **fields: Any) -> Schedule:
        """Make or edit a schedule; as the store has it then."""
        fields = {"task": TASK, "trigger": b"every hour"} | fields
        schedule = Schedule(name=name, **fields)
        return (await self.store.put_schedule(schedule, expect=expect, plan_at=self.now)).schedule

    def moment(self, schedule: Schedule, seconds: float, *, ordinal: int = 1, **fields: Any) -> PlannedMoment:
        """A moment so long from now, and its run."""
        at = self.after(seconds)
        fields = {"due_at": at} | fields
        run = self.run(schedule=schedule.name, moment=at, ordinal=ordinal, schedule_version=schedule.version, **fields)
        return PlannedMoment(at, ordinal, run.due_at, Entry(run))

    async def plan(self, schedule: Schedule, *moments: PlannedMoment, **fields: Any) -> bool:
        """The next step of planning, from where the cursor is."""
        planned = await self.store.schedule(schedule.name)
        assert planned is not None
        (bucket, *_) = await self.store.buckets()
        last = moments[-1] if moments else None
        fields = {
            "cursor": planned.cursor,
            "plan_at_seen": planned.plan_at,
            "to": last.moment if last else planned.cursor,
            "ordinal": last.ordinal if last else planned.ordinal,
            "plan_at": planned.plan_at,
            "bucket": bucket.low,
            "epoch": bucket.epoch,
        } | fields
        return await self.store.plan(Plan(schedule=schedule.name, version=schedule.version, moments=moments, **fields))

    async def planned_run(self, schedule: Schedule, seconds: float, **fields: Any) -> int:
        """Plan one moment; the id of its run."""
        moment = self.moment(schedule, seconds, **fields)
        assert await self.plan(schedule, moment)
        return moment.entry.run.id

    # ------------------------------------------------------------ hints and retention

    def listen(self) -> None:
        """Note the hints from here on."""
        self.heard = asyncio.Queue()
        self.store.listen(commits(self.heard.put_nowait))

    async def hint(self, kind: HintKind) -> Hint:
        """The next hint of this kind; others are dropped on the way."""
        while True:
            hint = await asyncio.wait_for(self.heard.get(), 10)
            if hint.kind is kind:
                return hint

    async def purge(self, **fields: Any) -> int:
        fields = {
            "success_seconds": 1e9,
            "dead_seconds": 1e9,
            "receipt_seconds": 1e9,
            "session_seconds": 1e9,
            "rows_max": 1000,
        } | fields
        return await self.store.purge(Retention(**fields))


def ids(runs: Sequence[Claimed]) -> list[int]:
    return [claimed.run.id for claimed in runs]


def ack(claimed: Claimed, state: State, *, trace: bytes | None = None, **fields: Any) -> Ack:
    """An acknowledgement as a worker writes it: with the trace of an attempt, unless told otherwise."""
    return Ack(claimed.run.id, claimed.token, state, trace=packed(claimed, state) if trace is None else trace, **fields)


def decided(version: int, why: str = "why") -> bytes:
    """The note of a router, for a run that has this version by it."""
    return msgspec.msgpack.encode(Attempt(RECORD_VERSION, 1, -version, "worker", State.ASSIGNED, error=why))


def packed(claimed: Claimed, state: State) -> bytes:
    attempt = Attempt(RECORD_VERSION, claimed.attempt, claimed.token, "worker", state, worker="w1")
    return msgspec.msgpack.encode(attempt)
