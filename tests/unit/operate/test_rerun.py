"""A graph runs again from one of its nodes: with what the others made, and without what would not begin (R2.14)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from shike import Shike
from shike.errors import Conflict, NotFound
from shike.graph import Graph, Node
from shike.operate import graphs, rerun
from shike.testing import harness
from shike.testing.harness import Harness

app = Shike("memory://")
cold = [True]
seen: list[Any] = []


@app.task
async def number(n: int) -> int:
    return n


@app.task
async def add(parts: list[int | None], more: int = 0) -> int:
    seen.append(parts)
    return sum(part or 0 for part in parts) + more


@app.task
async def bake(parts: list[int]) -> int:
    if cold[0]:
        raise ValueError("the oven is cold")
    return sum(parts)


@app.task
async def choose() -> str:
    return "left"


@pytest.fixture
def time() -> Iterator[Harness]:
    cold[0] = True
    seen.clear()
    with harness(app) as found:
        yield found


def made() -> tuple[Graph, dict[str, Node[Any]]]:
    graph = app.graph()
    nodes: dict[str, Node[Any]] = {}
    for n in (1, 2, 3):
        nodes[f"n{n}"] = graph.add(number.bind(n))
    nodes["choose"] = graph.add(choose.bind())
    nodes["bake"] = graph.add(bake.bind([nodes[f"n{n}"].result for n in (1, 2, 3)]))
    nodes["sum"] = graph.add(add.bind([nodes["bake"].result, nodes["n3"].result]), on_parent="continue")
    nodes["right"] = graph.add(add.bind([nodes["sum"].result])).when(nodes["choose"], "right")
    nodes["last"] = graph.add(add.bind([nodes["right"].result]))
    nodes["left"] = graph.add(add.bind([nodes["sum"].result], 10)).when(nodes["choose"], "left")
    for name, node in nodes.items():
        node.name = name
    graph.submit()
    return graph, nodes


def test_it_takes_what_is_there_and_makes_the_rest_anew(time: Harness) -> None:
    _, nodes = made()
    time.advance("1m")
    cold[0] = False
    would = time.run(rerun.preview(app.client, int(nodes["bake"].handle.id)))
    did = time.run(rerun.rerun(app.client, int(nodes["bake"].handle.id)))
    assert (would.runs, would.left_out, did.runs) == (3, 1, 3), "right waits for a branch that was not chosen"
    seen.clear()
    time.advance("1m")
    facts = time.run(graphs.picture(app.client, int(did.graph)))
    assert [(node.name, node.state) for node in facts.nodes] == [
        ("bake", "SUCCESS"),
        ("sum", "SUCCESS"),
        ("left", "SUCCESS"),
    ]
    assert seen == [[6, 3], [9]]
    again = time.run(rerun.rerun(app.client, int(facts.nodes[1].run)))
    time.advance("1m")
    assert again.runs == 2 and seen[2:] == [[6, 3], [9]]


def test_a_dead_letter_runs_again_once(time: Harness) -> None:
    _, nodes = made()
    time.advance("1m")
    run = int(nodes["bake"].handle.id)
    first = time.run(rerun.rerun(app.client, run))
    with pytest.raises(Conflict, match=first.graph):
        time.run(rerun.rerun(app.client, run))
    assert len(time.run(graphs.picture(app.client, int(first.graph))).nodes) == 3


def test_what_is_not_over_or_of_no_graph_is_refused(time: Harness) -> None:
    graph = app.graph()
    first = graph.add(number.bind(1))
    graph.add(number.bind(2), approval="1h").after(first)
    graph.submit()
    with pytest.raises(Conflict, match="not over"):
        time.run(rerun.rerun(app.client, int(first.handle.id)))
    time.advance("1m")
    with pytest.raises(Conflict, match="not over"):
        time.run(rerun.rerun(app.client, int(first.handle.id)))
    alone = number.submit(3)
    time.advance("1m")
    with pytest.raises(Conflict, match="no graph"):
        time.run(rerun.rerun(app.client, int(alone.id)))
    with pytest.raises(NotFound):
        time.run(rerun.rerun(app.client, 77))
