"""One process at work: a member of the store, with a node, a worker, or both."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping, Sequence
from contextlib import AsyncExitStack

from msgspec import Struct

from shike.bounds import ACK_DELAY_SECONDS, LEASE_SECONDS, STOP_GRACE_SECONDS
from shike.clock import WALL_MIN
from shike.errors import BadSetting, StoreError
from shike.events import (
    RUN_ENDED,
    RUN_REFUSED,
    SCHEDULE_CHANGED,
    SCHEDULER_STARTED,
    SCHEDULER_STOPPED,
    SESSION_LOST,
    WORKER_STARTED,
    WORKER_STOPPED,
    Emitter,
    Event,
)
from shike.limit.declared import Limits
from shike.limit.rows import declare
from shike.model import Executor, State
from shike.route.tags import WEIGHT_MAX, WEIGHT_MIN, check_tags
from shike.runtime import Runtime
from shike.scheduler.node import Node
from shike.scheduler.preset import CLASSIC, Preset
from shike.scheduler.waker import Waker
from shike.session import Member
from shike.store.base import Store
from shike.store.codec import Codec
from shike.store.hints import Hint, HintKind
from shike.store.verbs import Ack, Answer, Retention
from shike.task import DEFAULT_QUEUE, Definition
from shike.worker.claims import QueueShare
from shike.worker.executor import Attached, Pool
from shike.worker.worker import Worker

log = logging.getLogger("shike")

IDLE_LOOK_SECONDS = 0.005

SLOTS = 100


class Roles(Struct, frozen=True, kw_only=True):
    """What this process does, and how much of it."""

    scheduler: bool = True
    worker: bool = True
    slots: int = SLOTS
    queues: Sequence[QueueShare | str] = ()  # as in `mail:10*3`; none: all that the app's tasks and schedules name
    lease_seconds: float = LEASE_SECONDS
    ack_delay_seconds: float = ACK_DELAY_SECONDS
    runs_max: int = 0
    name: str = ""
    tags: Sequence[str] = ()  # what a route may ask for: `gpu`, `eu-west`
    weight: float = 1.0  # of this worker, where routes weigh them
    keep: Retention | None = None
    preset: Preset = CLASSIC
    waker: Waker | None = None  # who wakes the scheduler, beside its own timer: `shike.connect.BrokerWaker`

    def __post_init__(self) -> None:
        if self.slots < 1:
            raise BadSetting(f"slots={self.slots}: a worker works on at least one run at once")
        check_tags(self.tags)
        if not WEIGHT_MIN <= self.weight <= WEIGHT_MAX:
            raise BadSetting(f"weight={self.weight!r}: a number from {WEIGHT_MIN} to {WEIGHT_MAX}")
        if isinstance(self.queues, str):
            raise BadSetting(f"queues={self.queues!r} is one text; give several: queues=['mail:10', 'bulk*0.5']")

    @property
    def kind(self) -> str:
        if self.scheduler and self.worker:
            return "all"
        return "node" if self.scheduler else "worker"


class Engine:
    """Starts and stops the roles of one process in the right order."""

    def __init__(
        self,
        store: Store,
        runtime: Runtime,
        tasks: Mapping[str, Definition],
        roles: Roles,
        *,
        pools: Mapping[Executor, Pool],
        codec: Codec | None = None,
        events: Emitter | None = None,
    ) -> None:
        self._store = store
        self._roles = roles
        self._tasks = tasks
        self._events = events or Emitter()
        self.member = Member(store, runtime, kind=roles.kind, name=roles.name, lease_seconds=roles.lease_seconds)
        self.worker: Worker | None = None
        self.node: Node | None = None
        if roles.worker:
            for pool in pools.values():
                if isinstance(pool, Attached):
                    pool.attach(store, runtime.entropy)
            self.worker = Worker(
                store,
                runtime,
                self.member,
                tasks,
                slots=roles.slots,
                queues=tuple(map(QueueShare.of, roles.queues)) or _named_by(tasks),
                pools=pools,
                lease_seconds=roles.lease_seconds,
                ack_delay_seconds=roles.ack_delay_seconds,
                runs_max=roles.runs_max,
                tags=roles.tags,
                weight=roles.weight,
                codec=codec,
                settled=self._settled,
                listeners=self._events.listeners,
            )
        if roles.scheduler:
            self.node = Node(
                store,
                runtime,
                self.member,
                lease_seconds=roles.lease_seconds,
                keep=roles.keep,
                preset=roles.preset,
                waker=roles.waker,
            )
        self.member.on_lost.append(lambda reason: self._events.emit(Event(event=SESSION_LOST, reason=reason)))
        self._unlisten = store.listen(self._hinted)

    async def start(self) -> None:
        """Join and begin. Whatever fails here leaves nothing running."""
        try:
            await self.member.join()
            await declare(self._store, [one.limits for one in self._tasks.values() if isinstance(one.limits, Limits)])
            if self.node is not None:
                await self.node.start()
                self._events.emit(Event(event=SCHEDULER_STARTED, name=self.member.name))
            if self.worker is not None:
                await self.worker.start()
                self._events.emit(Event(event=WORKER_STARTED, name=self.member.name))
        except BaseException:
            await self.stop(0.0)
            raise

    async def stop(self, grace_seconds: float = STOP_GRACE_SECONDS) -> None:
        """Give back what has not begun, finish what has, say good-bye."""
        self._unlisten()
        async with AsyncExitStack() as steps:  # last in, first out, and each whatever became of the one before
            steps.push_async_callback(self.member.leave)
            if self.node is not None:
                steps.push_async_callback(self._stop_node, self.node)
            if self.worker is not None:
                steps.push_async_callback(self._stop_worker, self.worker, grace_seconds)

    async def _stop_worker(self, worker: Worker, grace_seconds: float) -> None:
        await worker.stop(grace_seconds)
        self._events.emit(Event(event=WORKER_STOPPED, name=self.member.name))

    async def _stop_node(self, node: Node) -> None:
        await node.stop()
        self._events.emit(Event(event=SCHEDULER_STOPPED, name=self.member.name))

    async def until_idle(self) -> None:
        """Return when nothing is due that has not run: nothing eligible or running, no run that waits for its permit
        though its moment has come, and (where this process plans) no moment that is not planned yet. For tests and
        one-off drains."""
        while True:
            if self.worker is not None:
                await self.worker.idle()
            try:
                if await self._is_idle():
                    return
            except StoreError as error:
                log.warning("cannot tell whether there is work left: %s", error)
            await asyncio.sleep(IDLE_LOOK_SECONDS)

    async def _is_idle(self) -> bool:
        store, last = self._store, self._store.virtual_buckets - 1
        now = await store.now()
        counts = await store.counts()
        if counts.eligible or counts.running or await store.gated(0, last, WALL_MIN - 1, now, 1):
            return False
        if self.node is None:
            return True
        return all(planned.paused or planned.deleted for planned in await store.to_plan(0, last, now, 100))

    def _wants_runs(self) -> bool:
        return self._events.wanted(RUN_ENDED) or self._events.wanted(RUN_REFUSED)

    def _settled(self, acks: Sequence[Ack], answers: Sequence[Answer]) -> None:
        events, names = self._events, self.worker.names if self.worker is not None else {}
        if not self._wants_runs():
            names.clear()  # of somebody who listens to something else
            return
        for ack, answer in zip(acks, answers, strict=True):
            task = names.pop(ack.run_id, "")
            known = answer is Answer.ACCEPTED or answer is Answer.ALREADY
            if known and ack.state is State.SCHEDULED:
                continue  # given back or put off: nothing has ended
            events.emit(
                Event(
                    event=RUN_ENDED if known else RUN_REFUSED,
                    run_id=str(ack.run_id),
                    task=task,
                    state=ack.state.name,
                    reason=ack.reason,
                )
            )

    def _hinted(self, hint: Hint) -> None:
        if hint.kind is HintKind.SCHEDULE and self._events.wanted(SCHEDULE_CHANGED):
            self._events.emit(Event(event=SCHEDULE_CHANGED, name=hint.name))


def _named_by(tasks: Mapping[str, Definition]) -> tuple[QueueShare, ...]:
    named = [task.queue for task in tasks.values()]
    return tuple(QueueShare(name) for name in dict.fromkeys([DEFAULT_QUEUE, *named]))
