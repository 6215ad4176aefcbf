"""The gatekeeper: admits what waits for a permit, when its moment comes and whenever a holder ends."""

from __future__ import annotations

import asyncio
import logging

from shike.errors import StoreError
from shike.ids import virtual_bucket
from shike.limit.gates import is_limit_gate
from shike.model import Overlap, Schedule
from shike.outage import Outage
from shike.scheduler.approvals import expire
from shike.scheduler.buckets import Buckets
from shike.scheduler.overlap import decide, looks_at
from shike.store.base import Store
from shike.store.children import is_graph_gate
from shike.store.hints import Hint, HintKind

log = logging.getLogger("shike.scheduler")

TURN_SECONDS = 0.5
ROUNDS_MAX = 100  # per gate, before it waits for its next turn


class Gatekeeper:
    """Looks at gates one by one; each look is a read, a pure decision, and moves that the store checks again."""

    def __init__(self, store: Store, buckets: Buckets) -> None:
        self._store = store
        self._buckets = buckets
        self._gates: dict[str, None] = {}
        self._wake = asyncio.Event()
        self._outage = Outage(log, "looking at gates")

    def due(self, gate: str) -> None:
        """Runs at this gate are due, or its permits changed."""
        self._gates[gate] = None
        self._wake.set()

    def hinted(self, hint: Hint) -> None:
        if hint.kind is HintKind.FREED and not is_limit_gate(hint.name):
            self.due(hint.name)

    async def run(self) -> None:
        """The role."""
        while True:
            await self._wake.wait()
            self._wake.clear()
            gates, self._gates = self._gates, {}
            for gate in gates:
                try:
                    await self._look(gate)
                    self._outage.over()
                except StoreError as error:
                    self._again(gate, self._outage.pause(error))

    def _again(self, gate: str, seconds: float) -> None:
        asyncio.get_running_loop().call_later(seconds, self.due, gate)

    async def _look(self, gate: str) -> None:
        if is_graph_gate(gate):
            if await expire(self._store, gate):
                self._again(gate, TURN_SECONDS)
            return
        name = gate.partition("/")[2]
        home = virtual_bucket(name, self._store.virtual_buckets)
        if self._buckets.holder_of(home) is None:
            if self._buckets.is_unsure_of(home):  # as after a pause: nobody else may look before the sweep
                self._again(gate, TURN_SECONDS)
            return  # another node's
        planned = await self._store.schedule(name)
        schedule = planned.schedule if planned else _gone(name)
        for _ in range(ROUNDS_MAX):
            if not await self._round(gate, schedule):
                return
        self._again(gate, TURN_SECONDS)

    async def _round(self, gate: str, schedule: Schedule) -> bool:
        """Admit, skip and stop whom the first in the queue call for; whether there may be more to do."""
        holders = await self._store.holders(gate)
        count = looks_at(schedule, len(holders))
        if not count:
            return False
        now = await self._store.now()
        waiters = [gated for gated in await self._store.gate_waiters(gate, count) if gated.run_at <= now]
        moves = decide(schedule, holders, waiters)
        if moves:
            await self._store.move(moves)
        asked_to_stop = schedule.overlap is Overlap.CANCEL_PREVIOUS  # and has not ended yet: asking again is no help
        return bool(moves) and not (asked_to_stop and len(waiters) < count)


def _gone(name: str) -> Schedule:
    """A schedule that nobody remembers holds its runs back no more than one at a time."""
    return Schedule(name=name, task="", trigger=b"", overlap=Overlap.QUEUE_ALL, overlap_max=1)
