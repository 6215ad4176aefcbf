"""Graphs in the simulated world: who makes them, who approves, and a book that says what must become of each run.

The book knows the rules from `tests.contract.graphs`, which works everything out anew after each end; it asks the store
for nothing but how a run ended that nobody acknowledged.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from random import Random
from typing import Any

from shike.call import Task
from shike.client import Client
from shike.errors import ApprovalError, Conflict, NotFound, StoreError
from shike.graph import Graph, Node
from shike.limit.gates import is_limit_gate
from shike.model import TERMINAL, Ended, Live, OnParent, Run, State
from shike.operate import approvals
from shike.runtime import Runtime
from shike.store.children import parents
from shike.store.codec import Plain
from shike.task import Definition
from tests.contract.graphs import fates
from tests.sim.machines import Machine

TASKS = ("instant", "quick", "quick", "flaky", "hopeless", "once", "chooser", "taker")
BRANCHES = ("x", "y")
APPROVAL_SECONDS = 20.0
LOOK_SECONDS = 4.0


class Book:
    """What must become of the runs of every graph."""

    def __init__(self, find: Callable[[int], Live | Ended | None]) -> None:
        self._find = find
        self.edges: dict[int, dict[int, list[tuple[int, OnParent, str]]]] = {}  # by graph
        self.approvals: dict[int, float] = {}  # run -> how long it waits for one
        self._ends: dict[int, list[tuple[int, State, tuple[str, ...]]]] = {}
        self._graphs: dict[int, int] = {}  # run -> graph

    def enter(self, run: Run) -> None:
        assert run.ties is not None
        graph = run.ties.graph
        self._graphs[run.id] = graph
        self.edges.setdefault(graph, {})[run.id] = [(one, link.on_parent, link.when) for one, link in parents(run)]
        self._ends.setdefault(graph, [])
        if run.ties.approval_seconds:
            self.approvals[run.id] = run.ties.approval_seconds

    def ended(self, run_id: int, state: State, chosen: tuple[str, ...] = ()) -> dict[int, State]:
        """A run ended by itself, or by somebody's word; what the runs of its graph are from then on."""
        graph = self._graphs.get(run_id)
        if graph is None:
            return {}
        if all(run_id != known for known, _, _ in self._ends[graph]):
            self._ends[graph].append((run_id, state, chosen))
        return self.states(graph)

    def of(self, run_id: int) -> dict[int, State]:
        graph = self._graphs.get(run_id)
        return {} if graph is None else self.states(graph)

    def states(self, graph: int) -> dict[int, State]:
        edges = {
            str(run_id): [(str(one), on, when) for one, on, when in listed]
            for run_id, listed in self.edges[graph].items()
        }
        ends = [(str(run_id), state, chosen) for run_id, state, chosen in self._ends[graph]]
        found = fates(edges, ends, {name: self._seen(int(name)) for name in edges})
        return {int(name): state for name, state in found.items()}

    def freed_early(self, run_id: int) -> tuple[int, int] | None:
        """A run of the same graph that does not wait, and a parent of it that is not over; None: there is none such."""
        for child, edges in self.edges.get(self._graphs.get(run_id, 0), {}).items():
            row = self._find(child)
            if row is None or row.state in (State.WAITING, State.DEAD, State.CANCELLED, State.SKIPPED):
                continue
            for parent, _, _ in edges:
                if isinstance(self._find(parent), Live):
                    return child, parent
        return None

    def _seen(self, run_id: int) -> State:
        row = self._find(run_id)
        return State.WAITING if row is None else row.state


class Agents:
    """Whoever makes plans of several steps, and the people who approve of some. `succeeded`: how often a run was
    approved, as far as they were told."""

    def __init__(self, tasks: Mapping[str, Definition], draw: Random, until: float) -> None:
        self.accepted: dict[int, str] = {}
        self.succeeded: dict[int, int] = {}
        self._tasks = tasks
        self._draw = draw
        self._until = until

    async def main(self, machine: Machine, store: Any, runtime: Runtime) -> None:
        client = Client(lambda: store, runtime, Plain())
        while True:
            try:
                await client.settle_here()
                break
            except StoreError:
                await asyncio.sleep(0.3)
        loop = asyncio.get_running_loop()
        while True:
            await asyncio.sleep(self._draw.expovariate(1 / LOOK_SECONDS))
            try:
                if loop.time() < self._until:
                    await self._submit(machine, client)
                await self._approve(client)
            except StoreError:
                continue  # either may have happened

    async def _submit(self, machine: Machine, client: Client) -> None:
        graph, draw = Graph(client), self._draw
        nodes: list[Node[Any]] = []
        for _ in range(draw.randint(2, 7)):
            before = draw.sample(nodes, min(len(nodes), draw.choice((0, 1, 1, 2, 3))))
            nodes.append(self._add(graph, client, before))
        await graph.submit()
        self.accepted |= {int(node.handle.id): machine.name for node in nodes}
        if draw.random() < 0.05:
            await graph.cancel("changed my mind")

    def _add(self, graph: Graph, client: Client, before: list[Node[Any]]) -> Node[Any]:
        draw = self._draw
        definition = self._tasks[draw.choice(TASKS)]
        task: Task[..., Any] = Task(client, definition, definition.handler or print)
        call = task.bind([one.result for one in before]) if definition.name == "taker" else task.bind()
        on = draw.choice((OnParent.SKIP, OnParent.CONTINUE, OnParent.CONTINUE, OnParent.FAIL))
        node = graph.add(call, on_parent=on, approval=APPROVAL_SECONDS if draw.random() < 0.15 else None)
        for parent in before:
            if parent.call.definition.name == "chooser" and draw.random() < 0.7:
                node.when(parent, draw.choice(BRANCHES), on_parent=on)
            else:
                node.after(parent, on_parent=on)
        return node

    async def _approve(self, client: Client) -> None:
        for request in await approvals.requests(client):
            if self._draw.random() < 0.6:
                names = ("ann", "bob") if self._draw.random() < 0.4 else ("ann",)
                await asyncio.gather(*[self._say_yes(client, request, name) for name in names])

    async def _say_yes(self, client: Client, request: approvals.Request, name: str) -> None:
        try:
            await approvals.approve(client, int(request.run), request.digest, by=name)
        except (ApprovalError, Conflict, NotFound):
            return
        except StoreError:
            return  # nobody knows
        self.succeeded[int(request.run)] = self.succeeded.get(int(request.run), 0) + 1


def judge(world: Any) -> None:
    """At the end each run of a graph is what the rules say, and nobody was approved twice."""
    watch, book = world.watch, world.watch.graphs
    for graph in book.edges:
        for run_id, state in book.states(graph).items():
            row = world.read("find", run_id)
            if row is None:
                continue  # said elsewhere
            is_over = row.state in TERMINAL
            if (state in TERMINAL) != is_over and state is not State.SCHEDULED:
                watch.object("P1", f"run {run_id} is {row.state.name}; by the rules of its graph it is {state.name}")
            elif (
                row.state is State.WAITING
                and state is State.SCHEDULED
                and not (run_id in book.approvals or is_limit_gate(row.run.gate))
            ):
                watch.object("P1", f"run {run_id} waits for parents that are all over")
    for run_id, times in world.approved.items():
        if times > 1:
            watch.object("P3", f"run {run_id} was approved {times} times")
