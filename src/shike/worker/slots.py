"""Slots: long-lived tasks that drain a deque of granted runs. The hot path of Shike.

One slot runs handler after handler without ever giving way, until one has to wait; only then is the next slot
woken. Handlers that never wait cost no task, no time-out object and no wake-up at all.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Callable, Mapping
from contextvars import copy_context
from typing import Any

from msgspec import structs

from shike.bounds import KILL_GRACE_SECONDS
from shike.clock import Clock
from shike.errors import ChildDied, UnsupportedExecutor
from shike.model import OUTSIDE, Executor, Run
from shike.store.codec import Codec
from shike.store.verbs import Ack, Claimed
from shike.task import Definition
from shike.track import settle
from shike.track.settle import NO_GRANT, Grant
from shike.worker.context import Context, running
from shike.worker.deadlines import Deadlines
from shike.worker.drive import drive
from shike.worker.executor import Call, Pool
from shike.worker.failure import describe
from shike.worker.verdict import Stop, crashed, dead, judge, stopped

log = logging.getLogger("shike.worker")

BREATH_RUNS = 32  # how many runs a slot starts before it looks whether the event loop should have a turn
BREATH_SECONDS = 0.002

Granted = tuple[Claimed, int, bool, Mapping[str, Grant]]  # a run, when it was granted, whether it is to have a process
# to itself, and by queue what the worker knew when it asked for it
NOTHING_KNOWN: Mapping[str, Grant] = {}


class Slots:
    """At most `size` runs under way at once, and a queue of granted ones before them."""

    def __init__(
        self,
        size: int,
        tasks: Mapping[str, Definition],
        pools: Mapping[Executor, Pool],
        clock: Clock,
        now: Callable[[], int],
        *,
        ended: Callable[[Claimed, Ack | None], None],
        drained: Callable[[], None],
        valid: Callable[[], bool],
        torn_down: Callable[[], bool],
        worker: str,
        draw: Callable[[], float],
        codec: Codec | None = None,
        traces: bool = True,
    ) -> None:
        self.size = size
        self.tasks = tasks
        self.pools = pools
        self.clock = clock
        self.now = now  # the store's time, as far as it is known
        self.ended = ended
        self.drained = drained  # everything queued has begun, and perhaps slots are left
        self.valid = valid  # whether our lease, carefully counted, still stands
        self.torn_down = torn_down  # whether everything on this event loop was cancelled, without a word to us
        self.worker = worker
        self.draw = draw
        self.codec = codec
        self.traces = traces  # whether handlers' steps and log lines are kept
        self.begin: Callable[[Context], None] | None = None  # called where each handler is about to be
        self.started: Callable[[Context], None] | None = None  # told of each attempt
        self.session = ""
        self.queued: deque[Granted] = deque()
        self.waiting: dict[Slot, int] = {}  # slots whose handler waits for something → its run's id
        self.deadlines = Deadlines()
        self.closing = False
        self.done = 0
        self.abandoned = 0  # handlers that would not stop and were given up
        self._idle: list[Slot] = []
        self._all: dict[Slot, None] = {}

    @property
    def busy(self) -> int:
        """Runs under way or queued."""
        return len(self.waiting) + len(self.queued)

    def feed(
        self,
        runs: list[Claimed],
        granted_at: int,
        *,
        apart: bool = False,
        grants: Mapping[str, Grant] = NOTHING_KNOWN,
    ) -> None:
        """Queue granted runs; `apart`: suspects, each for a child process."""
        self.queued.extend([(claimed, granted_at, apart, grants) for claimed in runs])
        self.wake()

    def wake(self) -> None:
        """See that somebody works on the queue: called when runs came in and when a handler began to wait."""
        if not self.queued:
            self.drained()
        elif self._idle:
            self._idle.pop().rouse()
        elif len(self._all) < self.size:
            slot = Slot(self)
            self._all[slot] = None

    def drop(self, run_id: int) -> Claimed | None:
        """Take one run out of the queue, if it is there."""
        for granted in self.queued:
            if granted[0].run.id == run_id:
                self.queued.remove(granted)
                return granted[0]
        return None

    def take_back(self) -> list[Claimed]:
        """Everything queued and not begun, to be given back."""
        taken = [claimed for claimed, *_ in self.queued]
        self.queued.clear()
        return taken

    def stop_run(self, run_id: int, why: Stop, reason: str = "") -> bool:
        """Make one handler stop; False if it is not waiting here (over, not begun, or never yielding)."""
        slots = [slot for slot, waits in self.waiting.items() if waits == run_id and slot.why is not Stop.LOST]
        for slot in slots:
            slot.stop(why, reason)
        return bool(slots)

    def stop_all(self, why: Stop) -> None:
        """Make every handler stop."""
        for slot in list(self.waiting):
            slot.stop(why)

    def rest(self, slot: Slot) -> None:
        self._idle.append(slot)

    def replace(self, slot: Slot) -> None:
        """This slot is not used again; its place is free for another."""
        self._all.pop(slot, None)
        self.wake()

    async def close(self) -> None:
        """End all slots; their handlers are over or abandoned by now."""
        self.closing = True
        self.deadlines.close()
        tasks = [slot.task for slot in self._all if not slot.task.done()]
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks, timeout=KILL_GRACE_SECONDS)
        self._all.clear()
        self._idle.clear()


class Slot:
    """One place to run a handler."""

    __slots__ = ("_sleep", "_ticket", "claimed", "context", "gone", "grant", "pool", "reason", "slots", "task", "why")

    def __init__(self, slots: Slots) -> None:
        self.slots = slots
        self.claimed: Claimed | None = None
        self.context: Context | None = None
        self.grant = NO_GRANT
        self.why = Stop.NO
        self.reason = ""
        self.gone = False  # abandoned: whatever its handler still does is nobody's business
        self._sleep: asyncio.Future[None] | None = None
        self._ticket = 0
        self.task = asyncio.get_running_loop().create_task(self._work(), name="shike:slot")

    def rouse(self) -> None:
        if self._sleep is not None and not self._sleep.done():
            self._sleep.set_result(None)

    def stop(self, why: Stop, reason: str = "") -> None:
        """Cancel the handler; if it does not obey within the grace, it is abandoned. A lost lease outdoes all else."""
        before = self.why
        if self.context is None or (before and (before is Stop.LOST or why is not Stop.LOST)):
            return
        self.why, self.reason = why, reason
        self.context.cancelled = reason or why
        self.context.lost = why is Stop.LOST
        if not before:
            self.task.cancel()
            self.slots.deadlines.add(2 * KILL_GRACE_SECONDS, self._give_up_if(self.claimed))

    def _give_up_if(self, claimed: Claimed | None) -> Callable[[], None]:
        def give_up() -> None:
            if self.claimed is claimed and claimed is not None and not self.gone:
                self.gone = True
                self.slots.abandoned += 1
                self.slots.waiting.pop(self, None)
                log.error("run %d ignores its cancellation (%s); its slot is given up", claimed.run.id, self.why)
                self.slots.ended(claimed, self._given_up(claimed))
                self.slots.replace(self)

        return give_up

    async def _work(self) -> None:
        slots, queued, monotonic = self.slots, self.slots.queued, self.slots.clock.monotonic
        count, began = 0, monotonic()
        while not (self.gone or slots.closing):
            if not queued:
                self._sleep = asyncio.get_running_loop().create_future()
                slots.rest(self)
                await self._sleep
                count, began = 0, monotonic()
                continue
            claimed, granted_at, apart, grants = queued.popleft()
            self.grant = grants.get(claimed.run.queue, NO_GRANT)
            await self._run(claimed, granted_at, apart)
            count += 1
            if count >= BREATH_RUNS:
                if monotonic() - began > BREATH_SECONDS:
                    await asyncio.sleep(0)
                    began = monotonic()
                count = 0

    async def _run(self, claimed: Claimed, granted_at: int, apart: bool) -> None:
        """One attempt, from the decision whether it may start to its acknowledgement."""
        slots, run = self.slots, claimed.run
        if not slots.valid():  # we slept past our lease: somebody else may be at it by now
            slots.ended(claimed, settle.given_back(claimed))
            return
        started_at = max(slots.now(), granted_at)  # what we know of the store's clock may lag behind it
        if (run.expires_at or run.misfire_seconds) and not claimed.together:  # what was rescued has started once
            reason = settle.refusal(claimed, started_at)
            if reason:
                slots.ended(claimed, settle.skipped(claimed, reason))
                return
        definition = slots.tasks[run.task]
        context = Context(run, claimed.token, claimed.attempt, granted_at, started_at, slots.now, traces=slots.traces)
        context.begin = slots.begin
        try:
            args, kwargs = self._arguments(definition, run)
        except Exception as unfit:  # a user's own types may raise whatever they like
            slots.ended(claimed, dead(self._facts(claimed, context), unfit))
            return
        self.claimed, self.context = claimed, context
        if slots.started is not None:
            slots.started(context)
        value, error = None, None
        try:
            if definition.executor is Executor.ASYNC and not apart:
                outside = running.set(context)
                inside = copy_context()
                running.reset(outside)
                if context.begin is not None:
                    inside.run(context.begin, context)
                value = await drive(definition.handler(*args, **kwargs), inside, self._first_wait)  # type: ignore[misc]
            else:
                value = await self._elsewhere(Call(definition, context, args, kwargs), apart)
        except GeneratorExit:
            raise
        except BaseException as raised:
            error = raised
        if self.gone:
            return
        if isinstance(error, asyncio.CancelledError) and not self.why and slots.torn_down():
            self.why = Stop.STOPPING  # nobody's failure: `loop.stop()`, or `asyncio.run` at its end
        if apart and isinstance(error, ChildDied) and not self.why:
            ack: Ack | None = crashed(self._facts(claimed, context), error)
        else:
            ack = self._judge(self._facts(claimed, context), definition, value, error)
        if self in slots.waiting:
            self._waited()
        self.claimed = self.context = None
        slots.done += 1
        slots.ended(claimed, ack)
        if self.task.cancelling():  # whoever did it, and whether the handler heard it or not: the next one must not
            self.gone = True
            slots.replace(self)

    def _arguments(self, definition: Definition, run: Run) -> tuple[tuple[Any, ...], dict[str, Any]]:
        """What the handler is called with; raises whatever a run that cannot be read makes it raise."""
        if run.options:
            settle.options_of(run.options)
        codec = self.slots.codec
        return definition.decode(run.args if codec is None else codec.decode(run.args))

    def _judge(
        self, facts: settle.Facts, definition: Definition, value: Any, error: BaseException | None
    ) -> Ack | None:
        """The acknowledgement. Never raises: a run that nobody can acknowledge would stay leased for ever."""
        slots = self.slots
        try:
            ack = judge(facts, definition, value, error, self.why, self.reason, slots.draw)
            if slots.codec is not None and ack is not None and ack.result:
                ack = structs.replace(ack, result=slots.codec.encode(ack.result))
            return ack
        except Exception as broken:
            log.exception("run %d cannot be judged", facts.claimed.run.id)
            return settle.dead(facts, f"its end cannot be told: {describe(broken).error}")

    async def _elsewhere(self, call: Call, apart: bool) -> Any:
        """Threads, processes, commands, calls; a suspect goes to a process of its own."""
        pools, wanted = self.slots.pools, call.definition.executor
        pool = pools.get(Executor.PROCESS) if apart and wanted not in OUTSIDE else None
        pool = pool or pools.get(wanted)
        self._first_wait()
        if pool is not None:
            return await pool.run(call)
        raise UnsupportedExecutor(
            f"task {call.definition.name!r} wants to run as a {wanted}, which this worker does not do; "
            f"it has: {', '.join(sorted(pools)) or 'async only'}"
        )

    def _first_wait(self) -> None:
        """The handler waits for something: note it, arm its time-out, and let another slot work on."""
        claimed, slots = self.claimed, self.slots
        assert claimed is not None
        slots.waiting[self] = claimed.run.id
        seconds = settle.options_of(claimed.run.options).timeout_seconds if claimed.run.options else None
        if seconds is None:
            seconds = slots.tasks[claimed.run.task].timeout_seconds
        if seconds:
            self._ticket = slots.deadlines.add(
                seconds, lambda: self.stop(Stop.TIMEOUT, f"ran longer than {seconds:g} s")
            )
        slots.wake()

    def _waited(self) -> None:
        self.slots.waiting.pop(self, None)
        if self._ticket:
            self.slots.deadlines.remove(self._ticket)
            self._ticket = 0
        self.why, self.reason = Stop.NO, ""

    def _given_up(self, claimed: Claimed) -> Ack | None:
        assert self.context is not None
        slots = self.slots
        facts = self._facts(claimed, self.context)
        return stopped(facts, slots.tasks[claimed.run.task], self.why, self.reason, slots.draw)

    def _facts(self, claimed: Claimed, context: Context) -> settle.Facts:
        slots, ended_at = self.slots, max(self.slots.now(), context.started_at)
        notes = context.noted()
        if notes is None and not context.traceparent:  # nothing was noted, as mostly
            return settle.Facts(
                claimed, slots.session, slots.worker, context.claimed_at, context.started_at, ended_at, self.grant
            )
        return settle.Facts(
            claimed,
            slots.session,
            slots.worker,
            context.claimed_at,
            context.started_at,
            ended_at,
            self.grant,
            notes.steps(ended_at) if notes is not None else (),
            notes.tail().lines if notes is not None else (),
            notes.lost if notes is not None else 0,
            None,
            context.traceparent,
        )
