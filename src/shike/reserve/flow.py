"""The best that could have been sold, if all demand had been known: a flow along the line, and its bid prices.

Each unit travels the line from end to end, either empty (earns nothing) or by way of the sections that are sold. So the
most that can be earned is a cheapest flow over positions, with an arc per section: its cost is the fare, negated, its
width the demand. Solved by successive shortest paths with potentials (Edmonds and Karp, JACM 19(2), 1972); the matrix
of an interval problem is totally unimodular, so the optimum of the linear program is whole where demand is.

The dual are the bid prices: what one unit more of a segment would earn. It has many solutions where demand is met
exactly; four extreme ones, the cheapest ways from and to either end, are averaged, so that few sections lie on an edge.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from heapq import heappop, heappush
from typing import Final

from msgspec import Struct

from shike.errors import BadCommand

Section = tuple[int, int]
LEAST: Final = 1e-9  # demand may be a forecast, with fractions; less than this is nothing
WIDE: Final = float("inf")


class Optimum(Struct, frozen=True):
    """`sold` takes per section earn `value`; `prices` per segment: who offers less than their sum is worth refusing."""

    value: float
    sold: dict[Section, float]
    prices: tuple[float, ...]


def optimum(units: Sequence[int], demand: Mapping[Section, float], fares: Mapping[Section, int]) -> Optimum:
    """The most that `units` (usable ones, per segment) can earn of the demand, and the prices that tell it apart.

    Raises `BadCommand` for sections outside of the line, or negative numbers.
    """
    positions = len(units)
    for (start, end), wanted in demand.items():
        if not 0 <= start < end <= positions or wanted < 0 or fares[start, end] < 0:
            raise BadCommand(
                f"demand of {wanted} for {start} … {end} at {fares[start, end]}: not on a line of {positions}"
            )
    network = _Network(positions + 3)
    source, sink = positions + 1, positions + 2
    for segment in range(positions):
        network.add(segment, segment + 1, WIDE, 0)
    sections = {}
    for section, wanted in demand.items():
        if wanted > LEAST:
            sections[section] = network.add(*section, wanted, -fares[section])
    for position, change in enumerate(_changes(units)):
        if change > 0:
            network.add(source, position, change, 0)
        elif change < 0:
            network.add(position, sink, -change, 0)
    network.fill(source, sink, [source, *range(positions + 1), sink])
    sold = {section: network.flow(arc) for section, arc in sections.items() if network.flow(arc) > LEAST}
    value = sum(count * fares[section] for section, count in sold.items())
    return Optimum(value, sold, _prices(network, units, max(fares.values(), default=0)))


def _prices(network: _Network, units: Sequence[int], most: int) -> tuple[float, ...]:
    last = len(units)
    levels = []
    for end in (0, last):
        for back in (False, True):
            far = network.distances(end, back=back)[: last + 1]
            if WIDE not in far:
                levels.append([-cost for cost in far] if not back else far)
    return tuple(
        sum(level[segment + 1] - level[segment] for level in levels) / len(levels) if count else most
        for segment, count in enumerate(units)
    )


def _changes(units: Sequence[int]) -> list[int]:
    """How many units come to the line, or leave it, at each position."""
    return [after - before for before, after in zip([0, *units], [*units, 0], strict=True)]


class _Network:
    """Arcs in pairs: the second of each is the way back."""

    def __init__(self, nodes: int) -> None:
        self.arcs: list[list[int]] = [[] for _ in range(nodes)]
        self.head: list[int] = []
        self.room: list[float] = []
        self.cost: list[int] = []
        self.height: list[int] = [0] * nodes

    def add(self, tail: int, head: int, width: float, cost: int) -> int:
        arc = len(self.head)
        for node, other, room, price in ((tail, head, width, cost), (head, tail, 0.0, -cost)):
            self.arcs[node].append(len(self.head))
            self.head.append(other)
            self.room.append(room)
            self.cost.append(price)
        return arc

    def flow(self, arc: int) -> float:
        return self.room[arc + 1]

    def fill(self, source: int, sink: int, order: Sequence[int]) -> None:
        """The cheapest of the widest flows. `order` is one in which all arcs lead forward."""
        self._level(order)
        while True:
            far, came = self._cheapest(source)
            if far[sink] == WIDE:
                return
            for node, cost in enumerate(far):
                self.height[node] += int(min(cost, far[sink]))
            path = []
            node = sink
            while node != source:
                path.append(came[node])
                node = self.head[came[node] ^ 1]
            width = min(self.room[arc] for arc in path)
            for arc in path:
                self.room[arc] -= width
                self.room[arc ^ 1] += width

    def _level(self, order: Sequence[int]) -> None:
        """The first potentials, where costs are negative, but there is no way round."""
        height: list[float] = [WIDE] * len(self.arcs)
        height[order[0]] = 0
        for node in order:
            for arc in self.arcs[node]:
                if self.room[arc] > LEAST and height[node] + self.cost[arc] < height[self.head[arc]]:
                    height[self.head[arc]] = height[node] + self.cost[arc]
        reached = [int(value) for value in height if value < WIDE]
        self.height = [int(value) if value < WIDE else max(reached) for value in height]

    def distances(self, node: int, *, back: bool) -> list[float]:
        """The cheapest ways from a node to all others (`back`: from them to it), as the flow now is. No way round is
        cheaper than nothing, so after a few rounds (Bellman and Ford) nothing changes any more."""
        far: list[float] = [WIDE] * len(self.arcs)
        far[node] = 0
        changed = True
        while changed:
            changed = False
            for tail, arcs in enumerate(self.arcs):
                for arc in arcs:
                    if self.room[arc] <= LEAST:
                        continue
                    first, last = (self.head[arc], tail) if back else (tail, self.head[arc])
                    if far[first] + self.cost[arc] < far[last]:
                        far[last] = far[first] + self.cost[arc]
                        changed = True
        return far

    def _cheapest(self, source: int) -> tuple[list[float], list[int]]:
        far: list[float] = [WIDE] * len(self.arcs)
        came = [-1] * len(self.arcs)
        far[source] = 0
        heap: list[tuple[float, int]] = [(0, source)]
        while heap:
            cost, node = heappop(heap)
            if cost > far[node]:
                continue
            for arc in self.arcs[node]:
                if self.room[arc] > LEAST:
                    other = self.head[arc]
                    further = cost + self.cost[arc] + self.height[node] - self.height[other]
                    if further < far[other]:
                        far[other] = further
                        came[other] = arc
                        heappush(heap, (further, other))
        return far, came
