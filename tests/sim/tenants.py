"""Limits in the simulated world: who submits limited work, and what the watch must never see.

The watch counts leases itself, by key, from claims and acknowledgements: it asks neither the store nor the limiter.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from random import Random
from typing import Any, Final

from shike.call import Task
from shike.client import Client
from shike.errors import StoreError, StoreUnavailable
from shike.graph import Graph
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
LIMITED: Final = ("metered", "shared")
TENANTS: Final = ("a", "b", "c")
PAUSE_SECONDS: Final = 0.3
PLANS_EVERY, PLANS_REST = 5, 2  # every so many seeds have planners


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


class Planners:
    """Submit graphs whose runs have limits, and runs that somebody made who knew of no limits: those have no gate."""

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
            await asyncio.sleep(self._draw.expovariate(1 / 5.0))
            submit = self._strays if self._draw.random() < 0.5 else self._graph
            try:
                ids = await submit(client)
            except StoreError:
                continue  # it may have been stored
            self.accepted |= dict.fromkeys(ids, machine.name)

    async def _strays(self, client: Client) -> list[int]:
        entries = []
        for n in range(self._draw.choice((1, 2, 4))):
            payload = self._tasks["metered"].encode((self._draw.choice(TENANTS),), {})
            run_id = await client.take_id(str(n))
            entries.append(Entry(Run(RECORD_VERSION, run_id, "metered", payload), delay_seconds=0.0))
        return [answer.run_id for answer in await client.deliver(entries)]

    async def _graph(self, client: Client) -> list[int]:
        graph, draw = Graph(client), self._draw
        quick: Task[..., Any] = Task(client, self._tasks["quick"], print)
        limited: Task[..., Any] = Task(client, self._tasks[draw.choice(("metered", "shared"))], print)
        first = graph.add(limited.bind("a") if draw.random() < 0.3 else quick.bind())
        middle = [
            graph.add(limited.bind(draw.choice(TENANTS)), on_parent="continue").after(first)
            for _ in range(draw.choice((1, 3, 5)))
        ]
        graph.add(quick.bind(), on_parent="continue").after(*middle, on_parent="continue")
        await graph.submit()
        return [int(node.handle.id) for node in graph.nodes]


async def _insist(verb: Any, *args: Any) -> Any:
    while True:
        try:
            return await verb(*args)
        except StoreError:
            await asyncio.sleep(PAUSE_SECONDS)
