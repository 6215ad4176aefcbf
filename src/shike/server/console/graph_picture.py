"""A graph as a drawing: where each node stands, and how the lines run. Pure.

Layers by the longest way from a root (Sugiyama, Tagawa and Toda 1981); within a layer by the mean place of the parents,
so that lines cross little.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

from msgspec import Struct

from shike.operate.graphs import NodeFacts

WIDTH, HEIGHT = 176, 48
GAP_X, GAP_Y = 56, 16
MARGIN = 8
DRAWN_MAX = 150  # more cannot be told apart: then a table has to do
NAME_CHARS = 22


class Box(Struct, frozen=True, kw_only=True):
    """One node, by its upper left corner."""

    x: int
    y: int
    node: NodeFacts
    name: str


class Line(Struct, frozen=True, kw_only=True):
    """One tie, from parent to child. `when`: the branch that it stands for."""

    path: str
    parent_state: str
    when: str
    x: int
    y: int


class Picture(Struct, frozen=True, kw_only=True):
    """All of it."""

    width: int
    height: int
    boxes: tuple[Box, ...]
    lines: tuple[Line, ...]


def picture(nodes: Sequence[NodeFacts]) -> Picture | None:
    """None where it would be too much to see anything."""
    if not nodes or len(nodes) > DRAWN_MAX:
        return None
    layers = _layers(nodes)
    columns: dict[int, list[NodeFacts]] = defaultdict(list)
    for node in nodes:
        columns[layers[node.run]].append(node)
    tallest = max(map(len, columns.values()))
    height = 2 * MARGIN + tallest * HEIGHT + (tallest - 1) * GAP_Y
    at: dict[str, tuple[int, int]] = {}
    boxes = []
    for layer in range(len(columns)):
        column = sorted(columns[layer], key=lambda node: _mean(node, at))
        top = (height - len(column) * HEIGHT - (len(column) - 1) * GAP_Y) // 2
        for place, node in enumerate(column):
            x, y = MARGIN + layer * (WIDTH + GAP_X), top + place * (HEIGHT + GAP_Y)
            at[node.run] = x, y
            name = node.name or node.task
            short = name if len(name) <= NAME_CHARS else f"{name[: NAME_CHARS - 1]}…"
            boxes.append(Box(x=x, y=y, node=node, name=short))
    width = 2 * MARGIN + len(columns) * WIDTH + (len(columns) - 1) * GAP_X
    return Picture(width=width, height=height, boxes=tuple(boxes), lines=tuple(_lines(nodes, at)))


def _layers(nodes: Sequence[NodeFacts]) -> dict[str, int]:
    """Parents come first in a graph, so one pass will do."""
    layers: dict[str, int] = {}
    for node in nodes:
        layers[node.run] = max((layers[tie.run] + 1 for tie in node.after if tie.run in layers), default=0)
    used = {layer: place for place, layer in enumerate(sorted(set(layers.values())))}
    return {run: used[layer] for run, layer in layers.items()}


def _mean(node: NodeFacts, at: dict[str, tuple[int, int]]) -> float:
    ys = [at[tie.run][1] for tie in node.after if tie.run in at]
    return sum(ys) / len(ys) if ys else 0.0


def _lines(nodes: Sequence[NodeFacts], at: dict[str, tuple[int, int]]) -> list[Line]:
    states = {node.run: node.state for node in nodes}
    found = []
    for node in nodes:
        x2, y2 = at[node.run][0], at[node.run][1] + HEIGHT // 2
        for tie in node.after:
            if tie.run not in at:
                continue
            x1, y1 = at[tie.run][0] + WIDTH, at[tie.run][1] + HEIGHT // 2
            bend = max((x2 - x1) // 2, 8)
            path = f"M{x1} {y1}C{x1 + bend} {y1} {x2 - bend} {y2} {x2} {y2}"
            found.append(
                Line(path=path, parent_state=states[tie.run], when=tie.when, x=x2 - 6, y=y2 + (15 if y1 < y2 else -6))
            )
    return found
