"""The order and the ties of a graph: parents first, distances, and what is refused."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shike.bounds import GRAPH_LINKS_MAX, GRAPH_RUNS_MAX
from shike.errors import GraphCycle, GraphError, MissingParent, TooLarge
from shike.ids.runs import BUCKET_BITS
from shike.model import RECORD_VERSION, Link, OnParent, Run, State
from shike.store.children import children, dooms, parent_count, parents, verdict
from shike.track.graph import Edge, ordered, ties_of


def names(count: int) -> list[str]:
    return [f"n{number}" for number in range(count)]


def test_parents_come_first_and_else_the_order_stays() -> None:
    edges = [[Edge(3)], [], [Edge(0)], [], [Edge(1)]]
    assert ordered(edges, names(5)) == [1, 3, 4, 0, 2]


def test_a_circle_is_named() -> None:
    edges = [[], [Edge(0), Edge(3)], [Edge(1)], [Edge(2)], [Edge(3)]]
    with pytest.raises(GraphCycle, match="n1 waits for n3 waits for n2 waits for n1") as found:
        ordered(edges, names(5))
    assert found.value.cycle == ("n1", "n3", "n2", "n1")


@pytest.mark.parametrize("parent", [-1, 2])
def test_a_parent_has_to_be_there(parent: int) -> None:
    with pytest.raises(MissingParent) as found:
        ordered([[], [Edge(parent)]], names(2))
    assert found.value.child == "n1"


def test_a_graph_has_a_size() -> None:
    with pytest.raises(GraphError):
        ordered([], [])
    with pytest.raises(TooLarge):
        ordered([[]] * (GRAPH_RUNS_MAX + 1), names(GRAPH_RUNS_MAX + 1))
    wide = [[] for _ in range(400)] + [[Edge(n) for n in range(400)] for _ in range(GRAPH_LINKS_MAX // 400 + 1)]
    with pytest.raises(TooLarge, match="ties"):
        ordered(wide, names(len(wide)))


def test_runs_beside_each_other_are_one_link() -> None:
    edges = [[], *[[Edge(0)] for _ in range(10_000)], [Edge(n) for n in range(1, 10_001)]]
    ties = ties_of(7 << BUCKET_BITS, edges, [0.0] * len(edges))
    assert ties[0].before == (Link(1, 10_000),)
    assert ties[-1].after == (Link(-10_000, -1),)
    assert ties[5_000].after == (Link(-5_000, -5_000),) and ties[5_000].before == (Link(5_001, 5_001),)


@st.composite
def graphs(draw: st.DrawFn) -> list[list[Edge]]:
    count = draw(st.integers(1, 12))
    edge = st.builds(Edge, st.integers(0, 99), st.sampled_from(OnParent), st.sampled_from(["", "", "x"]))
    return [
        [Edge(one.parent % number, one.on_parent, one.when) for one in draw(st.lists(edge, max_size=5))]
        if number
        else []
        for number in range(count)
    ]


@given(graphs())
def test_ties_name_both_ends_of_each_edge_alike(edges: list[list[Edge]]) -> None:
    first = 5 << 40 | 9
    ties = ties_of(first, edges, [0.0] * len(edges))
    runs = [Run(RECORD_VERSION, first + (n << BUCKET_BITS), "t", ties=tie) for n, tie in enumerate(ties)]
    down = {(run.id, child, link.on_parent, link.when) for run in runs for child, link in children(run)}
    up = {(parent, run.id, link.on_parent, link.when) for run in runs for parent, link in parents(run)}
    assert down == up
    wanted = {
        (runs[edge.parent].id, runs[n].id, edge.on_parent, edge.when)
        for n, listed in enumerate(edges)
        for edge in {edge.parent: edge for edge in listed}.values()
    }
    assert down == wanted
    assert [parent_count(run) for run in runs] == [len({edge.parent for edge in listed}) for listed in edges]


@given(graphs(), st.sampled_from([State.SUCCESS, State.DEAD, State.CANCELLED, State.SKIPPED]), st.booleans())
def test_whether_an_end_dooms_anybody_is_known_beforehand(edges: list[list[Edge]], state: State, chose: bool) -> None:
    ties = ties_of(1 << BUCKET_BITS, edges, [0.0] * len(edges))
    for number, tie in enumerate(ties):
        run = Run(RECORD_VERSION, (number + 1) << BUCKET_BITS, "t", ties=tie)
        chosen = ("x",) if chose else ()
        each = [verdict(link, run, state, chosen) for _, link in children(run)]
        assert dooms(run, state, chosen) == any(each)
        assert all(doom is None or doom.state in (State.DEAD, State.SKIPPED) for doom in each)
