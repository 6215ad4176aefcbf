"""Why a run of a graph waits: which of its parents are not over, or that it needs approval; and a whole graph's end."""

from __future__ import annotations

from collections import Counter

from msgspec import Struct

from shike import graph
from shike.client import Client
from shike.clock import to_datetime
from shike.errors import Conflict, NotFound
from shike.model import Live, State
from shike.operate.facts import state_now
from shike.store.base import Store
from shike.store.children import parents
from shike.track.approval import awaits

PARENTS_TOLD = 20  # of those that are not over; of the rest it is told how many there are


class Parent(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One run that another one waits for."""

    run: str
    task: str
    state: str
    on_parent: str
    when: str = ""


class Waits(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What a run waits for. `states`: of all its parents, how many are in each state."""

    states: dict[str, int]
    parents: tuple[Parent, ...] = ()  # the first that are not over
    approval_until: str = ""

    def __str__(self) -> str:
        if self.approval_until:
            return f"waits for approval until {self.approval_until}: shike approvals show"
        told = ", ".join(f"{parent.run} ({parent.task}) {parent.state}" for parent in self.parents)
        over = sum(self.states.values())
        left = sum(count for state, count in self.states.items() if state not in _OVER)
        more = f" and {left - len(self.parents)} more" if left > len(self.parents) else ""
        return f"waits for {left} of {over} parents: {told}{more}"


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


async def waits(store: Store, known: Live) -> Waits | None:
    """Why a run waits; None for one that waits for no others and no approval. Looks at each parent: as slow as it has
    many."""
    if known.state is not State.WAITING or known.run.ties is None:
        return None
    if awaits(known):
        return Waits(states={}, approval_until=f"{to_datetime(known.run_at):%Y-%m-%d %H:%M:%S} UTC")
    now, states, told = await store.now(), Counter[str](), list[Parent]()
    for parent_id, link in parents(known.run):
        parent = await store.find(parent_id)
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
                )
            )
    return Waits(states=dict(states), parents=tuple(told))
