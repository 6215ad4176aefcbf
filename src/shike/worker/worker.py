"""A worker: its slots, its claims, its acknowledgements, and what it does when its session dies."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping, Sequence

from shike.bounds import (
    ACK_DELAY_SECONDS,
    ACKS_WAITING_MAX,
    BEAT_SECONDS,
    KILL_GRACE_SECONDS,
    LEASE_SECONDS,
    STOP_GRACE_SECONDS,
)
from shike.errors import ShikeError
from shike.ids import bucket_of
from shike.model import TERMINAL, Executor, Run
from shike.runtime import Role, Runtime
from shike.session import Holdings, Member
from shike.store.base import Store
from shike.store.codec import Codec
from shike.store.hints import Hint, HintKind
from shike.store.verbs import Ack, Answer, Batch, BeatReply, Claimed
from shike.task import Definition
from shike.track import settle
from shike.worker.acks import AckBatcher
from shike.worker.claims import Claimer, QueueShare
from shike.worker.executor import Pool
from shike.worker.slots import Slots
from shike.worker.verdict import Stop

log = logging.getLogger("shike.worker")

LOOK_SECONDS = 0.02  # while we stop: whether handlers are over
EARLY_MICROS = 1_000  # a hint this far ahead counts as due: the store decides


class Worker:
    """Runs the tasks it knows. `stale` counts acknowledgements that were refused: late reports of lost leases."""

    def __init__(
        self,
        store: Store,
        runtime: Runtime,
        member: Member,
        tasks: Mapping[str, Definition],
        *,
        slots: int,
        queues: Sequence[QueueShare],
        pools: Mapping[Executor, Pool] | None = None,
        lease_seconds: float = LEASE_SECONDS,
        ack_delay_seconds: float = ACK_DELAY_SECONDS,
        runs_max: int = 0,
        codec: Codec | None = None,
        settled: Callable[[Sequence[Ack], Sequence[Answer]], None] | None = None,
        wants_names: Callable[[], bool] = lambda: False,
    ) -> None:
        self._store = store
        self._runtime = runtime
        self._member = member
        self._tasks = tasks
        self._known: frozenset[str] = frozenset()
        self._pools = dict(pools or {})
        self._runs_max = runs_max
        self._settled = settled
        self._wants_names = wants_names
        self.names: dict[int, str] = {}  # run → task, where `settled` wants to know: an acknowledgement does not say
        self._roles: list[Role] = []
        self._holds: dict[int, int] = {}  # token → runs of that lease not settled yet
        self._suspects: dict[int, None] = {}  # tokens of suspects under way
        self._suspects_max = self._pools[Executor.PROCESS].size if Executor.PROCESS in self._pools else 1
        self._busy_by_queue: dict[str, int] = {}
        self._backlog = 0
        self._marks = (0.0, 0)  # (monotonic, runs done) at the last beat
        self._queued_since = 0.0
        self.stale = 0
        self.exhausted = asyncio.Event()  # set when runs_max is reached
        self.slots = self._make_slots(slots, codec)
        self.acks = AckBatcher(
            store, lambda: member.identity, self._answered, lease_seconds=lease_seconds, delay_seconds=ack_delay_seconds
        )
        self.claims = Claimer(
            store,
            member,
            slots=slots,
            queues={share.name: share for share in queues},
            tasks=self._task_names,
            load=self._load,
            busy_by_queue=self._busy_by_queue,
            takes_suspect=lambda: len(self._suspects) < self._suspects_max,
            take=self._take,
        )
        member.holdings = self._holdings
        member.on_reply.append(self._heard)
        member.on_lost.append(self._lost)
        member.on_joined.append(self._joined)
        self._unlisten = store.listen(self._hinted)

    def _make_slots(self, size: int, codec: Codec | None) -> Slots:
        member, runtime = self._member, self._runtime
        return Slots(
            size,
            self._tasks,
            self._pools,
            runtime.clock,
            member.store_now,
            ended=self._ended,
            drained=self._drained,
            valid=member.valid,
            worker=member.name,
            draw=runtime.entropy.random,
            codec=codec,
        )

    @property
    def abandoned(self) -> int:
        """Handlers that would not stop and were given up: each keeps its stack, and a thread if it had one."""
        return self.slots.abandoned + sum(pool.abandoned for pool in self._pools.values())

    async def start(self) -> None:
        """Begin to claim. The member must have joined."""
        self._joined()
        self._marks = (self._runtime.clock.monotonic(), 0)
        self._roles.append(self._runtime.start(self.claims.run, "claims"))
        self.claims.poke()

    async def stop(self, grace_seconds: float = STOP_GRACE_SECONDS) -> None:
        """Stop claiming, give back what has not begun, let handlers finish within the grace, then make them stop.

        No attempt is spent: what is stopped here is given back.
        """
        await self.claims.rest(KILL_GRACE_SECONDS)
        for role in self._roles:
            await role.stop()
        self._roles.clear()
        for claimed in self.slots.take_back():
            self._ended(claimed, settle.given_back(claimed))
        await self._handlers_end(grace_seconds)
        self.slots.stop_all(Stop.STOPPING)
        await self._handlers_end(2 * KILL_GRACE_SECONDS)
        if not await self.acks.drain(KILL_GRACE_SECONDS):
            log.warning("the store does not take the last acknowledgements; their runs will repeat")
        await self.slots.close()
        self._unlisten()
        for pool in self._pools.values():
            await pool.close()

    async def _handlers_end(self, seconds: float) -> None:
        """Wait until no handler is under way, at most so long."""
        deadline = self._runtime.clock.monotonic() + seconds
        while self.slots.waiting and self._runtime.clock.monotonic() < deadline:
            await asyncio.sleep(LOOK_SECONDS)

    async def idle(self) -> None:
        """Return when nothing is queued, under way or unacknowledged here: for tests and `--burst`."""
        while self.slots.busy or len(self.acks) or self._holds:
            await asyncio.sleep(0.005)

    def _take(self, batch: Batch) -> None:
        runs = batch.runs
        for claimed in runs:
            self._holds[claimed.token] = self._holds.get(claimed.token, 0) + 1
        queues = self._busy_by_queue
        for claimed in runs:
            run = claimed.run
            queues[run.queue] = queues.get(run.queue, 0) + 1
            if settle.is_backlog(run):
                self._backlog += 1
        if self.claims.paused:  # it was asked for before we began to stop
            for claimed in runs:
                self._ended(claimed, settle.given_back(claimed))
            return
        if batch.solo:
            self._suspects[runs[0].token] = None
        self._queued_since = self._runtime.clock.monotonic()
        self.slots.feed(runs, batch.now, solo=batch.solo)

    def _ended(self, claimed: Claimed, ack: Ack | None) -> None:
        run = claimed.run
        self._busy_by_queue[run.queue] -= 1
        if settle.is_backlog(run):
            self._backlog -= 1
        if ack is not None:
            if self._wants_names():
                self.names[run.id] = run.task
            self.acks.add(self._with_repeat(ack, run) if run.options and ack.state in TERMINAL else ack)
        if self._runs_max and self.slots.done >= self._runs_max:
            self.claims.paused = True
            self.exhausted.set()
        self.claims.room()

    def _with_repeat(self, ack: Ack, run: Run) -> Ack:
        ids = self._member.ids
        try:
            return ack if ids is None else settle.with_repeat(ack, run, lambda: ids.next(bucket_of(run.id)))
        except ShikeError as error:
            log.warning("run %d: its next moment is left to the planner: %s", run.id, error)
            return ack

    def _answered(self, acks: Sequence[Ack], answers: Sequence[Answer]) -> None:
        holds = self._holds
        for ack, answer in zip(acks, answers, strict=True):
            left = holds.get(ack.token, 0) - 1
            if left > 0:
                holds[ack.token] = left
            else:
                holds.pop(ack.token, None)
                if ack.token in self._suspects:
                    del self._suspects[ack.token]
                    self.claims.poke()  # others may wait to be run alone
            if answer is Answer.REFUSED or answer is Answer.UNKNOWN:
                self.stale += 1
                log.warning("run %d: a late report was refused, its lease is another's", ack.run_id)
        if self._settled is not None:
            self._settled(acks, answers)
        self.claims.room()  # where too many acknowledgements waited

    def _holdings(self) -> Holdings:
        """For the beat, possibly from its own thread: snapshots only."""
        received = self.claims.received
        reports = []
        for slot in list(self.slots.waiting):
            context = slot.context
            if context is not None and (report := context.latest_progress()):
                reports.append((context.run.id, context.token, report))
        return received, tuple(self._holds), tuple(reports)

    def _drained(self) -> None:
        """Every run that was claimed has begun: there may be slots left for more."""
        self.claims.room()

    def _load(self) -> tuple[int, int, int]:
        under_way = len(self.slots.waiting) + max(len(self.acks) - ACKS_WAITING_MAX, 0)
        return under_way, len(self.slots.queued), self._backlog

    def _task_names(self) -> frozenset[str]:
        if len(self._known) != len(self._tasks):
            self._known = frozenset(self._tasks)
        return self._known

    def _heard(self, reply: BeatReply) -> None:
        now, done = self._runtime.clock.monotonic(), self.slots.done
        since, before = self._marks
        if now - since >= BEAT_SECONDS / 2:
            self.claims.runs_per_second = (done - before) / (now - since)
            self._marks = (now, done)
        self._give_back_stale_queue(now)
        for run_id, _token in reply.cancels:
            self._cancel(run_id)
        for queue in reply.eligible:
            self.claims.poke(queue)
        self.claims.room()  # also where the last claim was left unanswered because our lease was in doubt

    def _give_back_stale_queue(self, now: float) -> None:
        """Runs were claimed ahead of quick work, and then the work turned slow: others may have them."""
        if self.slots.queued and now - self._queued_since > BEAT_SECONDS / 2:
            self.claims.runs_per_second = 0.0
            for claimed in self.slots.take_back():
                self._ended(claimed, settle.given_back(claimed))

    def _cancel(self, run_id: int) -> None:
        if self.slots.stop_run(run_id, Stop.CANCELLED, "cancelled by request"):
            return
        claimed = self.slots.drop(run_id)
        if claimed is not None:
            self._ended(claimed, settle.withdrawn(claimed, "cancelled by request"))

    def _hinted(self, hint: Hint) -> None:
        if hint.kind is HintKind.DUE:
            if hint.queue in self.claims.queues and hint.at <= self._member.store_now() + EARLY_MICROS:
                self.claims.poke(hint.queue)
        elif hint.kind is HintKind.CANCEL:
            for run_id in hint.run_ids:
                self._cancel(run_id)
        elif hint.kind is HintKind.QUEUE:
            self.claims.poke()

    def _joined(self) -> None:
        self.slots.session = self._member.identity
        self.claims.start_again()

    def _lost(self, reason: str) -> None:
        """The lease is gone, so are its runs: nothing that is said about them would be believed."""
        self.acks.drop()
        self.names.clear()
        self._holds.clear()
        self._suspects.clear()
        self.claims.start_again()  # before the next life can beat: it has received nothing yet
        for claimed in self.slots.take_back():
            self._ended(claimed, None)
        self.slots.stop_all(Stop.LOST)
