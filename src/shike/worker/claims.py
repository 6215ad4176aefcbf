"""Asking the store for work: never more than free slots can start, plus a little ahead, one claim at a time."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterable, Mapping

from msgspec import Struct

from shike.bands import order_of
from shike.bounds import (
    BACKLOG_SLOTS_SHARE,
    CLAIM_AHEAD_SECONDS,
    CLAIM_RUNS_MAX,
    REPEAT_SECONDS_MIN,
    SLEEP_SECONDS_MAX,
)
from shike.clock import MICROS
from shike.errors import BadSetting, SessionClosed, StoreError
from shike.lanes import hall_of, is_routed, queue_of, worker_of
from shike.outage import Outage
from shike.runtime import woken
from shike.session import Member
from shike.store.base import Store
from shike.store.verbs import Batch, Claim, Want
from shike.task import Definition, check_name
from shike.track.settle import Grant
from shike.worker.quarantine import Quarantine
from shike.worker.starts import Starts

log = logging.getLogger("shike.worker")

GOLDEN_RATIO = 0.6180339887498949  # its multiples, cut to [0, 1), fill it evenly from any point on
EARLY_MICROS = 2_000  # a wake-up may come so much too early, by the store's clock
Tags = tuple[tuple[str, tuple[str, ...]], ...]  # (tag, the tasks that have it)
ROUNDING = 1e-9  # above what adding fractions loses, below what any weight gives


class QueueShare(Struct, frozen=True):
    """What a worker gives to one queue: at most `limit` runs at once (0: no limit), by `weight` where few are free."""

    name: str
    limit: int = 0
    weight: float = 1.0

    @classmethod
    def of(cls, share: QueueShare | str) -> QueueShare:
        """A share, or what `parse` makes of a text."""
        return share if isinstance(share, cls) else cls.parse(str(share))

    @classmethod
    def parse(cls, text: str) -> QueueShare:
        """`mail`, `mail:10` (at most ten at once), `mail:10*3` or `mail*3` (three times the share of the others)."""
        rest, _, weight = text.partition("*")
        name, _, limit = rest.partition(":")
        check_name("queue", name)
        try:
            share = cls(name, int(limit or 0), float(weight or 1))
        except ValueError:
            raise BadSetting(f"queue {text!r}: write NAME, NAME:LIMIT or NAME:LIMIT*WEIGHT") from None
        if (limit and share.limit < 1) or not 0 < share.weight < 1e6:
            raise BadSetting(f"queue {text!r}: a limit is at least 1 (leave it out for none), a weight above 0")
        return share


def divide(free: int, shares: Mapping[str, QueueShare], busy: Mapping[str, int], turn: int = 0) -> dict[str, int]:
    """How many of `free` places each queue may fill: by weight, within its limit, never more than `free` in all.

    What one queue's limit leaves over goes to the others. Where there are too few places to go round they go round in
    time: over many turns each queue gets its weight, and none waits for ever. (Systematic sampling, W. G. Madow 1949,
    with a start that moves by the golden ratio.)
    """
    start = (turn + 1) * GOLDEN_RATIO % 1.0
    room, reached = {}, start
    for name, part in _parts(free, shares, busy).items():
        before, reached = reached, reached + part
        if places := int(reached + ROUNDING) - int(before + ROUNDING):
            room[name] = places
    return room


def _parts(free: int, shares: Mapping[str, QueueShare], busy: Mapping[str, int]) -> dict[str, float]:
    """Each queue's fraction of the places; the tightest limits first, so that the others share what they leave."""
    room = {name: max(share.limit - busy.get(name, 0), 0) if share.limit else free for name, share in shares.items()}
    weight = sum(shares[name].weight for name in room if room[name])
    parts = dict.fromkeys(room, 0.0)
    left = float(free)
    for name in sorted((name for name in room if room[name]), key=lambda name: room[name] / shares[name].weight):
        parts[name] = min(left * shares[name].weight / weight, room[name])
        left -= parts[name]
        weight -= shares[name].weight
    return parts


def tags_of(tasks: Iterable[Definition]) -> Tags:
    """Which of these tasks have which tag: a claim says so, and what is paused by a tag is not granted."""
    found: dict[str, list[str]] = {}
    for task in tasks:
        for tag in task.tags:
            found.setdefault(tag, []).append(task.name)
    return tuple((tag, tuple(names)) for tag, names in found.items())


