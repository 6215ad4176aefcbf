"""Asking the store for work: never more than free slots can start, plus a little ahead, one claim at a time."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping

from msgspec import Struct

from shike.bounds import (
    AGEING_CLAIMS,
    BACKLOG_SLOTS_SHARE,
    BANDS,
    CLAIM_AHEAD_SECONDS,
    CLAIM_RUNS_MAX,
    SLEEP_SECONDS_MAX,
)
from shike.clock import MICROS, Clock
from shike.errors import BadSetting, SessionClosed, StoreError
from shike.session import Member
from shike.store.base import Batch, Claim, Store, Want
from shike.task import check_name

log = logging.getLogger("shike.worker")

IN_ORDER = tuple(range(BANDS))
LOWEST_FIRST = tuple(reversed(IN_ORDER))
REPEAT_SECONDS = 0.1


class QueueShare(Struct, frozen=True):
    """What a worker gives to one queue: at most `limit` runs at once (0: no limit), by `weight` where few are free."""

    name: str
    limit: int = 0
    weight: float = 1.0

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
        if share.limit < 0 or not 0 < share.weight < 1e6:
            raise BadSetting(f"queue {text!r}: the limit cannot be negative and the weight must be above 0")
        return share


def divide(free: int, shares: Mapping[str, QueueShare], busy: Mapping[str, int]) -> dict[str, int]:
    """How many of `free` places each queue may fill: all of them where nobody else wants any, by weight otherwise.

    The first pass gives each queue its weighted part, rounded up, so that every queue gets at least one place in
    turn; the store fills them in this order and stops at `free`.
    """
    total = sum(share.weight for share in shares.values())
    room = {}
    for name, share in shares.items():
        part = -(-free * share.weight // total)
        if share.limit:
            part = min(part, share.limit - busy.get(name, 0))
        if part > 0:
            room[name] = int(part)
    return room


class Claimer:
    """The claim loop of one worker. `take` receives each batch that has runs."""

    def __init__(
        self,
        store: Store,
        member: Member,
        clock: Clock,
        *,
        slots: int,
        queues: Mapping[str, QueueShare],
        tasks: Callable[[], frozenset[str]],
        load: Callable[[], tuple[int, int, int]],
        busy_by_queue: Mapping[str, int],
        take: Callable[[Batch], None],
    ) -> None:
        self._store = store
        self._member = member
        self._clock = clock
        self._slots = slots
        self.queues = queues
        self._tasks = tasks
        self._load = load  # runs under way, queued, of the backlog
        self._busy_by_queue = busy_by_queue
        self._take = take
        self._wake = asyncio.Event()
        self._timer: asyncio.TimerHandle | None = None
        self.number = 1
        self.received = 0
        self.hungry = True  # the store may have something for us
        self.paused = False
        self.runs_per_second = 0.0

    def poke(self) -> None:
        """There may be work in the store: look as soon as there is room."""
        self.hungry = True
        self._wake.set()

    def room(self) -> None:
        """A slot became free: look, if there is reason to."""
        if self.hungry:
            self._wake.set()

    def start_again(self) -> None:
        """A new session counts its claims from 1."""
        self.number, self.received, self.hungry = 1, 0, True
        self._wake.set()

    async def run(self) -> None:
        """The role: claims whenever there is hunger and room."""
        while True:
            await self._wake.wait()
            self._wake.clear()
            while self.hungry and not self.paused and self._member.valid() and (wants := self._wants()):
                batch = await self._claim(wants)
                if batch is None:
                    break
                self._digest(batch, wants)

    def _wants(self) -> tuple[Want, ...]:
        under_way, queued, backlog = self._load()
        ahead = min(int(self.runs_per_second * CLAIM_AHEAD_SECONDS), CLAIM_RUNS_MAX - self._slots)
        if queued > max(ahead, 0) // 2:
            return ()
        free = self._slots + max(ahead, 0) - under_way - queued
        if free <= 0:
            return ()
        spare = max(int(self._slots * BACKLOG_SLOTS_SHARE) - backlog, 0)
        rooms = divide(min(free, CLAIM_RUNS_MAX), self.queues, self._busy_by_queue)
        return tuple([Want(name, count, min(count, spare)) for name, count in rooms.items()])

    async def _claim(self, wants: tuple[Want, ...]) -> Batch | None:
        member = self._member
        bands = LOWEST_FIRST if self.number % AGEING_CLAIMS == 0 else IN_ORDER
        session = member.session
        if session is None:
            return None
        request = Claim(session=session.id, number=self.number, wants=wants, tasks=self._tasks(), bands=bands)
        while member.session is session:
            try:
                batch = await self._store.claim(request)
                # An answer to an earlier life, or to a process that slept past its lease, is not believed: the runs
                # may be another's by now. If they are not, the same number brings them again.
                return batch if member.session is session and member.valid() else None
            except SessionClosed:  # the next beat will say so, too, and start a new life
                await asyncio.sleep(REPEAT_SECONDS)
            except StoreError as error:  # the same number again: if it was granted, the same batch comes back
                log.warning("claim %d is repeated: %s", self.number, error)
                await asyncio.sleep(REPEAT_SECONDS)
        return None

    def _digest(self, batch: Batch, wants: tuple[Want, ...]) -> None:
        self.hungry = batch.more
        if batch.runs:
            self.received = self.number
            self.number += 1
            self._take(batch)
        elif batch.next_at:
            self._look_again(batch.next_at - batch.now)

    def _look_again(self, micros: int) -> None:
        """A wake-up came early, by the store's clock: this is the time left."""
        if self._timer is not None:
            self._timer.cancel()
        seconds = max(micros / MICROS, 0.0)
        if seconds <= SLEEP_SECONDS_MAX:
            self._timer = asyncio.get_running_loop().call_later(seconds, self.poke)
