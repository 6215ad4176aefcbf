"""Limits in the simulated world: who submits limited work, and what the watch must never see.

The watch counts leases itself, by key, from claims and acknowledgements: it asks neither the store nor the limiter.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from random import Random
from typing import Any, Final

from shike.client import Client
from shike.errors import StoreError, StoreUnavailable
from shike.limit.gates import is_limit_gate, read
from shike.limit.kinds.concurrency import Concurrency
from shike.limit.kinds.fair_share import FairShare
from shike.limit.kinds.rate import Rate
from shike.model import RECORD_VERSION, Run
from shike.runtime import Runtime
from shike.store.codec import Plain
from shike.store.guards import Entry
from shike.task import Definition
from tests.sim.machines import Machine

CAP: Final = 2
SHARED_CAP: Final = 3
METERED: Final = (Concurrency(CAP, by="tenant"), Rate("20/s", by="tenant"))
SHARED: Final = (FairShare(SHARED_CAP, by="tenant", weights={"a": 2.0}),)
TENANTS: Final = ("a", "b", "c")
PAUSE_SECONDS: Final = 0.3


def keys_of(run: Run) -> list[tuple[str, int]]:
    """What a run counts against, and how many may be leased at once."""
    gate = read(run.gate) if is_limit_gate(run.gate) else None
    if gate is None:
        return []
    return [(run.task, SHARED_CAP)] if gate.task == "shared" else [(run.gate, CAP)]


class Tenants:
    """Submits in bursts, of one tenant far more than of the others, and sometimes changes its mind."""

    def __init__(self, tasks: Mapping[str, Definition], draw: Random, until: float) -> None:
        self.accepted: dict[int, str] = {}
        self._tasks = tasks
        self._draw = draw
        self._until = until

    async def main(self, machine: Machine, store: Any, runtime: Runtime) -> None:
        client = Client(lambda: store, runtime, Plain())
        await _insist(client.settle_here)
        loop = asyncio.get_running_loop()
        while loop.time() < self._until:
            await asyncio.sleep(self._draw.expovariate(1 / 4.0))
            task, tenant = self._draw.choice(("metered", "shared")), self._draw.choice(("a", "a", *TENANTS))
            await self._submit(machine, client, task, tenant, self._draw.choice((1, 2, 6)))
            if self._draw.random() < 0.1 and self.accepted:
                await _insist(client.cancel, self._draw.choice(list(self.accepted)), "changed my mind")

    async def _submit(self, machine: Machine, client: Client, task: str, tenant: str, count: int) -> None:
        definition = self._tasks[task]
        payload = definition.encode((tenant,), {})
        entries = []
        for n in range(count):
            run_id = await _insist(client.take_id, str(n))
            run = Run(RECORD_VERSION, run_id, task, payload, gate=definition.gate(payload))
            entries.append(Entry(run, delay_seconds=self._draw.choice((0.0, 0.0, self._draw.uniform(0.0, 5.0)))))
        try:
            answers = await client.deliver(entries)
        except StoreUnavailable:
            return
        self.accepted |= {answer.run_id: machine.name for answer in answers if answer.fresh}


async def _insist(verb: Any, *args: Any) -> Any:
    while True:
        try:
            return await verb(*args)
        except StoreError:
            await asyncio.sleep(PAUSE_SECONDS)