class Claimer:
    """The claim loop of one worker. `take` receives each batch that has runs.

    A queue is *hungry* while the store may have something in it for us. `quarantine` says how suspects are welcome, and
    when nothing is.
    """

    def __init__(
        self,
        store: Store,
        member: Member,
        *,
        slots: int,
        queues: Mapping[str, QueueShare],
        tasks: Callable[[], frozenset[str]],
        tags: Callable[[], Tags] = tuple,
        load: Callable[[], tuple[int, int, int]],
        busy_by_queue: Mapping[str, int],
        quarantine: Quarantine,
        take: Callable[[Batch], None],
        starts: Starts,
    ) -> None:
        self._store = store
        self._member = member
        self._slots = slots
        self.queues = queues
        self._tasks = tasks
        self._tags = tags
        self._tagged: tuple[frozenset[str], Tags] = (frozenset(), ())  # of these tasks, worked out once
        self._load = load  # runs under way, queued, of the backlog
        self._busy_by_queue = busy_by_queue
        self._quarantine = quarantine
        self._take = take
        self._starts = starts
        self._monotonic = starts.clock.monotonic
        self._hungry: dict[str, None] = dict.fromkeys(queues)
        self._wake = asyncio.Event()
        self._quiet = asyncio.Event()  # no claim is on its way
        self._quiet.set()
        self._timer: asyncio.TimerHandle | None = None
        self._turn = 0
        self._unheard = False  # an answer to the present number was lost: what comes may be an old batch
        self._outage = Outage(log, "claiming")
        self.grants: dict[str, Grant] = {}  # of the last claim, by the queues of its runs
        self.number = 1
        self.received = 0
        self.paused = False
        self.exact = False  # slots stand empty for a gang: nothing is claimed ahead that would take them
        self.runs_per_second = 0.0

    def poke(self, queue: str = "") -> None:
        """There may be work in the store, in this queue or in any: look as soon as there is room."""
        if not queue:
            self._hungry = dict.fromkeys(self.queues)
        elif self.serves(queue):
            self._hungry[queue] = None
        self.room()

    def serves(self, lane: str) -> bool:
        """Whether it may claim from this lane: one of its queues, or its own beside one of them."""
        if lane in self.queues:
            return True
        session = self._member.session
        return session is not None and worker_of(lane) == session.id and queue_of(lane) in self.queues

    def room(self) -> None:
        """A place became free: look, if there is reason to."""
        if self._hungry:
            self._wake.set()

    def start_again(self) -> None:
        """A new session counts its claims from 1."""
        self.number, self.received, self._unheard = 1, 0, False
        self.poke()

    async def rest(self, seconds: float) -> None:
        """Claim no more, and wait for the answer that is on its way: nobody else would give those runs back."""
        self.paused = True
        await woken(self._quiet, seconds)

    async def run(self) -> None:
        """The role: claims whenever there is hunger and room."""
        while True:
            await self._wake.wait()
            self._wake.clear()
            fruitless = 0  # what is there may be over its share: then it waits until something ends
            while fruitless < len(self.queues) and (wants := self._wants()):
                for want in wants:  # now: what is told while the claim is on its way may not be in its answer
                    self._hungry.pop(want.queue, None)
                batch = await self._claim(wants)
                if batch is None:
                    self._still_hungry(wants)
                    break
                fruitless = 0 if batch.runs else fruitless + 1
                self._digest(batch, wants)

    def _may(self) -> bool:
        return not (self.paused or self._quarantine.closed) and self._member.valid()

    def _wants(self) -> tuple[Want, ...]:
        wants = self._fitting() if self._may() else ()
        self._starts.looked(self._hungry, wants, self._member.store_now())
        return wants

    def _fitting(self) -> tuple[Want, ...]:
        under_way, queued, backlog = self._load()
        ahead = max(min(int(self.runs_per_second * CLAIM_AHEAD_SECONDS), CLAIM_RUNS_MAX - self._slots), 0)
        if self.exact:
            ahead = 0
        free = self._slots + ahead - under_way - queued
        if not self._hungry or free <= 0 or queued > ahead // 2:
            return ()
        self._turn += 1
        spare = max(int(self._slots * BACKLOG_SLOTS_SHARE), 1) - backlog
        shares, busy = self._shares()
        wants = []
        for name, count in divide(min(free, CLAIM_RUNS_MAX), shares, busy, self._turn).items():
            share = min(count, max(spare, 0))
            spare -= share
            wants.append(Want(name, count, share))
        return tuple(wants)

    def _shares(self) -> tuple[dict[str, QueueShare], Mapping[str, int]]:
        """What each hungry lane may have, and what it has. Of one queue only one lane is asked at a time, so that both
        together keep within its limit: the worker's own first."""
        names = self._in_turn()
        own = {queue_of(name): name for name in names if is_routed(name)}
        if not own:
            return {name: self.queues[name] for name in names}, self._busy_by_queue
        asked = [own.get(name, name) for name in dict.fromkeys(map(queue_of, names))]
        shares = {name: self.queues[queue_of(name)] for name in asked}
        return shares, {name: self._busy_of(queue_of(name)) for name in asked}

    def _busy_of(self, queue: str) -> int:
        return self._busy_by_queue.get(queue, 0) + self._busy_by_queue.get(hall_of(queue), 0)

    def _in_turn(self) -> list[str]:
        """The hungry queues, each turn another one first: the first is served first with what is scarce."""
        names = list(self._hungry)
        first = self._turn % len(names)
        return names[first:] + names[:first]

    async def _claim(self, wants: tuple[Want, ...]) -> Batch | None:
        self._quiet.clear()
        asked, rooms = self._monotonic(), {want.queue: self._starts.room_at(want.queue) for want in wants}
        try:
            return await self._ask(wants)
        finally:
            self._quiet.set()
            micros = int((self._monotonic() - asked) * MICROS)
            self.grants = {
                _of_runs(lane): Grant(self._places(lane), micros, room_at) for lane, room_at in rooms.items()
            }

    def _places(self, lane: str) -> int:
        """All slots; or, told below 0, the fewer ones that its queue may have."""
        share = self.queues.get(lane) or self.queues.get(queue_of(lane))
        return -share.limit if share is not None and 0 < share.limit < self._slots else self._slots

    async def _ask(self, wants: tuple[Want, ...]) -> Batch | None:
        member = self._member
        session = member.session
        if session is None:
            return None
        manner, most = self._quarantine.wish()
        tasks = self._tasks()
        if tasks is not self._tagged[0]:
            self._tagged = (tasks, self._tags())
        request = Claim(
            session=session.id,
            number=self.number,
            wants=wants,
            tasks=tasks,
            suspects=manner,
            suspects_max=most,
            bands=order_of(self.number),
            tags=self._tagged[1],
        )
        while member.session is session:
            try:
                batch = await self._store.claim(request)
                self._outage.over()
                if member.session is session and member.valid():
                    return batch
                # An answer to an earlier life, or to a process that slept past its lease, is not believed: the runs
                # may be another's by now. If they are not, the same number brings them again.
                self._unheard = member.session is session
                return None
            except SessionClosed:  # the next beat will say so, too, and start a new life
                await asyncio.sleep(REPEAT_SECONDS_MIN)
            except StoreError as error:  # the same number again: if it was granted, the same batch comes back
                self._unheard = True
                await asyncio.sleep(self._outage.pause(error))
        return None

    def _digest(self, batch: Batch, wants: tuple[Want, ...]) -> None:
        if batch.more or self._unheard:
            self._still_hungry(wants)
        if not self._unheard:
            self._starts.claimed(batch, wants)
        self._unheard = False
        if batch.runs:
            self._take(batch)  # first: a beat that names this number as received has to name its lease as held
            self.received = self.number
            self.number += 1
        if batch.next_at and (not batch.runs or batch.next_at - batch.now <= EARLY_MICROS):
            self._look_again(batch.next_at - batch.now)  # the wake-up for it may have been spent on this claim

    def _still_hungry(self, wants: tuple[Want, ...]) -> None:
        for want in wants:
            if self.serves(want.queue):  # not the lane of the session before: the router looks after that
                self._hungry[want.queue] = None

    def _look_again(self, micros: int) -> None:
        """A wake-up came early, by the store's clock: this is the time left."""
        seconds = max(micros / MICROS, 0.0)
        if seconds > SLEEP_SECONDS_MAX:
            return
        loop = asyncio.get_running_loop()
        if self._timer is not None:
            if loop.time() < self._timer.when() <= loop.time() + seconds:
                return
            self._timer.cancel()
        self._timer = loop.call_later(seconds, self.poke)


def _of_runs(lane: str) -> str:
    """The queue that the runs of a lane name: those in a worker's own were submitted to a hall."""
    return hall_of(queue_of(lane)) if is_routed(lane) else lane
