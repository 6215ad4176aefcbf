"""Broadcast, shards, gangs and batches with real engines on every store (R2.7, R3.13)."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack
from pathlib import Path

from shike import Roles, Shike, current
from shike.clock import SystemClock
from shike.operate.load_map import LoadMapper
from tests.contract.stores import Maker

WORKERS = 3
LEASE_SECONDS = 60.0  # no busy machine shall take a worker for dead


async def fleet(app: Shike, stack: AsyncExitStack, slots: int) -> list[str]:
    """Workers that are seen by everybody; the first one schedules, too."""
    engines = []
    for number in range(WORKERS):
        roles = Roles(scheduler=number == 0, slots=slots, name=f"w{number}", lease_seconds=LEASE_SECONDS)
        engines.append(await stack.enter_async_context(app.running(roles)))
    mapper = LoadMapper(await app.client.store(), app.runtime.clock)
    while len((await mapper.look()).workers) < WORKERS:
        await asyncio.sleep(0.05)
    return [engine.member.identity for engine in engines]


async def test_a_broadcast_is_done_once_by_each_worker(make_store: Maker, tmp_path: Path) -> None:
    app = Shike(make_store(tmp_path, SystemClock()))

    @app.task(name="where")
    async def where() -> tuple[int, int]:
        return current().shard.index, current().shard.total

    async with AsyncExitStack() as stack:
        workers = await fleet(app, stack, slots=4)
        handles = await app.broadcast(where.bind())
        told = [await handle.wait() for handle in handles]
        assert sorted(map(tuple, told)) == [(number, WORKERS) for number in range(WORKERS)]
        store = await app.client.store()
        done = [(await store.attempts(int(handle.id)))[-1].session for handle in handles]
        assert done == workers
    await app.client.close()


async def test_shards_and_a_reducer_that_takes_a_thousand_results(make_store: Maker, tmp_path: Path) -> None:
    app = Shike(make_store(tmp_path, SystemClock()))

    @app.task(name="lengths")
    async def lengths(words: list[str]) -> int:
        return len(words)

    @app.task(name="add")
    async def add(numbers: list[int]) -> int:
        return sum(numbers)

    async with AsyncExitStack() as stack:
        await fleet(app, stack, slots=20)
        graph = app.graph()
        parts = graph.shards(lengths, ["a"] * 30, grain=2)
        shared = graph.add(add.bind([part.result for part in parts]))
        total = graph.map_reduce(lengths, ["a"] * 1_200, add, grain=1)
        await graph.submit()
        assert await shared.handle.wait() == 30
        assert await total.handle.wait() == 1_200
        store = await app.client.store()
        done = [len(await store.attempts(int(part.handle.id))) for part in parts]
        assert done == [1] * 15, "who did which is tested in virtual time: a busy machine may take a worker for slow"
    await app.client.close()


async def test_a_gang_over_several_workers_begins_together(make_store: Maker, tmp_path: Path) -> None:
    app = Shike(make_store(tmp_path, SystemClock()))
    under_way, most, whole = [0], [0], asyncio.Event()

    @app.task(name="member", timeout=60)
    async def member() -> None:
        under_way[0] += 1
        most[0] = max(most[0], under_way[0])
        if under_way[0] == WORKERS:
            whole.set()
        await whole.wait()  # it never ends if they do not all begin
        under_way[0] -= 1

    async with AsyncExitStack() as stack:
        await fleet(app, stack, slots=1)
        graph = app.graph()
        members = [graph.add(member.bind()) for _ in range(WORKERS)]
        graph.gang(*members, timeout=50)
        await graph.submit()
        for one in members:
            await one.handle.wait()
        assert most == [WORKERS]
    await app.client.close()


async def test_a_batch_gathers_what_was_claimed_together(make_store: Maker, tmp_path: Path) -> None:
    app, calls = Shike(make_store(tmp_path, SystemClock())), list[int]()

    @app.task(name="double", batch=50, window=5.0)
    async def double(numbers: list[int]) -> list[int]:
        calls.append(len(numbers))
        return [2 * number for number in numbers]

    handles = await app.submit_many([double.bind(number) for number in range(50)])
    async with app.running(Roles(slots=50, lease_seconds=LEASE_SECONDS)):
        assert [await handle.wait() for handle in handles] == [2 * number for number in range(50)]
    assert sum(calls) == 50 and len(calls) < 10, "but for what a busy machine claims too late"
    await app.client.close()
