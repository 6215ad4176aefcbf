"""One process at work: a member of the store, with a node, a worker, or both."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping, Sequence
from contextlib import AsyncExitStack

from msgspec import Struct
from msgspec.structs import replace

from shike.bounds import ACK_DELAY_SECONDS, LEASE_SECONDS, LISTENER_SECONDS, STOP_GRACE_SECONDS
from shike.clock import WALL_MIN
from shike.counted import counted
from shike.errors import BadSetting, StoreError
from shike.events import (
    BUCKETS_CHANGED,
    BY_STATE,
    RUN_ENDED,
    RUN_REFUSED,
    RUN_STARTED,
    SCHEDULE_CHANGED,
    SCHEDULE_PLANNED,
    SCHEDULER_STARTED,
    SCHEDULER_STOPPED,
    SESSION_LOST,
    WORKER_STARTED,
    WORKER_STOPPED,
    Emitter,
    Event,
    Name,
)
from shike.lanes import queue_of
from shike.limit.declared import Limits
from shike.limit.rows import declare, declare_none
from shike.model import Executor, Run, State
from shike.route.tags import WEIGHT_MAX, WEIGHT_MIN, check_tags
from shike.runtime import Runtime
from shike.scheduler.duty import Duty
from shike.scheduler.node import Node
from shike.scheduler.preset import CLASSIC, Preset
from shike.scheduler.waker import Waker
from shike.session import Member
from shike.store.base import Store
from shike.store.codec import Codec
from shike.store.hints import Hint, HintKind
from shike.store.verbs import Ack, Answer, Plan, Retention
from shike.task import DEFAULT_QUEUE, Definition
from shike.worker.claims import QueueShare
from shike.worker.context import Context
from shike.worker.executor import Attached, Pool
from shike.worker.watcher import Watcher
from shike.worker.worker import Worker

log = logging.getLogger("shike")

IDLE_LOOK_SECONDS = 0.005
ENDS = (RUN_REFUSED, RUN_ENDED, *BY_STATE.values())

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
    traces: bool = True  # whether handlers' steps and log lines are kept with each attempt
    duties: Sequence[Duty] = ()  # what a scheduler does besides: alarms
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
        watchers: Sequence[Watcher] = (),
    ) -> None:
        self._watchers: list[Watcher] = []
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
                traces=roles.traces,
            )
            self._events.on_new.append(self._heed)
            self._heed()
        if roles.scheduler:
            self.node = Node(
                store,
                runtime,
                self.member,
                lease_seconds=roles.lease_seconds,
                keep=roles.keep,
                preset=roles.preset,
                waker=roles.waker,
                duties=roles.duties,
            )
            self.node.turned_over, self.node.planner.planned = self._turned_over, self._planned
        self.member.on_lost.append(lambda reason: self._events.emit(Event(event=SESSION_LOST, reason=reason)))
        self._unlisten = store.listen(self._hinted)
        for watcher in watchers:
            self.watch(watcher)

    async def start(self) -> None:
        """Join and begin. Whatever fails here leaves nothing running."""
        try:
            await self.member.join()
            await declare(self._store, [one.limits for one in self._tasks.values() if isinstance(one.limits, Limits)])
            await declare_none(self._store, {name for name, one in self._tasks.items() if one.limits is None})
            for watcher in self._watchers:
                await watcher.open(self.figures)
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
        if self._heed in self._events.on_new:
            self._events.on_new.remove(self._heed)
        async with AsyncExitStack() as steps:  # last in, first out, and each whatever became of the one before
            steps.push_async_callback(self._last_words)
            steps.push_async_callback(self.member.leave)
            if self.node is not None:
                steps.push_async_callback(self._stop_node, self.node)
            if self.worker is not None:
                steps.push_async_callback(self._stop_worker, self.worker, grace_seconds)

    async def _last_words(self) -> None:
        for watcher in self._watchers:
            try:
                async with asyncio.timeout(LISTENER_SECONDS):
                    await watcher.rest()
            except TimeoutError:
                log.error("an exporter was not done within %g s of its end, and is left", LISTENER_SECONDS)
            except Exception:
                log.exception("an exporter failed at its end")
        await self._events.rest()

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

    def _settled(self, acks: Sequence[Ack], answers: Sequence[Answer]) -> None:
        if self.worker is None:
            return
        runs, watchers = self.worker.runs, self._watchers
        if not watchers and not self._events.wanted(*ENDS):
            runs.clear()  # of somebody who listens to something else
            return
        for ack, answer in zip(acks, answers, strict=True):
            run = runs.pop(ack.run_id, None)
            known = answer is Answer.ACCEPTED or answer is Answer.ALREADY
            if watchers and known and run is not None:
                self._watched(run, ack)
            if known and ack.state is State.SCHEDULED:
                continue  # given back or put off: nothing has ended
            if not known:
                self._tell(RUN_REFUSED, run, ack)
                continue
            self._tell(RUN_ENDED, run, ack)
            self._tell(BY_STATE[ack.state.name], run, ack)

    def _tell(self, name: Name, run: Run | None, ack: Ack) -> None:
        if self._events.wanted(name):
            told = event_of(name, run) if run is not None else Event(event=name, run_id=str(ack.run_id))
            self._events.emit(replace(told, state=ack.state.name, reason=ack.reason))

    def _watched(self, run: Run, ack: Ack) -> None:
        for watcher in self._watchers:
            try:
                watcher.ended(run, ack)
            except Exception:
                log.exception("an exporter failed over run %d", run.id)

    def _started(self, context: Context) -> None:
        for watcher in self._watchers:
            try:
                watcher.started(context)
            except Exception:
                log.exception("an exporter failed over run %s", context.id)
        if self._events.wanted(RUN_STARTED):
            self._events.emit(replace(event_of(RUN_STARTED, context.run), attempt=context.attempt))

    def figures(self) -> dict[str, float]:
        """How this process does, by name: for exporters."""
        found: dict[str, float] = {"events_dropped": sum(ear.dropped for ear in self._events.ears)}
        if (worker := self.worker) is not None:
            found["slots"], found["busy"] = worker.slots.size, worker.slots.busy
            found["acks_waiting"], found["refused"] = len(worker.acks), worker.stale
            found["abandoned"] = worker.abandoned
        if (node := self.node) is not None:
            found["buckets"], found["late_seconds"] = len(node.buckets.owned), node.late_seconds
        return found

    def _heed(self) -> None:
        """Starts are told only where somebody wants to know of them: there are many."""
        if self.worker is not None and (self._watchers or self._events.wanted(RUN_STARTED)):
            self.worker.slots.started = self._started

    def watch(self, watcher: Watcher) -> None:
        """Have each attempt of this process's worker told to an exporter, from now on. It must be quick."""
        self._watchers.append(watcher)
        if self.worker is not None:
            self.worker.watched = True
            self._heed()
            if watcher.begins:
                self.worker.slots.begin = self._begin

    def _begin(self, context: Context) -> None:
        for watcher in self._watchers:
            try:
                watcher.begin(context)
            except Exception:
                log.exception("an exporter failed over run %s", context.id)

    def _hinted(self, hint: Hint) -> None:
        if hint.kind is HintKind.SCHEDULE and self._events.wanted(SCHEDULE_CHANGED):
            self._events.emit(Event(event=SCHEDULE_CHANGED, name=hint.name))

    def _planned(self, plan: Plan) -> None:
        if plan.moments and self._events.wanted(SCHEDULE_PLANNED):
            words = counted(len(plan.moments), "moment")
            self._events.emit(Event(event=SCHEDULE_PLANNED, name=plan.schedule, reason=words))

    def _turned_over(self) -> None:
        if self.node is not None and self._events.wanted(BUCKETS_CHANGED):
            owned = sorted((one.low, one.high) for one in self.node.buckets.owned.values())
            words = ", ".join(f"{low}-{high}" for low, high in owned) or "none"
            self._events.emit(Event(event=BUCKETS_CHANGED, name=self.member.name, reason=words))


def _named_by(tasks: Mapping[str, Definition]) -> tuple[QueueShare, ...]:
    named = [task.queue for task in tasks.values()]
    return tuple(QueueShare(name) for name in dict.fromkeys([DEFAULT_QUEUE, *named]))


def event_of(name: Name, run: Run) -> Event:
    """An event about a run."""
    return Event(
        event=name, run_id=str(run.id), task=run.task, queue=queue_of(run.queue), schedule=run.schedule, key=run.key
    )
