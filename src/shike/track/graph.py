"""A graph of work before it is stored: in which order its runs stand, and how each is tied to the others. Pure.

Runs are numbered so that parents come before their children (Kahn 1962), and their ids follow each other. So a tie is a
distance, and ten thousand runs beside each other are one link.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence

from msgspec import Struct

from shike.bounds import GRAPH_LINKS_MAX, GRAPH_RUNS_MAX
from shike.errors import GraphCycle, GraphError, MissingParent, TooLarge
from shike.model import Link, OnParent, Ties


class Edge(Struct, frozen=True):
    """What a run has to do with one of its parents: which it is, what if that does not succeed, on which branch."""

    parent: int
    on_parent: OnParent = OnParent.SKIP
    when: str = ""


def ordered(edges: Sequence[Sequence[Edge]], names: Sequence[object]) -> list[int]:
    """The runs so that parents come first, and otherwise as they were given. `edges`: to the parents of each run;
    `names`: what they are called, as texts, or to be made texts where one is told.

    Raises `TooLarge`, `MissingParent`, or `GraphCycle`, which names the circle; `GraphError` for no runs at all.
    """
    count = len(edges)
    if not count:
        raise GraphError("this graph has no runs; add some with graph.add(task.bind(…))")
    if count > GRAPH_RUNS_MAX:
        raise TooLarge(
            f"a graph may have {GRAPH_RUNS_MAX:,} runs; cut it into several", size=count, limit=GRAPH_RUNS_MAX
        )
    total = sum(map(len, edges))
    if total > GRAPH_LINKS_MAX:
        raise TooLarge(f"a graph may have {GRAPH_LINKS_MAX:,} ties between runs", size=total, limit=GRAPH_LINKS_MAX)
    left = [0] * count
    behind: list[list[int]] = [[] for _ in range(count)]
    for child, parents in enumerate(edges):
        for edge in parents:
            if not 0 <= edge.parent < count:
                name = str(names[child])
                raise MissingParent(f"{name} waits for a run that is not in this graph", child=name)
        for parent in {edge.parent for edge in parents}:
            left[child] += 1
            behind[parent].append(child)
    free = deque(number for number in range(count) if not left[number])
    order: list[int] = []
    while free:
        order.append(number := free.popleft())
        for child in behind[number]:
            left[child] -= 1
            if not left[child]:
                free.append(child)
    if len(order) < count:
        raise _cycle(edges, names, left)
    return order


def _cycle(edges: Sequence[Sequence[Edge]], names: Sequence[object], left: Sequence[int]) -> GraphCycle:
    """Whatever is left waits for something that is left: following it goes round."""
    at = next(number for number, count in enumerate(left) if count)
    seen: dict[int, None] = {}
    while at not in seen:
        seen[at] = None
        at = next(edge.parent for edge in edges[at] if left[edge.parent])
    path = list(seen)
    cycle = tuple(str(names[number]) for number in [*path[path.index(at) :], at])
    return GraphCycle(f"these runs wait for each other: {' waits for '.join(cycle)}", cycle=cycle)


def ties_of(graph: int, edges: Sequence[Sequence[Edge]], approvals: Sequence[float]) -> list[Ties]:
    """How each run is tied. `graph`: the id of the first; the runs stand in order.
    Of several edges to one parent the last counts."""
    before: list[list[tuple[int, OnParent, str]]] = [[] for _ in edges]
    after: list[list[tuple[int, OnParent, str]]] = [[] for _ in edges]
    for child, parents in enumerate(edges):
        for edge in {edge.parent: edge for edge in parents}.values():
            after[child].append((edge.parent - child, edge.on_parent, edge.when))
            before[edge.parent].append((child - edge.parent, edge.on_parent, edge.when))
    return [
        Ties(graph, len(edges), _links(after[number]), _links(before[number]), approvals[number])
        for number in range(len(edges))
    ]


def _links(found: Sequence[tuple[int, OnParent, str]]) -> tuple[Link, ...]:
    """Those alike that follow each other as one."""
    links: list[Link] = []
    for distance, on_parent, when in sorted(found, key=lambda one: (one[1], one[2], one[0])):
        last = links[-1] if links else None
        if last is not None and (last.on_parent, last.when, last.last + 1) == (on_parent, when, distance):
            links[-1] = Link(last.first, distance, on_parent, when)
        else:
            links.append(Link(distance, distance, on_parent, when))
    return tuple(links)
