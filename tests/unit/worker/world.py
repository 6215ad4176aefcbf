"""A worker on a store in memory, in virtual time: no sleeps, no threads, every instant known."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from random import Random
from typing import Any, TypeVar

import msgspec

from shike.errors import StoreUnavailable
from shike.ids import RunIds
from shike.model import RECORD_VERSION, Attempt, Ended, Executor, Live, Run, Session
from shike.session import Member
from shike.store.codec import Codec
from shike.store.guards import Entry
from shike.store.memory import MemoryStore
from shike.store.verbs import Ack, Answer, Batch, Beat, BeatReply, Claim, NewSession, Want
from shike.task import Definition
from shike.testing import VirtualLoop
from shike.testing.harness import START, LoopClock, VirtualRuntime
from shike.worker.claims import QueueShare
from shike.worker.executor import Pool
from shike.worker.worker import Worker

T = TypeVar("T")


class SeededEntropy:
    """The same numbers in every run of a test."""

    def __init__(self, seed: int = 7) -> None:
        self._draw = Random(seed)

    def token_hex(self, count: int) -> str:
        return self._draw.randbytes(count).hex()

    def random(self) -> float:
        return self._draw.random()


class WatchedStore(MemoryStore):
    """Writes down what it is asked, and can be told to fail."""

    def __init__(self, clock: LoopClock, **named: Any) -> None:
        super().__init__(clock, **named)
        self.claims: list[Claim] = []
        self.settled: list[list[Ack]] = []
        self.down = False
        self.deaf = False  # does as told, and the answer is lost
        self.slow_seconds = 0.0

    async def claim(self, claim: Claim) -> Batch:
        self.claims.append(claim)
        return await self._reach(partial(super().claim, claim))

    async def settle(self, session: str, acks: Sequence[Ack]) -> list[Answer]:
        self.settled.append(list(acks))
        return await self._reach(partial(super().settle, session, acks))

    async def beat(self, beat: Beat) -> BeatReply:
        return await self._reach(partial(super().beat, beat))

    async def open_session(self, new: NewSession) -> Session:
        return await self._reach(partial(super().open_session, new))

    async def close_session(self, session: str, *, seen_beat: int | None, reason: str) -> bool:
        return await self._reach(partial(super().close_session, session, seen_beat=seen_beat, reason=reason))

    async def _reach(self, verb: Callable[[], Awaitable[T]]) -> T:
        if self.slow_seconds:
            await asyncio.sleep(self.slow_seconds)
        if self.down:
            raise StoreUnavailable("the store is down")
        answer = await verb()
        if self.deaf:
            raise StoreUnavailable("the answer was lost")
        return answer


class World:
    """Everything a worker stands on. Use inside `run`."""

    def __init__(self, loop: VirtualLoop) -> None:
        self.loop = loop
        self.clock = LoopClock(loop, START)
        self.runtime = VirtualRuntime(self.clock, SeededEntropy())
        self.store = WatchedStore(self.clock)
        self.tasks: dict[str, Definition] = {}
        self.ids: RunIds | None = None
        self.dead: set[str] = set()
        self.store.is_gone = self.dead.__contains__  # type: ignore[method-assign,assignment]
        self.store.is_alive = lambda session: session not in self.dead  # type: ignore[method-assign]

    def task(self, handler: Callable[..., Any], **settings: Any) -> Callable[..., Any]:
        """Register a handler under its own name; `@world.task` or `world.task(f, timeout_seconds=1)`."""
        name = settings.pop("name", handler.__name__)
        self.tasks[name] = Definition(name, handler, **settings)
        return handler

    async def worker(
        self,
        slots: int = 4,
        *,
        queues: Sequence[str] = ("default",),
        pools: dict[Executor, Pool] | None = None,
        lease_seconds: float = 10.0,
        codec: Codec | None = None,
        **named: Any,
    ) -> tuple[Worker, Member]:
        """A worker at work, and its membership."""
        member = Member(self.store, self.runtime, kind="worker", name="w", lease_seconds=lease_seconds)
        await member.join()
        shares = [QueueShare.parse(queue) for queue in queues]
        worker = Worker(
            self.store, self.runtime, member, self.tasks, slots=slots, queues=shares, pools=pools or {},
            lease_seconds=lease_seconds, codec=codec, **named,
        )  # fmt: skip
        await worker.start()
        return worker, member

    async def submit(self, task: str, count: int = 1, *, args: bytes = b"{}", bucket: int = 0, **run: Any) -> list[int]:
        """Store runs that are due now, in one virtual bucket; their ids."""
        if self.ids is None:
            client = NewSession(
                identity="client", name="", kind="client", host="", pid=0, lease_seconds=0.0, protocol=1
            )
            self.ids = RunIds((await MemoryStore.open_session(self.store, client)).number)
        run.setdefault("due_at", self.clock.wall())
        runs = [Run(RECORD_VERSION, self.ids.next(bucket), task, args, **run) for _ in range(count)]
        await self.store.submit([Entry(run) for run in runs])
        return [run.id for run in runs]

    async def rescued(self, task: str, count: int = 1, **run: Any) -> list[int]:
        """Runs whose process died in the middle of them."""
        ids = await self.submit(task, count, **run)
        dead = Member(self.store, self.runtime, kind="worker", name="dead")
        session = await dead.join()
        want = QueueShare.parse(run.get("queue", "default")).name
        claim = Claim(session=session.id, number=1, wants=(Want(want, count, count),), tasks=frozenset([task]))
        granted = await MemoryStore.claim(self.store, claim)
        assert {one.run.id for one in granted.runs} == set(ids)
        await self.kill(dead)
        return ids

    async def kill(self, member: Member) -> None:
        """Its process dies, which the store can prove; what it held is given back."""
        assert member.session is not None and member._role is not None
        session, member.session = member.session, None
        await member._role.stop()
        self.dead.add(session.id)
        (seen,) = [one.beat for one in await self.store.sessions() if one.id == session.id]
        assert await self.store.close_session(session.id, seen_beat=seen, reason="killed")
        await self.store.free(session.id, 10)

    async def ended(self, run_id: int) -> Ended:
        """What became of a run that must be over."""
        found = await self.store.find(run_id)
        assert isinstance(found, Ended), f"{found} is not over"
        return found

    async def live(self, run_id: int) -> Live:
        """A run that must not be over."""
        found = await self.store.find(run_id)
        assert isinstance(found, Live), f"{found} is over"
        return found


read_attempt = msgspec.msgpack.Decoder(Attempt).decode


async def end(world: World, task: str, seconds: float = 1.0, **of_run: Any) -> Ended:
    """Submit one run, let time pass, and see how it ended."""
    (run_id,) = await world.submit(task, **of_run)
    await asyncio.sleep(seconds)
    return await world.ended(run_id)


def of_one_slot(story: Callable[[World], Awaitable[None]]) -> None:
    """Run a story on a worker with a single slot, so that one handler follows on the other."""

    async def whole(world: World) -> None:
        await world.worker(slots=1)
        await story(world)

    run(whole)


def cancel_myself() -> None:
    """What no handler should do."""
    task = asyncio.current_task()
    assert task is not None
    task.cancel()


def run(main: Callable[[World], Awaitable[None]]) -> None:
    """Run a test's story in a world of its own."""
    loop = VirtualLoop()
    try:
        loop.run_until_complete(_whole(main, loop))
    finally:
        _bury(loop)
        loop.close()


async def _whole(main: Callable[[World], Awaitable[None]], loop: VirtualLoop) -> None:
    await main(World(loop))


def _bury(loop: VirtualLoop) -> None:
    tasks = asyncio.all_tasks(loop)
    for task in tasks:
        task.cancel()
    if tasks:
        loop.run_until_complete(asyncio.wait(tasks, timeout=60))
