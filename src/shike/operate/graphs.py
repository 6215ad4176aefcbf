"""Why a run of a graph waits: which of its parents are not over, or that it needs approval; and a whole graph's end."""

from __future__ import annotations

from collections import Counter
from datetime import datetime
from itertools import islice

from msgspec import Struct
from msgspec.structs import replace

from shike import graph
from shike.client import Client
from shike.clock import to_datetime
from shike.errors import Conflict, NotFound
from shike.ids.runs import BUCKET_BITS
from shike.lanes import queue_of
from shike.limit.gates import is_limit_gate
from shike.model import TERMINAL, Ended, Live, State
from shike.operate.facts import instant, state_now
from shike.store.base import RunFilter, Store
from shike.store.children import UNTIL_FREED, parents
from shike.track.approval import awaits

PARENTS_TOLD = 20  # of those that are not over; of the rest it is told how many there are
NODES_TOLD = 1_000  # of one graph at once
TIES_TOLD = 1_000  # of one run to its parents


class Parent(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One run that another one waits for."""

    run: str
    task: str
    state: str
    on_parent: str
    when: str = ""
    attempt: int = 0  # the one under way, or to come after others; 0: none was made yet
    worker: str = ""  # who has it, by name, where that is known

    def __str__(self) -> str:
        where = f" on {self.worker}" if self.worker else ""
        return f"{self.run} ({self.task}) {self.state}{where}{f', attempt {self.attempt}' if self.attempt > 1 else ''}"


class Waits(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What a run waits for. `states`: of all its parents, how many are in each state."""

    states: dict[str, int]
    parents: tuple[Parent, ...] = ()  # the first that are not over
    approval_until: str = ""

    def __str__(self) -> str:
        if self.approval_until:
            return f"waits for approval until {self.approval_until}: shike approvals show"
        told = ", ".join(map(str, self.parents))
        over = sum(self.states.values())
        left = sum(count for state, count in self.states.items() if state not in _OVER)
        more = f" and {left - len(self.parents)} more" if left > len(self.parents) else ""
        return f"waits for {left} of {over} parents: {told}{more}"


class Tie(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What a run has to do with one of its parents."""

    run: str
    on_parent: str
    when: str = ""


class NodeFacts(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One run of a graph."""

    run: str
    name: str  # as it was given; else its business key, or empty
    task: str
    queue: str
    state: str
    after: tuple[Tie, ...] = ()
    reason: str = ""
    due_at: datetime | None = None
    ended_at: datetime | None = None
    attempts: int = 0
    approval_until: datetime | None = None  # it waits for a person, until then


class GraphFacts(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A graph as it is now. `states`: how many of the runs that are told of are in each state."""

    graph: str
    size: int
    is_over: bool
    states: dict[str, int]
    nodes: tuple[NodeFacts, ...]
    next: str = ""  # the `cursor` of the following nodes


_OVER = {state.name for state in (State.SUCCESS, State.DEAD, State.CANCELLED, State.SKIPPED)}


async def cancel(client: Client, run_id: int, reason: str) -> int:
    """Take back the whole graph that a run belongs to; how many of its runs were taken back, or asked to stop. Raises
    `Conflict` for a run of no graph, `NotFound`."""
    store = await client.store()
    known = await store.find(run_id)
    if known is None:
        raise NotFound(f"there is no run {run_id}: never submitted here, or its history was dropped")
    if known.run.ties is None:
        raise Conflict(f"run {run_id} of {known.run.task} belongs to no graph; cancel it alone")
    return await graph.cancel(client, known.run.ties.graph, known.run.ties.size, reason)


async def picture(client: Client, run_id: int, *, skip: int = 0, limit: int = NODES_TOLD) -> GraphFacts:
    """The graph that a run belongs to: its nodes, parents first, from the `skip`-th on. A run whose history was dropped
    is left out. Raises `NotFound`; `Conflict` for a run of no graph."""
    store = await client.store()
    known = await _of_graph(store, run_id)
    ties = known.run.ties
    assert ties is not None
    now, limit = await store.now(), min(limit, NODES_TOLD)
    last = min(skip + limit, ties.size)
    end = ties.graph + (last << BUCKET_BITS)  # ids of a graph follow each other, and no other run has one in between
    found = await store.runs(RunFilter(before=end, limit=max(last - skip, 1)))
    rows = [one for one in reversed(found) if ties.graph + (skip << BUCKET_BITS) <= one.run.id < end]
    nodes = tuple([_node(one, ties.graph, now) for one in rows])
    return GraphFacts(
        graph=str(ties.graph),
        size=ties.size,
        is_over=all(one.state in TERMINAL for one in rows),
        states=dict(Counter(node.state for node in nodes)),
        nodes=nodes,
        next=str(last) if last < ties.size else "",
    )


def _node(known: Live | Ended, graph_id: int, now: int) -> NodeFacts:
    run, over = known.run, known if isinstance(known, Ended) else None
    ties = [
        Tie(run=str(parent), on_parent=link.on_parent.value, when=link.when)
        for parent, link in islice(parents(run), TIES_TOLD)
    ]
    asked = isinstance(known, Live) and awaits(known)
    return NodeFacts(
        run=str(run.id),
        name=run.key.removeprefix(f"{graph_id}/"),
        task=run.task,
        queue=queue_of(run.queue),
        state=state_now(known, now).name,
        after=tuple(ties),
        reason=over.reason if over else "",
        due_at=instant(run.due_at) if not run.ties or not run.ties.after else None,
        ended_at=instant(over.ended_at) if over else None,
        attempts=known.attempts,
        approval_until=to_datetime(known.run_at) if asked and isinstance(known, Live) else None,
    )


async def _of_graph(store: Store, run_id: int) -> Live | Ended:
    known = await store.find(run_id)
    if known is None:
        raise NotFound(f"there is no run {run_id}: never submitted here, or its history was dropped")
    if known.run.ties is None:
        raise Conflict(f"run {run_id} of {known.run.task} belongs to no graph")
    return known


async def waits(store: Store, known: Live) -> Waits | None:
    """Why a run waits; None for one that waits for no others and no approval. Looks at each parent: as slow as it has
    many."""
    if known.state is not State.WAITING or known.run.ties is None:
        return None
    if is_limit_gate(known.run.gate) and known.run_at < UNTIL_FREED:
        return None
    if awaits(known):
        return Waits(states={}, approval_until=f"{to_datetime(known.run_at):%Y-%m-%d %H:%M:%S} UTC")
    now, states, told = await store.now(), Counter[str](), list[Parent]()
    links = dict(parents(known.run))
    over = await store.outcomes(list(links))
    for parent_id, link in links.items():
        parent = over.get(parent_id) or await store.find(parent_id)
        state = state_now(parent, now).name if parent is not None else "not kept any more"
        states[state] += 1
        if isinstance(parent, Live) and len(told) < PARENTS_TOLD:
            told.append(
                Parent(
                    run=str(parent_id),
                    task=parent.run.task,
                    state=state,
                    on_parent=link.on_parent.value,
                    when=link.when,
                    attempt=parent.attempts + 1 if parent.state is State.RUNNING or parent.attempts else 0,
                    worker=parent.worker,
                )
            )
    return Waits(states=dict(states), parents=tuple(await _named(store, told)))


async def _named(store: Store, told: list[Parent]) -> list[Parent]:
    """With the names of the workers, where sessions are known."""
    if not any(parent.worker for parent in told):
        return told
    names = {one.id: one.name for one in await store.sessions(all=True)}
    return [replace(parent, worker=names.get(parent.worker, parent.worker[:8])) for parent in told]
