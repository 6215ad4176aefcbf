"""A worker: its slots, its claims, its acknowledgements, and what it does when its session dies."""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from collections.abc import Callable, Mapping, Sequence

from shike.bounds import (
    ACK_DELAY_SECONDS,
    ACKS_WAITING_MAX,
    BAND_BACKLOG,
    BEAT_SECONDS,
    KILL_GRACE_SECONDS,
    LEASE_SECONDS,
    QUARANTINE_SECONDS,
    STOP_GRACE_SECONDS,
)
from shike.model import TERMINAL, Executor, Manner, Run, State
from shike.runtime import Role, Runtime
from shike.session import Holdings, Member
from shike.store.base import Store
from shike.store.codec import Codec, Plain
from shike.store.hints import Hint, HintKind
from shike.store.verbs import Ack, Answer, Batch, BeatReply, Claimed
from shike.task import Definition
from shike.track import settle
from shike.worker import lines, serving
from shike.worker.acks import AckBatcher
from shike.worker.bouncer import Bouncer
from shike.worker.claims import Claimer, QueueShare, tags_of
from shike.worker.effects import Effects
from shike.worker.executor import Pool
from shike.worker.gangs import Gangs
from shike.worker.gauge import Gauge
from shike.worker.handover import Handover
from shike.worker.quarantine import Quarantine, is_alone
from shike.worker.slots import NOTHING_KNOWN, Slots
from shike.worker.starts import Starts
from shike.worker.turnback import Turnback
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
        tags: Sequence[str] = (),
        weight: float = 1.0,
        codec: Codec | None = None,
        settled: Callable[[Sequence[Ack], Sequence[Answer]], None] | None = None,
        listeners: Mapping[str, object] | None = None,
        traces: bool = True,
    ) -> None:
        self._store = store
        self._runtime = runtime
        self._member = member
        self._tasks = tasks
        self._known: frozenset[str] = frozenset()
        self._serving = (frozenset[str](), b"")  # the tasks that were told with the last beat, and how
        self._pools = dict(pools or {})
        self._with_effects = Effects(member, tasks, (codec or Plain()).encode)
        self._runs_max = runs_max
        self._settled = settled
        self._listeners: Mapping[str, object] = {} if listeners is None else listeners
        self.runs: dict[int, Run] = {}  # that ended, where anybody listens: an acknowledgement does not tell of them
        self.watched = False  # whether anybody wants to know of each attempt
        self._roles: list[Role] = []
        self._witness: asyncio.Task[None] | None = None  # that nobody but `stop` has a reason to cancel
        self._holds: dict[int, int] = {}  # token → runs of that lease not settled yet
        places = self._pools[Executor.PROCESS].size if Executor.PROCESS in self._pools else 0
        self._quarantine = Quarantine(places, runtime.clock.monotonic)
        self._kept: Batch | None = None  # a run that waits to be alone here
        self._busy_by_queue: dict[str, int] = {}
        self._backlog = 0
        self._marks = (0.0, 0)  # (monotonic, runs done) at the last beat
        self._queued_since = 0.0
        self._unlog: Callable[[], None] | None = None
        self.stale = 0
        self.exhausted = asyncio.Event()  # set when runs_max is reached
        self.slots = self._make_slots(slots, codec, traces)
        self._handover = Handover(store, codec, self._feed, self._unfit)
        self._gangs = Gangs(store, lambda: member.identity, member.store_now, self._room, self._to_slots, self._ended)
        self._bouncer = Bouncer(store, codec, member.store_now, self._ended)
        self._turnback = Turnback(store, codec, tasks, self._ended)
        self.acks = AckBatcher(
            store, lambda: member.identity, self._answered, lease_seconds=lease_seconds, delay_seconds=ack_delay_seconds
        )
        starts = Starts(runtime.clock, store.virtual_buckets)
        self.claims = self._make_claims(slots, queues, starts)
        member.holdings = self._holdings
        self._gauge = self._make_gauge(slots, tuple(tags), weight)
        member.loads += [self._told, starts.load, self._gauge.load]
        member.on_reply.append(self._heard)
        member.on_lost.append(self._lost)
        member.on_joined.append(self._joined)
        self._unlisten = store.listen(self._hinted)

    def _make_claims(self, slots: int, queues: Sequence[QueueShare], starts: Starts) -> Claimer:
        return Claimer(
            self._store,
            self._member,
            slots=slots,
            queues={share.name: share for share in queues},
            tasks=self._task_names,
            tags=lambda: tags_of(self._tasks.values()),
            load=self._load,
            busy_by_queue=self._busy_by_queue,
            quarantine=self._quarantine,
            take=self._take,
            starts=starts,
        )

    def _make_gauge(self, slots: int, tags: tuple[str, ...], weight: float) -> Gauge:
        return Gauge(
            self._runtime.clock.monotonic,
            self._runtime.counters,
            slots=slots,
            tags=tags,
            weight=weight,
            busy=lambda: self.slots.busy + len(self._gangs),
            done=lambda: self.slots.done,
            answer_seconds=lambda: self._member.answer_seconds,
        )

    def _make_slots(self, size: int, codec: Codec | None, traces: bool) -> Slots:
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
            torn_down=self._torn_down,
            worker=member.name,
            draw=runtime.entropy.random,
            codec=codec,
            traces=traces,
        )

    @property
    def abandoned(self) -> int:
        """Handlers that would not stop and were given up: each keeps its stack, and a thread if it had one."""
        return self.slots.abandoned + sum(pool.abandoned for pool in self._pools.values())

    async def start(self) -> None:
        """Begin to claim. The member must have joined."""
        self._joined()
        self._witness = asyncio.get_running_loop().create_task(_idle(), name="shike:witness")
        self._unlog = lines.listen()
        self._marks = (self._runtime.clock.monotonic(), 0)
        self._roles.append(await self._bouncer.begin(self._runtime))
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
        for claimed in self._not_begun():
            self._ended(claimed, settle.given_back(claimed))
        await self._handlers_end(grace_seconds)
        self.slots.stop_all(Stop.STOPPING)
        await self._handlers_end(2 * KILL_GRACE_SECONDS)
        if not await self.acks.drain(KILL_GRACE_SECONDS):
            log.warning("the store does not take the last acknowledgements; their runs will repeat")
        await self.slots.close()
        if self._witness is not None:
            self._witness.cancel()
        self._unlisten()
        if self._unlog is not None:
            self._unlog()
        for pool in self._pools.values():
            await pool.close()

    async def _handlers_end(self, seconds: float) -> None:
        """Wait until no handler is under way, at most so long."""
        deadline = self._runtime.clock.monotonic() + seconds
        while self.slots.waiting and self._runtime.clock.monotonic() < deadline:
            await asyncio.sleep(LOOK_SECONDS)

    async def idle(self) -> None:
        """Return when nothing is queued, under way or unacknowledged here: for tests and `--burst`."""
        while self.slots.busy or len(self._handover) or len(self.acks) or self._holds:
            await asyncio.sleep(0.005)

    def _torn_down(self) -> bool:
        return self._witness is not None and (self._witness.done() or self._witness.cancelling() > 0)

    def _take(self, batch: Batch) -> None:
        runs = batch.runs
        for token, count in Counter([claimed.token for claimed in runs]).items():
            self._holds[token] = self._holds.get(token, 0) + count
        for queue, count in Counter([claimed.run.queue for claimed in runs]).items():
            self._busy_by_queue[queue] = self._busy_by_queue.get(queue, 0) + count
        self._backlog += sum([claimed.run.band == BAND_BACKLOG for claimed in runs])
        if self.claims.paused:  # it was asked for before we began to stop
            for claimed in runs:
                self._ended(claimed, settle.given_back(claimed))
            return
        if batch.manner:
            self._quarantine.take(batch)
            asyncio.get_running_loop().call_later(QUARANTINE_SECONDS, self._quarantined, batch)
        if is_alone(batch) and len(self._holds) > 1:
            self._kept = batch
        else:
            self._begin(batch, self.claims.grants)

    def _begin(self, batch: Batch, grants: Mapping[str, settle.Grant]) -> None:
        self._queued_since = self._runtime.clock.monotonic()
        apart = batch.manner is Manner.APART
        runs = self._handover.keep_back(self._bouncer.let_in(batch.runs), batch.now, apart)
        self._feed(runs, batch.now, apart, grants)

    def _feed(
        self, runs: list[Claimed], granted_at: int, apart: bool, grants: Mapping[str, settle.Grant] = NOTHING_KNOWN
    ) -> None:
        """What has all that it takes may begin, but for what has to wait for its limits, and members of gangs."""
        may = self._turnback.keep_back(runs)
        self._to_slots(self._gangs.keep_back(may, granted_at, apart), granted_at, apart, grants)

    def _room(self) -> int:
        """Slots that nobody works in, or is kept for a gang."""
        return self.slots.size - self.slots.busy - len(self._gangs)

    def _to_slots(
        self, runs: list[Claimed], granted_at: int, apart: bool, grants: Mapping[str, settle.Grant] = NOTHING_KNOWN
    ) -> None:
        self.slots.feed(runs, granted_at, apart=apart, grants=grants)

    def _unfit(self, claimed: Claimed, reason: str) -> None:
        self._ended(claimed, settle.unfit(claimed, reason))

    def _begin_kept(self) -> None:
        if self._kept is not None:
            batch, self._kept = self._kept, None
            self._begin(batch, {})

    def _quarantined(self, batch: Batch) -> None:
        """These suspects have had their time: who waited to be alone waits no more, nor do others for it."""
        if self._kept is batch:
            self._begin_kept()
        self.claims.poke()

    def _not_begun(self) -> list[Claimed]:
        """Taken out of the queue, to be given back."""
        kept, self._kept = self._kept, None
        held = [*self._handover.take_back(), *self._gangs.take_back()]
        return [*self.slots.take_back(), *held, *(kept.runs if kept is not None else ())]

    def _ended(self, claimed: Claimed, ack: Ack | None) -> None:
        run = claimed.run
        self._busy_by_queue[run.queue] -= 1
        if run.band == BAND_BACKLOG:
            self._backlog -= 1
        if ack is not None:
            if ack.state is State.FAILED or ack.state is State.DEAD:
                self._gauge.failed += 1
            if self._listeners or self.watched:
                self.runs[run.id] = run
            if ack.state in TERMINAL:
                ack = self._with_effects(ack, run)
            self.acks.add(ack)
        if self._runs_max and self.slots.done >= self._runs_max:
            self.claims.paused = True
            self.exhausted.set()
        self.claims.room()

    def _answered(self, acks: Sequence[Ack], answers: Sequence[Answer]) -> None:
        holds = self._holds
        for token, count in Counter([ack.token for ack in acks]).items():
            left = holds.get(token, 0) - count
            if left > 0:
                holds[token] = left
            else:
                holds.pop(token, None)
            if self._quarantine.ended(token, count):
                self.claims.poke()
        self._turnback.answered(acks, answers)
        if answers.count(Answer.ACCEPTED) < len(acks):
            self._refused(acks, answers)
        if len(holds) == 1:
            self._begin_kept()
        if self._settled is not None:
            self._settled(acks, answers)
        self.claims.room()  # where too many acknowledgements waited

    def _refused(self, acks: Sequence[Ack], answers: Sequence[Answer]) -> None:
        for ack, answer in zip(acks, answers, strict=True):
            if answer is Answer.REFUSED or answer is Answer.UNKNOWN:
                self.stale += 1
                log.warning("run %d: a late report was refused, its lease is another's", ack.run_id)

    def _holdings(self) -> Holdings:
        """For the beat, possibly from its own thread: snapshots only."""
        received = self.claims.received
        reports = []
        for slot in list(self.slots.waiting):
            context = slot.context
            if context is not None and (report := context.report()):
                reports.append((context.run.id, context.token, report))
        return received, tuple(self._holds), tuple(reports)

    def _drained(self) -> None:
        """Every run that was claimed has begun: there may be slots left for more."""
        self.claims.room()

    def _load(self) -> tuple[int, int, int]:
        reserved = len(self._gangs)
        self.claims.exact = reserved > 0
        under_way = len(self.slots.waiting) + reserved + max(len(self.acks) - ACKS_WAITING_MAX, 0)
        return under_way, len(self.slots.queued) + len(self._handover), self._backlog

    def _task_names(self) -> frozenset[str]:
        if len(self._known) != len(self._tasks):
            self._known = frozenset(self._tasks)
        return self._known

    def _told(self) -> bytes:
        """For the beat, possibly from its own thread: what this worker asks for, packed once."""
        if self._serving[0] is not self._known:
            self._serving = self._known, serving.pack(self.claims.queues, self._known)
        return self._serving[1]

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
            for claimed in self.slots.take_back():  # not who waits to be alone
                self._ended(claimed, settle.given_back(claimed))

    def _cancel(self, run_id: int) -> None:
        if self.slots.stop_run(run_id, Stop.CANCELLED, "cancelled by request"):
            return
        claimed = (
            self.slots.drop(run_id)
            or self._handover.drop(run_id)
            or self._gangs.drop(run_id)
            or self._drop_kept(run_id)
        )
        if claimed is not None:
            self._ended(claimed, settle.withdrawn(claimed, "cancelled by request"))

    def _drop_kept(self, run_id: int) -> Claimed | None:
        if self._kept is None or self._kept.runs[0].run.id != run_id:
            return None
        kept, self._kept = self._kept, None
        return kept.runs[0]

    def _hinted(self, hint: Hint) -> None:
        if hint.kind is HintKind.DUE:
            if self.claims.serves(hint.queue) and hint.at <= self._member.store_now() + EARLY_MICROS:
                self.claims.poke(hint.queue)
        elif hint.kind is HintKind.CANCEL:
            for run_id in hint.run_ids:
                self._cancel(run_id)
        elif hint.kind is HintKind.QUEUE or hint.kind is HintKind.MISSED:
            self.claims.poke()

    def _joined(self) -> None:
        self.slots.session = self._member.identity
        self.claims.start_again()

    def _lost(self, reason: str) -> None:
        """The lease is gone, so are its runs: nothing that is said about them would be believed."""
        self.acks.drop()
        self.runs.clear()
        self._holds.clear()
        self._quarantine.clear()
        self.claims.start_again()  # before the next life can beat: it has received nothing yet
        for claimed in self._not_begun():
            self._ended(claimed, None)
        self.slots.stop_all(Stop.LOST)


async def _idle() -> None:
    await asyncio.get_running_loop().create_future()
