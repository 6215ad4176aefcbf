"""The gatekeeper: admits what waits for a permit, when its moment comes and whenever a holder ends."""

from __future__ import annotations

import asyncio
import logging

from shike.errors import StoreError
from shike.ids import virtual_bucket
from shike.model import Overlap, Schedule
from shike.scheduler.buckets import Buckets
from shike.scheduler.overlap import decide
from shike.store.base import Store
from shike.store.hints import Hint, HintKind

log = logging.getLogger("shike.scheduler")

REPEAT_SECONDS = 0.5
ROUNDS_MAX = 100  # per gate and wake-up; a longer queue goes on at the next one


class Gatekeeper:
    """Looks at gates one by one; each look is a read, a pure decision, and moves that the store checks again."""

    def __init__(self, store: Store, buckets: Buckets) -> None:
        self._store = store
        self._buckets = buckets
        self._gates: dict[str, None] = {}
        self._wake = asyncio.Event()

    def due(self, gate: str) -> None:
        """Runs at this gate are due, or its permits changed."""
        self._gates[gate] = None
        self._wake.set()

    def hinted(self, hint: Hint) -> None:
        if hint.kind is HintKind.FREED:
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
                except StoreError as error:
                    log.warning("gate %s is looked at again: %s", gate, error)
                    asyncio.get_running_loop().call_later(REPEAT_SECONDS, self.due, gate)

    async def _look(self, gate: str) -> None:
        name = gate.partition("/")[2]
        if self._buckets.holder_of(virtual_bucket(name, self._store.virtual_buckets)) is None:
            return  # another node's
        planned = await self._store.schedule(name)
        schedule = planned.schedule if planned else _gone(name)
        for _ in range(ROUNDS_MAX):
            now = await self._store.now()
            waiters = [gated for gated in await self._store.gate_waiters(gate) if gated.run_at <= now]
            if not waiters:
                return
            moves = decide(schedule, await self._store.holders(gate), waiters)
            if not moves:
                return
            await self._store.move(moves)
            if len(waiters) == len(moves) or schedule.overlap is Overlap.CANCEL_PREVIOUS:
                return


def _gone(name: str) -> Schedule:
    """A schedule that nobody remembers holds its runs back no more than one at a time."""
    return Schedule(name=name, task="", trigger=b"", overlap=Overlap.QUEUE_ALL, overlap_max=1)
