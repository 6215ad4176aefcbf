"""A graph in the words of the contract, and what should become of it: the rules once more, slow and apart."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from shike.model import OnParent, Run, State
from shike.store.children import gate_of
from shike.track.graph import Edge, ordered, ties_of
from tests.contract.world import World


@dataclass
class Plan:
    """Runs by name, each with its parents."""

    edges: dict[str, list[tuple[str, OnParent, str]]] = field(default_factory=dict)
    approvals: dict[str, float] = field(default_factory=dict)

    def add(
        self, name: str, *parents: str, on: OnParent = OnParent.SKIP, when: str = "", approval: float = 0.0
    ) -> Plan:
        self.edges[name] = [(parent, on, when) for parent in parents]
        self.approvals[name] = approval
        return self

    def runs(self, world: World, *, bucket: int = 0, **fields: Any) -> dict[str, Run]:
        names = list(self.edges)
        numbered = [[Edge(names.index(parent), on, when) for parent, on, when in self.edges[name]] for name in names]
        order = ordered(numbered, names)
        places = {number: place for place, number in enumerate(order)}
        edges = [
            [Edge(places[edge.parent], edge.on_parent, edge.when) for edge in numbered[number]] for number in order
        ]
        graph = (world.last_id + 1) << 8 | bucket
        ties = ties_of(graph, edges, [self.approvals[names[number]] for number in order])
        return {
            names[number]: world.run(
                bucket=bucket, ties=tie, gate=gate_of(graph) if tie.after or tie.approval_seconds else "", **fields
            )
            for number, tie in zip(order, ties, strict=True)
        }

    async def submit(self, world: World, **fields: Any) -> dict[str, int]:
        runs = self.runs(world, **fields)
        await world.submit(*runs.values())
        return {name: run.id for name, run in runs.items()}


def fates(
    edges: Mapping[str, Sequence[tuple[str, OnParent, str]]],
    ends: Iterable[tuple[str, State, tuple[str, ...]]],
    seen: Mapping[str, State],
) -> dict[str, State]:
    """What each run is after these ends, told one after the other: WAITING, SCHEDULED, or how it ended. All is looked
    at again after each end, until nothing changes. Where one step gives a run two reasons to end, either will do: then
    it is as `seen`."""
    found: dict[str, State] = {name: State.WAITING if parents else State.SCHEDULED for name, parents in edges.items()}
    chose: dict[str, tuple[str, ...]] = {}
    for ended, state, chosen in ends:
        found[ended], chose[ended] = state, chosen
        changes = True
        while changes:
            changes = False
            for name, parents in edges.items():
                if found[name] is State.WAITING:
                    may = _then(parents, found, chose)
                    found[name] = seen[name] if seen[name] in may else max(may)
                    changes = changes or found[name] is not State.WAITING
    return found


def _then(
    parents: Sequence[tuple[str, OnParent, str]], found: Mapping[str, State], chose: Mapping[str, tuple[str, ...]]
) -> set[State]:
    verdicts = {_edge(found[parent], on, when, chose.get(parent, ())) for parent, on, when in parents}
    if ends := verdicts & {State.DEAD, State.SKIPPED}:
        return ends
    return {State.WAITING if State.WAITING in verdicts else State.SCHEDULED}


def _edge(state: State, on: OnParent, when: str, chosen: tuple[str, ...]) -> State:
    if state is State.SUCCESS:
        return State.SCHEDULED if not when or when in chosen else State.SKIPPED
    if state not in (State.DEAD, State.CANCELLED, State.SKIPPED):
        return State.WAITING
    if on is OnParent.CONTINUE:
        return State.SCHEDULED
    return State.DEAD if on is OnParent.FAIL and state is not State.SKIPPED else State.SKIPPED
