"""A lane against a sorted list: any sequence of calls, one answer."""

from __future__ import annotations

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule, run_state_machine_as_test
from msgspec.structs import replace

from shike.model import RECORD_VERSION, Live, Run, State
from shike.store.memory import pages
from shike.store.memory.lanes import COMPACT_PAGES, PAGE_BITS, Lane, Lanes
from shike.store.memory.pages import LEAF

PAGE = 1 << PAGE_BITS
TASKS = ("mail", "video")
FOR_EVER = 1 << 60
instants = st.one_of(
    st.integers(0, 5),
    st.sampled_from([page * PAGE + step for page in (1, 2, 3, 40, 1 << 30) for step in (-1, 0, 1)]),
)


def live(run_id: int, run_at: int, task: str = "mail", queue: str = "q", band: int = 3) -> Live:
    return Live(Run(RECORD_VERSION, run_id, task, queue=queue), State.SCHEDULED, run_at, band)


class Model(RuleBasedStateMachine):
    """`rows` is the lane as it should be."""

    def __init__(self) -> None:
        super().__init__()
        self.lane = Lane()
        self.rows: list[tuple[int, int, Live]] = []
        self.last_id = 0

    def expected(self, after: int, until: int) -> list[Live]:
        return [row for run_at, _, row in sorted(self.rows) if after < run_at <= until]

    @rule(run_at=instants, task=st.sampled_from(TASKS), older=st.booleans())
    def add(self, run_at: int, task: str, older: bool) -> None:
        self.last_id += 1
        row = live(-self.last_id if older else self.last_id, run_at, task)
        self.lane.add(row)
        self.rows.append((run_at, row.run.id, row))

    @precondition(lambda self: self.rows)
    @rule(which=st.integers(0, 1000))
    def remove(self, which: int) -> None:
        _, _, row = self.rows.pop(which % len(self.rows))
        self.lane.remove(row)

    @rule(now=instants, room=st.integers(1, 4), tasks=st.sampled_from([TASKS, TASKS[:1], ()]))
    def take(self, now: int, room: int, tasks: tuple[str, ...]) -> None:
        wanted = frozenset(tasks)
        expected = [row for row in self.expected(-1, now) if row.run.task in wanted]
        assert self.lane.has(now, wanted) == bool(expected)
        assert [entry[2] for entry in self.lane.take(now, room, wanted)] == expected[:room]
        gone = {row.run.id for row in expected[:room]}
        self.rows = [entry for entry in self.rows if entry[1] not in gone]

    @rule(count=st.integers(0, 5))
    def earliest(self, count: int) -> None:
        assert self.lane.earliest(count) == self.expected(-1, FOR_EVER)[:count]

    @rule(after=instants, until=instants)
    def read(self, after: int, until: int) -> None:
        expected = self.expected(after, until)
        assert list(self.lane.between(after, until)) == expected
        assert list(self.lane.instants(after, until)) == sorted({row.run_at for row in expected})
        assert self.lane.first_after(after) == min((at for at, _, _ in self.rows if at > after), default=0)

    @invariant()
    def same(self) -> None:
        everything = self.expected(-1, FOR_EVER)
        assert len(self.lane) == len(everything)
        assert bool(self.lane) == bool(everything)
        assert self.lane.first() == (everything[0] if everything else None)


TestLane = Model.TestCase
TestLane.settings = settings(stateful_step_count=30, deadline=None)


def test_leaves_of_a_few_entries_answer_as_one_page_does(monkeypatch: pytest.MonkeyPatch) -> None:
    """The same calls, with leaves so short that every page has many."""
    monkeypatch.setattr(pages, "LEAF", 2)
    run_state_machine_as_test(Model, settings=settings(stateful_step_count=60, deadline=None))


def test_what_was_taken_is_let_go_of() -> None:
    lane = Lane()
    for number in range(5 * LEAF):
        lane.add(live(number, 0))
    while len(lane) > 10:
        lane.take(0, 10, frozenset(TASKS))
    (page,) = lane._pages.values()
    assert sum(map(len, page._leaves)) <= 2 * LEAF


def test_one_of_many_of_one_instant_leaves_and_comes_back_in_its_leaf_alone() -> None:
    lane = Lane()
    rows = [live(number, 0) for number in range(50 * LEAF)]
    for row in rows:
        lane.add(row)
    assert lane.first() is rows[0]
    (page,) = lane._pages.values()
    others = [id(leaf) for leaf in page._leaves]
    row = rows[30 * LEAF + 7]
    lane.remove(row)
    lane.add(row)
    assert [id(leaf) for leaf in page._leaves] == others
    assert max(map(len, page._leaves)) <= 2 * LEAF
    assert [found.run.id for found in lane.between(-1, 0)] == [one.run.id for one in rows]


def test_runs_of_other_keys_stand_in_between_and_stay() -> None:
    lane = Lane()
    rows = [live(number, 0) for number in range(6)]
    for row in rows:
        row.run = replace(row.run, key="held" if row.run.id % 2 else "")
        lane.add(row)
    tasks, keys = frozenset(TASKS), frozenset({"held"})
    assert [entry[1] for entry in lane.take(0, 2, tasks, keys)] == [0, 2]
    assert lane.has(0, tasks, keys)
    assert [entry[1] for entry in lane.take(0, 9, tasks, keys)] == [4]
    assert not lane.has(0, tasks, keys)
    assert [entry[1] for entry in lane.take(0, 9, tasks)] == [1, 3, 5]


def test_a_run_that_is_moved_for_ever_leaves_nothing_behind() -> None:
    lane = Lane()
    for number in range(20_000):
        row = live(1, number * PAGE)
        lane.add(row)
        lane.remove(row)
    assert not lane._pages
    assert len(lane._numbers) <= COMPACT_PAGES + 1
    assert lane.first() is None


def test_lanes_are_found_by_queue_and_band() -> None:
    lanes = Lanes()
    row = live(1, 5, queue="gpu", band=2)
    lanes.add(row)
    assert lanes.by_queue.keys() == {"gpu"} and lanes.by_queue["gpu"].keys() == {2}
    assert lanes.by_queue["gpu"][2].first() is row
    assert [(queue, len(lane)) for queue, lane in lanes.all()] == [("gpu", 1)]


def test_queues_that_nothing_stands_in_are_forgotten() -> None:
    lanes = Lanes()
    gone, stays = live(1, 5, queue="gone"), live(2, 5, queue="stays")
    lanes.add(gone)
    lanes.add(stays)
    lanes.remove(gone)
    lanes.tidy()
    assert list(lanes.by_queue) == ["stays"]
