"""A graph written in Python: it waits, hands results over, branches, asks, and says what is wrong (R2.14)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from shike import Shike
from shike.bounds import GRAPH_RUNS_MAX
from shike.errors import (
    ApprovalExpired,
    ApprovalMismatch,
    ApprovalUsed,
    BadArguments,
    BadInput,
    BadTime,
    Conflict,
    GraphCycle,
    GraphError,
    MissingParent,
    RunFailed,
    TooLarge,
)
from shike.graph import Graph
from shike.model import Ended, Live, State
from shike.operate import approvals, runs
from shike.operate.approvals import Request
from shike.testing import harness
from shike.testing.harness import Harness

app = Shike("memory://")
ran: list[Any] = []


@dataclass
class Page:
    words: list[str]
    more: dict[str, int]


@app.task
async def one(number: int) -> int:
    ran.append(number)
    return number


@app.task
async def add(numbers: list[int], and_also: int = 0) -> int:
    ran.append(("add", tuple(numbers), and_also))
    return sum(numbers) + and_also


@app.task
async def add_up(numbers: list[int]) -> int:
    ran.append(numbers)
    return sum(numbers)


@app.task
async def page(words: str) -> Page:
    return Page(words.split(), {"$": 1})


@app.task
async def length(of: Page, note: dict[str, Any] | None = None) -> int:
    ran.append((of, note))
    return len(of.words)


@app.task
async def choose(branch: str) -> str:
    return branch


@app.task
async def choose_some(branches: list[str]) -> list[str]:
    return branches


@app.task
async def boom() -> int:
    raise ValueError("boom")


@app.task
async def note(what: Any) -> None:
    ran.append(what)


@pytest.fixture
def time() -> Iterator[Harness]:
    ran.clear()
    with harness(app) as driven:
        yield driven


def state_of(time: Harness, graph: Graph) -> list[State]:
    found = [time.find(node.handle) for node in graph.nodes]
    assert all(found)
    return [known.state for known in found if known]


def test_a_run_takes_the_results_of_others_and_so_waits_for_them(time: Harness) -> None:
    graph = app.graph()
    parts = [graph.add(one.bind(number)) for number in (1, 2, 3)]
    total = graph.add(add.bind([part.result for part in parts], and_also=parts[1].result))
    assert graph.submit() is graph
    time.run_due()
    assert ran == [1, 2, 3, ("add", (1, 2, 3), 2)]
    assert total.handle.result() == 8
    assert graph.id == graph.nodes[0].handle.id


def test_a_result_may_be_a_record_and_stand_beside_data_that_looks_like_a_place(time: Harness) -> None:
    graph = app.graph()
    first = graph.add(page.bind("so it is"))
    graph.add(length.bind(first.result, note={"$": 1, "in": [{"$": -1}, first.result]}))
    graph.submit()
    time.run_due()
    as_sent = {"words": ["so", "it", "is"], "more": {"$": 1}}
    assert ran == [(Page(["so", "it", "is"], {"$": 1}), {"$": 1, "in": [{"$": -1}, as_sent]})]


def test_order_alone_is_said_with_after(time: Harness) -> None:
    graph = app.graph()
    last = graph.add(one.bind(2))
    first = graph.add(one.bind(1))
    last.after(first)
    graph.submit()
    time.run_due()
    assert ran == [1, 2]


def test_what_takes_the_result_of_a_failure_is_skipped_unless_told_otherwise(time: Harness) -> None:
    graph = app.graph()
    bad = graph.add(boom.bind())
    graph.add(note.bind(bad.result))
    graph.add(note.bind(["got", bad.result]), on_parent="continue")
    dead = graph.add(note.bind(bad.result), on_parent="fail")
    graph.submit()
    time.run_due()
    assert state_of(time, graph) == [State.DEAD, State.SKIPPED, State.SUCCESS, State.DEAD]
    assert ran == [["got", None]]
    with pytest.raises(RunFailed, match=r"parent .* is DEAD"):
        dead.handle.result()


def test_a_result_chooses_the_branch(time: Harness) -> None:
    graph = app.graph()
    choice = graph.add(choose.bind("left"))
    left = graph.add(note.bind("left")).when(choice, "left")
    right = graph.add(note.bind("right")).when(choice, "right")
    graph.add(note.bind("join")).after(left, right, on_parent="continue")
    graph.submit()
    time.run_due()
    assert ran == ["left", "join"]
    found = time.find(right.handle)
    assert isinstance(found, Ended)
    assert "branch 'right' was not chosen" in found.reason


def test_a_result_may_choose_several_branches_or_none(time: Harness) -> None:
    graph = app.graph()
    some, none = graph.add(choose_some.bind(["a", "b"])), graph.add(one.bind(7))
    for branch in "abc":
        graph.add(note.bind(branch)).when(some, branch)
    graph.add(note.bind("never")).when(none, "7")
    graph.submit()
    time.run_due()
    assert ran == [7, "a", "b"]


def test_a_whole_graph_is_cancelled(time: Harness) -> None:
    graph = app.graph()
    first = graph.add(one.in_("1h").bind(1))
    graph.add(one.bind(2)).after(first, on_parent="continue")
    graph.submit()
    assert graph.cancel() == 2
    time.advance("2h")
    assert state_of(time, graph) == [State.CANCELLED] * 2
    assert ran == []
    assert graph.cancel() == 0


def test_the_time_of_a_run_counts_from_when_it_was_submitted(time: Harness) -> None:
    graph = app.graph()
    first = graph.add(one.bind(1))
    graph.add(one.in_("10m").bind(2)).after(first)
    graph.submit()
    time.advance("9m")
    assert ran == [1]
    time.advance("2m")
    assert ran == [1, 2]


def test_why_a_run_waits_is_told(time: Harness) -> None:
    graph = app.graph()
    first = graph.add(one.in_("1h").bind(1))
    last = graph.add(one.bind(2)).after(first)
    graph.submit()
    _, steps = time.run(runs.show(app.client, int(last.handle.id)))
    assert steps[-1].words == f"waits for 1 of 1 parents: {first.handle.id} ({one.name}) SCHEDULED"


def test_nobody_moves_a_run_past_what_it_waits_for(time: Harness) -> None:
    graph = app.graph()
    first = graph.add(one.in_("1h").bind(1))
    second = graph.add(one.bind(2)).after(first)
    third = graph.add(one.bind(3), approval="2h")
    graph.submit()
    with pytest.raises(Conflict, match="waits for its parents"):
        time.run(runs.move(app.client, int(second.handle.id), at=time.now))
    with pytest.raises(Conflict, match="waits for approval"):
        time.run(runs.move(app.client, int(third.handle.id), at=time.now))
    for waiting in (second, third):
        time.run(runs.move(app.client, int(waiting.handle.id), band=0))  # which it keeps for when it is free
    time.advance("30m")
    assert ran == []


def test_work_over_many_items_is_split_and_brought_together(time: Harness) -> None:
    graph = app.graph()
    parts = graph.split(add_up, list(range(1_000)), grain=300)
    total = graph.add(add.bind([part.result for part in parts]))
    graph.submit()
    time.run_due()
    assert sorted(len(part) for part in ran[:4]) == [250] * 4
    assert total.handle.result() == sum(range(1_000))
    assert sorted(part.items for part in graph.measured()) == [250] * 4


def test_nothing_to_split_is_nothing_to_do(time: Harness) -> None:
    graph = app.graph()
    assert graph.split(add_up, []) == []
    with pytest.raises(BadInput, match="grain"):
        graph.split(add_up, [1], grain=0)


# -------------------------------------------------------------------- what is wrong


def test_a_circle_is_refused_by_its_names_and_nothing_is_stored(time: Harness) -> None:
    graph = app.graph()
    first, second, third = (graph.add(one.bind(number)) for number in (1, 2, 3))
    second.after(first, third)
    third.after(second)
    with pytest.raises(GraphCycle, match=r"run 2 of a graph> waits for .*run 3 of a graph> waits for .*run 2") as found:
        graph.submit()
    assert len(found.value.cycle) == 3
    assert time.runs() == []
    second.edges.pop(third.number)
    graph.submit()
    time.run_due()
    assert ran == [1, 2, 3]


def test_a_run_cannot_wait_for_itself() -> None:
    graph = app.graph()
    node = graph.add(one.bind(1))
    node.after(node)
    with pytest.raises(GraphCycle):
        graph.submit()


def test_a_parent_of_another_graph_is_missing(time: Harness) -> None:
    other = app.graph().add(one.bind(1))
    graph = app.graph()
    with pytest.raises(MissingParent, match="no run of this graph"):
        graph.add(one.bind(2)).after(other)
    with pytest.raises(MissingParent):
        graph.add(one.bind(other.result))
    assert len(graph.nodes) == 1


def test_a_graph_has_a_size() -> None:
    graph = app.graph()
    with pytest.raises(GraphError, match="no runs"):
        graph.submit()
    for _ in range(GRAPH_RUNS_MAX + 1):
        graph.add(one.bind(1))
    with pytest.raises(TooLarge, match="20,000 runs"):
        graph.submit()


def test_a_stored_graph_does_not_change(time: Harness) -> None:
    graph = app.graph()
    node = graph.add(one.bind(1))
    with pytest.raises(BadInput, match="not stored yet"):
        assert node.handle
    graph.submit()
    for change in (lambda: graph.add(one.bind(2)), lambda: node.after(node), graph.submit):
        with pytest.raises(GraphError, match="cannot change"):
            change()


def test_a_graph_is_stored_once_however_often_it_is_submitted(time: Harness) -> None:
    graph = app.graph()
    graph.add(one.bind(1))

    async def twice() -> None:
        first, second = graph.submit(), graph.submit()
        await first
        with pytest.raises(GraphError, match="cannot change"):
            await second

    time.run(twice())
    time.run_due()
    assert ran == [1]


def test_a_graph_with_a_key_is_stored_once_while_that_is_remembered(time: Harness) -> None:
    def made(*, size: int = 2, task: Any = one) -> Graph:
        graph = app.graph()
        first = graph.add(task.bind(1))
        for _ in range(size - 1):
            graph.add(add.bind([first.result]))
        return graph

    graph = made().submit(key="monday", key_ttl="1h")
    again = made().submit(key="monday")
    assert graph.fresh and not again.fresh and again.id == graph.id
    assert [node.handle.id for node in again.nodes] == [node.handle.id for node in graph.nodes]
    with pytest.raises(Conflict, match="no graph of 3 runs"):
        made(size=3).submit(key="monday")
    with pytest.raises(Conflict, match="begins with"):
        made(task=note).submit(key="monday")
    one.options(key="tuesday").submit(7)
    with pytest.raises(Conflict, match="no graph"):
        made().submit(key="tuesday")
    time.run_due()
    assert again.nodes[1].handle.result() == 1
    time.advance("2h")
    assert made().submit(key="monday").fresh
    with pytest.raises(BadInput):
        made().submit(key="")


def test_a_promised_result_is_no_argument_outside_of_its_graph(time: Harness) -> None:
    node = app.graph().add(one.bind(1))
    with pytest.raises(BadInput, match="add it to that run's graph"):
        one.submit(node.result)
    with pytest.raises(BadInput, match="add it to that run's graph"):
        app.schedule(one.bind(node.result), every="1h")
    with pytest.raises(BadArguments, match="cannot be called so"):
        one.bind(node.result, 2)


@pytest.mark.parametrize("branch", ["", "it's", 'a "b"', "a\\b", "a\nb", 7])
def test_a_branch_is_a_short_text(branch: Any) -> None:
    graph = app.graph()
    first, second = graph.add(one.bind(1)), graph.add(one.bind(2))
    with pytest.raises(BadInput, match="branch"):
        second.when(first, branch)


def test_a_run_of_a_graph_has_no_business_key() -> None:
    with pytest.raises(BadInput, match="business key"):
        app.graph().add(one.options(key="k").bind(1))


def test_only_calls_are_added() -> None:
    with pytest.raises(BadInput, match=r"graph\.add\(task\.bind"):
        app.graph().add(one)  # type: ignore[arg-type]
    with pytest.raises(BadInput, match="is no OnParent"):
        app.graph().add(one.bind(1), on_parent="perhaps")
    with pytest.raises(BadTime, match="negative"):
        app.graph().add(one.bind(1), approval="-1s")


# -------------------------------------------------------------------- approval


def asked(time: Harness) -> Request:
    (request,) = time.run(approvals.requests(app.client))
    return request


def waiting(time: Harness) -> Graph:
    graph = app.graph()
    first = graph.add(one.bind(7))
    graph.add(note.bind(["pay", first.result]), approval="1h")
    graph.submit()
    time.run_due()
    assert ran == [7]
    return graph


def test_what_needs_approval_runs_once_it_is_approved(time: Harness) -> None:
    graph = waiting(time)
    request = asked(time)
    assert (request.task, request.arguments) == (note.name, {"what": ["pay", 7]})
    time.run(approvals.approve(app.client, int(request.run), request.digest, by="ann"))
    time.run_due()
    assert ran == [7, ["pay", 7]]
    assert state_of(time, graph) == [State.SUCCESS] * 2


def test_an_approval_counts_once(time: Harness) -> None:
    waiting(time)
    request = asked(time)
    time.run(approvals.approve(app.client, int(request.run), request.digest, by="ann"))
    for _ in range(2):
        with pytest.raises(ApprovalUsed, match=r"was approved by ann at 2026-01-01 .*counts once") as found:
            time.run(approvals.approve(app.client, int(request.run), request.digest, by="bob"))
        assert found.value.by == "ann"
        time.run_due()
    assert ran == [7, ["pay", 7]]


def test_an_approval_is_for_what_was_looked_at(time: Harness) -> None:
    waiting(time)
    request = asked(time)
    with pytest.raises(ApprovalMismatch, match="look at it again"):
        time.run(approvals.approve(app.client, int(request.run), "0" * 32, by="ann"))
    time.run_due()
    assert ran == [7]
    time.run(approvals.approve(app.client, int(request.run), request.digest, by="ann"))


def test_what_nobody_approves_in_time_is_skipped(time: Harness) -> None:
    graph = waiting(time)
    request = asked(time)
    time.advance("2h")
    found = time.find(graph.nodes[1].handle)
    assert isinstance(found, Ended)
    assert (found.state, found.reason) == (State.SKIPPED, "approval expired: nobody approved it in time")
    with pytest.raises(ApprovalExpired):
        time.run(approvals.approve(app.client, int(request.run), request.digest, by="ann"))
    assert ran == [7]


def test_a_refusal_cancels_the_run(time: Harness) -> None:
    graph = waiting(time)
    request = asked(time)
    time.run(approvals.refuse(app.client, int(request.run), request.digest, by="ann"))
    found = time.find(graph.nodes[1].handle)
    assert isinstance(found, Ended)
    assert (found.state, found.reason) == (State.CANCELLED, "approval was refused by ann")
    with pytest.raises(ApprovalUsed, match="refused by ann"):
        time.run(approvals.approve(app.client, int(request.run), request.digest, by="bob"))


def test_what_was_approved_and_not_let_in_is_let_in_by_whoever_comes_next(
    time: Harness, monkeypatch: pytest.MonkeyPatch
) -> None:
    waiting(time)
    request = asked(time)

    async def cut_off(*_: object) -> None:
        raise ConnectionError

    with monkeypatch.context() as patched:
        patched.setattr(approvals, "carry_out", cut_off)
        with pytest.raises(ConnectionError):
            time.run(approvals.approve(app.client, int(request.run), request.digest, by="ann"))
    assert isinstance(time.find(request.run), Live)
    time.advance("2h")
    assert ran == [7, ["pay", 7]]


def test_an_approval_comes_neither_too_early_nor_to_what_needs_none(time: Harness) -> None:
    graph = app.graph()
    first = graph.add(one.in_("1h").bind(7))
    second = graph.add(note.bind(first.result), approval="1h")
    graph.submit()
    with pytest.raises(Conflict, match="still waits for its parents"):
        time.run(approvals.approve(app.client, int(second.handle.id), "0" * 32, by="ann"))
    with pytest.raises(Conflict, match="needs no approval"):
        time.run(approvals.approve(app.client, int(first.handle.id), "0" * 32, by="ann"))


def test_a_replay_needs_an_approval_of_its_own_and_takes_what_the_first_one_took(time: Harness) -> None:
    graph = app.graph()
    first = graph.add(one.bind(7))
    second = graph.add(boom.bind(), approval="1h").after(first)
    graph.add(length.bind(first.result))
    graph.submit()
    time.run_due()
    request = asked(time)
    time.run(approvals.approve(app.client, int(request.run), request.digest, by="ann"))
    time.run_due()
    again = time.run(runs.retry(app.client, int(second.handle.id)))
    time.run_due()
    assert asked(time).run == str(again)
