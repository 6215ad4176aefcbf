"""A graph is drawn in layers: parents left of their children, nothing on top of anything."""

from __future__ import annotations

from shike.operate.graphs import NodeFacts, Tie
from shike.server.console.graph_picture import DRAWN_MAX, HEIGHT, WIDTH, picture


def node(run: str, *parents: str, when: str = "") -> NodeFacts:
    ties = tuple(Tie(run=one, on_parent="skip", when=when) for one in parents)
    return NodeFacts(run=run, name=f"node {run}", task="t", queue="q", state="SUCCESS", after=ties)


def test_parents_stand_left_of_their_children_and_nothing_overlaps() -> None:
    drawn = picture([node("1"), node("2"), node("3", "1", "2"), node("4", "3", when="yes"), node("5", "1"), node("6")])
    assert drawn is not None
    at = {box.node.run: (box.x, box.y) for box in drawn.boxes}
    assert at["1"][0] == at["2"][0] == at["6"][0] < at["3"][0] == at["5"][0] < at["4"][0]
    for one in drawn.boxes:
        assert 0 <= one.x <= drawn.width - WIDTH and 0 <= one.y <= drawn.height - HEIGHT
        for other in drawn.boxes:
            assert one is other or one.x != other.x or abs(one.y - other.y) >= HEIGHT
    assert len(drawn.lines) == 4 and [line.when for line in drawn.lines].count("yes") == 1


def test_what_nobody_could_see_is_not_drawn() -> None:
    assert picture([]) is None
    assert picture([node(str(n)) for n in range(DRAWN_MAX + 1)]) is None
    drawn = picture([node("7" * 30)])
    assert drawn is not None and len(drawn.boxes[0].name) <= 22
