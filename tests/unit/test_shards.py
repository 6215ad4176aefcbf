"""Divided work as users write it: broadcast, shards, map and reduce, gangs (R2.7, R3.13)."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Any

import pytest

from shike import Concurrency, Shike, current
from shike.bounds import GANG_RUNS_MAX
from shike.errors import BadInput, BadTime, GraphError, MissingParent, NoWorker, TooLarge
from shike.model import Route
from shike.testing import harness
from shike.testing.harness import Harness
from shike.track.settle import options_of

app = Shike("memory://")
seen: list[Any] = []


@app.task
async def refresh(what: str = "cache") -> str:
    seen.append((what, current().shard.index, current().shard.total))
    return what


@app.task
async def lengths(words: list[str]) -> int:
    seen.append((current().shard.index, current().shard.total, len(words)))
    return sum(map(len, words))


@app.task
async def add(numbers: list[int]) -> int:
    seen.append(len(numbers))
    return sum(numbers)


@app.task
async def one(number: int = 0) -> int:
    seen.append(number)
    return number


@app.task(limits=[Concurrency(2)])
async def limited() -> None: ...


@pytest.fixture
def time() -> Iterator[Harness]:
    seen.clear()
    with harness(app) as found:
        yield found


def test_a_broadcast_reaches_every_worker_that_is_there(time: Harness) -> None:
    time.advance("2s")  # a beat has told what the worker serves
    handles = app.broadcast(refresh.bind("prices"))
    assert len(handles) == 1
    time.advance("2s")
    assert handles[0].result() == "prices"
    assert seen == [("prices", 0, 1)]


def test_a_broadcast_that_reaches_nobody_says_so(time: Harness) -> None:
    time.advance("2s")
    with pytest.raises(NoWorker, match="start one"):
        app.broadcast(refresh.options(queue="nobody").bind())
    with pytest.raises(NoWorker):
        app.broadcast(refresh.options(route=Route(required=("gpu",))).bind())
    with pytest.raises(BadInput, match="business key"):
        app.broadcast(refresh.options(key="k").bind())
    with pytest.raises(BadInput, match="failover"):
        app.broadcast(refresh.bind(), on_gone="perhaps")
    with pytest.raises(BadInput, match="bind"):
        app.broadcast(refresh)  # type: ignore[arg-type]


def test_in_async_code_a_broadcast_is_awaited() -> None:
    async def story() -> None:
        other = Shike("memory://")

        @other.task
        async def work() -> None: ...

        handles = other.broadcast(work.bind())
        assert handles == []
        with pytest.raises(NoWorker):
            await handles
        await other.client.close()

    asyncio.run(story())


def test_shards_know_their_place_and_go_to_whom_they_are_at_home_with(time: Harness) -> None:
    time.advance("2s")
    graph = app.graph()
    parts = graph.shards(lengths, ["ab"] * 10, grain=4)
    total = graph.add(add.bind([part.result for part in parts]))
    graph.submit()
    time.advance("5s")
    assert total.handle.result() == 20
    assert sorted(seen[:-1]) == [(0, 3, 4), (1, 3, 3), (2, 3, 3)]
    assert seen[-1] == 3
    assert len(graph.measured()) == 3


def test_a_route_of_the_task_still_narrows_who_may_have_a_shard() -> None:
    graph = app.graph()
    (part,) = graph.shards(lengths.options(route=Route(required=("gpu",))), ["a"])
    route = options_of(part.call.entry(256, 0, app.client.codec).run.options).route
    assert route == Route(by="even", key="0/1", required=("gpu",))


def test_map_and_reduce_read_like_the_work_itself(time: Harness) -> None:
    graph = app.graph()
    total = graph.map_reduce(lengths, ["abc"] * 100, add, grain=10)
    graph.submit()
    time.run_due()
    assert total.handle.result() == 300
    assert seen[-1] == 10, "one reducer takes all"


def test_a_reducer_takes_no_more_than_it_was_said_to(time: Harness) -> None:
    graph = app.graph()
    total = graph.map_reduce(lengths, ["abc"] * 100, add, grain=4, fan_in=5)
    graph.submit()
    time.run_due()
    assert total.handle.result() == 300
    assert [count for count in seen if isinstance(count, int)] == [5, 5, 5, 5, 5, 5]


def test_map_and_reduce_of_nothing_reduces_nothing(time: Harness) -> None:
    graph = app.graph()
    total = graph.map_reduce(lengths, [], add)
    with pytest.raises(BadInput, match="fan_in"):
        graph.map_reduce(lengths, ["a"], add, fan_in=1)
    graph.submit()
    time.run_due()
    assert total.handle.result() == 0


def test_a_gang_begins_together(time: Harness) -> None:
    graph = app.graph()
    before = graph.add(one.bind(9))
    members = [graph.add(one.bind(number)).after(before) for number in range(3)]
    graph.gang(*members, timeout="1m")
    last = graph.add(add.bind([member.result for member in members]))
    graph.submit()
    time.advance("5s")
    assert last.handle.result() == 3
    assert (seen[0], sorted(seen[1:4])) == (9, [0, 1, 2])


def test_a_gang_that_can_never_be_whole_does_not_begin_and_other_work_goes_on(time: Harness) -> None:
    graph = app.graph()
    members = [graph.add(one.bind(number)) for number in range(101)]  # one more than there are slots
    graph.gang(*members, timeout="5s")
    graph.submit()
    other = one.submit(1000)
    time.advance("1m")
    assert other.result() == 1000
    assert seen == [1000]
    assert graph.cancel() == 101


def test_what_is_no_gang_is_refused() -> None:
    graph = app.graph()
    first, second = graph.add(one.bind()), graph.add(one.bind())
    child = graph.add(one.bind()).after(first)
    with pytest.raises(BadInput, match="1 to all"):
        graph.gang()
    with pytest.raises(BadInput, match="at least 3"):
        graph.gang(first, second, least=3)
    with pytest.raises(BadTime, match="timeout"):
        graph.gang(first, second, timeout=0)
    with pytest.raises(MissingParent):
        graph.gang(app.graph().add(one.bind()))
    graph.gang(first, child)
    with pytest.raises(BadInput, match="each in one gang"):
        graph.gang(first, second)
    with pytest.raises(GraphError, match="wait for the same parents"):
        graph.submit()
    crowd = app.graph()
    with pytest.raises(TooLarge, match="256"):
        crowd.gang(*[crowd.add(one.bind()) for _ in range(GANG_RUNS_MAX + 1)])
    asked = app.graph()
    asked.gang(asked.add(one.bind(), approval="1d"))
    with pytest.raises(GraphError, match="no approval"):
        asked.submit()
