"""R0.9: limits hold however a run came: in a graph, by broadcast, from a program that did not know of them."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import pytest

from shike import Concurrency, Debounce, Shike
from shike.errors import BadArguments, GraphError
from shike.limit.gates import gate_of
from shike.model import Ended, Live, State
from shike.operate import approvals
from shike.operate import explain as explaining
from shike.operate import runs as operating
from shike.operate.accept import EMPTY, Tasks, Wish, call_of
from shike.testing import Harness, harness

app = Shike("memory://")
under_way: list[int] = []
most = 0


@app.task(name="fetch", limits=[Concurrency(2, by="host")])
async def fetch(host: str, page: int = 0) -> str:
    global most
    under_way.append(page)
    most = max(most, len(under_way))
    await asyncio.sleep(1)
    under_way.remove(page)
    return host


@app.task(name="collect")
async def collect(found: list[str]) -> int:
    return len(found)


@app.task(name="mark", limits=[Debounce("5s", by="name")])
async def mark(name: str) -> None: ...


@pytest.fixture
def time() -> Iterator[Harness]:
    global most
    under_way.clear()
    most = 0
    with harness(app) as h:
        yield h


def test_runs_of_a_graph_wait_for_their_parents_and_then_for_their_limits(time: Harness) -> None:
    graph = app.graph()
    first = graph.add(collect.bind([]))
    pages = [graph.add(fetch.bind("a", page)).after(first) for page in range(6)]
    total = graph.add(collect.bind([page.result for page in pages]))
    graph.submit()
    time.advance("10s")
    assert total.handle.result() == 6
    assert most == 2


def test_a_root_of_a_graph_waits_for_its_limits(time: Harness) -> None:
    graph = app.graph()
    total = graph.add(collect.bind([graph.add(fetch.bind("a", page)).result for page in range(4)]))
    graph.submit()
    time.advance("10s")
    assert (total.handle.result(), most) == (4, 2)


def test_a_key_that_is_the_result_of_a_parent_is_known_when_that_is_over(time: Harness) -> None:
    """No worker begins it before it has its permit, though nobody knew its gate when it was submitted."""
    graph = app.graph()
    host = graph.add(fetch.bind("b"))
    pages = [graph.add(fetch.bind(host.result, page)) for page in range(1, 6)]
    total = graph.add(collect.bind([page.result for page in pages]))
    graph.submit()
    time.advance("30s")
    assert total.handle.result() == 5
    assert most == 2
    found = time.find(pages[0].handle)
    assert isinstance(found, Ended) and found.run.gate == gate_of("fetch", {"host": "b"})


def test_what_needs_approval_is_approved_first_and_limited_then(time: Harness) -> None:
    graph = app.graph()
    pages = [graph.add(fetch.bind("a", page), approval="1h") for page in range(4)]
    graph.submit()
    time.advance("5s")
    assert most == 0
    for page in pages:
        request = time.run(approvals.request(app.client, int(page.handle.id)))
        time.run(approvals.approve(app.client, int(page.handle.id), request.digest, by="ann"))
    time.advance("10s")
    assert [page.handle.result() for page in pages] == ["a"] * 4
    assert most == 2


def test_why_a_run_of_a_graph_waits_is_its_parents_and_then_its_limits(time: Harness) -> None:
    graph = app.graph()
    first = graph.add(fetch.bind("x"))
    pages = [graph.add(fetch.bind("a", page)).after(first) for page in range(4)]
    graph.submit()
    last = int(pages[-1].handle.id)

    def words() -> str:
        return time.run(explaining.explain(time.store, app.client.runtime.clock, last)).words

    time.advance("500ms")
    assert "waits for 1 of 1 parents" in words()
    _, steps = time.run(operating.show(app.client, last))
    assert any("parents" in step.words for step in steps)
    time.advance("1s")
    assert "waits for limit host=a" in words()
    time.advance("10s")


def test_a_child_that_is_dropped_by_its_limit_ends_what_depends_on_it(time: Harness) -> None:
    graph = app.graph()
    first = graph.add(mark.bind("a"))
    after = graph.add(collect.bind([])).after(first)
    graph.submit()
    time.advance("1s")
    mark.submit("a")
    time.advance("20s")
    found = time.find(after.handle)
    assert isinstance(found, Ended) and found.state is State.SKIPPED


def test_a_gang_of_a_limited_task_is_refused(time: Harness) -> None:
    graph = app.graph()
    graph.gang(*[graph.add(fetch.bind("a", page)) for page in range(3)])
    with pytest.raises(GraphError, match="its gang begins together"):
        graph.submit()


def test_a_broadcast_goes_by_the_limits(time: Harness) -> None:
    time.advance("2s")
    held = [fetch.submit("a", page) for page in range(2)]
    (one,) = app.broadcast(fetch.bind("a", 9))
    time.advance("500ms")
    found = time.find(one)
    assert isinstance(found, Live) and found.state is State.WAITING
    time.advance("10s")
    assert one.result() == held[0].result() == "a"
    assert most == 2


def test_runs_that_were_submitted_by_name_alone_wait_for_limits_that_others_told(time: Harness) -> None:
    strange = Tasks(None).find("fetch")
    time.advance("1s")
    calls = [call_of(strange, b'{"host":"a","page":%d}' % page, Wish()) for page in range(5)]
    handles = app.submit_many(calls)
    first = time.find(handles[0])
    assert first.run.gate == gate_of("fetch", {"host": "a"})
    time.advance("10s")
    assert most == 2
    assert [time.find(handle).state for handle in handles] == [State.SUCCESS] * 5
    with pytest.raises(BadArguments, match="limited by 'host'"):
        app.submit_many([call_of(strange, EMPTY, Wish())])


def test_runs_that_never_stood_at_their_gate_are_put_there_by_the_worker(time: Harness) -> None:
    """As those of a program of before there were limits: the worker has the code, and does not let them in."""
    time.advance("1s")
    calls = [fetch.bind("a", page) for page in range(5)]
    entries = [
        call.entry((page + 77) << 8, time.run(time.store.now()), app.client.codec, "")
        for page, call in enumerate(calls)
    ]
    time.run(time.store.submit(entries))
    time.advance("30s")
    ended = [time.run(time.store.ended(entry.run.id)) for entry in entries]
    assert [one.state for one in ended if one is not None] == [State.SUCCESS] * 5
    assert most == 2
    assert {one.attempts for one in ended if one is not None} == {1}


def test_a_run_whose_arguments_tell_no_key_is_a_dead_letter(time: Harness) -> None:
    time.advance("1s")
    stray = call_of(Tasks(None).find("fetch"), b'{"host":null}', Wish())
    time.run(time.store.submit([stray.entry(99 << 8, time.run(time.store.now()), app.client.codec, "")]))
    time.advance("5s")
    ended = time.run(time.store.ended(99 << 8))
    assert ended is not None and ended.state is State.DEAD
    assert "limited by 'host'" in ended.reason
