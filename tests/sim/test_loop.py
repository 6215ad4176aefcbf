"""The simulator's own loop: time, order, kill, pause."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from random import Random
from typing import Any

import pytest

from tests.sim.loop import Deadlock, Livelock, Process, SimLoop, ThreadForbidden, current, simulate


def run(main: Callable[[SimLoop], Awaitable[Any]], seed: int = 0) -> Any:
    loop = SimLoop(Random(seed))
    return simulate(loop, lambda: main(loop))


def test_a_year_of_sleep_takes_no_time_and_is_exact() -> None:
    async def main(loop: SimLoop) -> float:
        await asyncio.sleep(365 * 86_400)
        return loop.time()

    assert run(main) == 365 * 86_400


def test_what_is_ready_together_runs_in_an_order_that_only_the_seed_decides() -> None:
    def order(seed: int) -> list[int]:
        async def main(loop: SimLoop) -> list[int]:
            seen: list[int] = []
            for number in range(10):
                loop.call_later(1.0, seen.append, number)
            await asyncio.sleep(2)
            return seen

        result: list[int] = run(main, seed)
        return result

    assert order(1) == order(1)
    assert sorted(order(1)) == list(range(10))
    assert order(1) != order(2)


def test_a_killed_process_runs_no_finally_and_no_except() -> None:
    async def main(loop: SimLoop) -> list[str]:
        seen: list[str] = []

        async def victim() -> None:
            try:
                async with asyncio.TaskGroup() as group:
                    group.create_task(asyncio.sleep(100))
                    seen.append("began")
                    await asyncio.sleep(100)
            except BaseException:
                seen.append("except")
                raise
            finally:
                seen.append("finally")

        process = Process("victim")
        loop.start(process, victim())
        await asyncio.sleep(1)
        loop.kill(process)
        await asyncio.sleep(1_000)
        return list(seen)

    assert run(main) == ["began"]


def test_a_process_that_kills_itself_takes_no_further_step() -> None:
    async def main(loop: SimLoop) -> list[str]:
        seen: list[str] = []

        async def victim() -> None:
            seen.append("before")
            process = current()
            assert process is not None
            loop.kill(process)
            await loop.create_future()
            seen.append("after")

        loop.start(Process("victim"), victim())
        await asyncio.sleep(5)
        return list(seen)

    assert run(main) == ["before"]


def test_a_paused_process_wakes_late_and_sees_that_time_has_passed() -> None:
    async def main(loop: SimLoop) -> list[float]:
        ticks: list[float] = []

        async def ticker() -> None:
            while len(ticks) < 3:
                await asyncio.sleep(1)
                ticks.append(loop.time())

        process = Process("ticker")
        task = loop.start(process, ticker())
        await asyncio.sleep(1.5)
        loop.pause(process)
        await asyncio.sleep(30)
        loop.resume(process)
        await task
        return ticks

    assert run(main) == [1.0, 31.5, 32.5]


def test_children_belong_to_the_process_of_their_parent() -> None:
    async def main(loop: SimLoop) -> list[str]:
        names: list[str] = []

        async def child() -> None:
            process = current()
            names.append(process.name if process else "harness")

        async def parent() -> None:
            await asyncio.create_task(child())
            asyncio.get_running_loop().call_soon(lambda: asyncio.ensure_future(child()))

        loop.start(Process("p"), parent())
        await child()
        await asyncio.sleep(1)
        return names

    assert sorted(run(main)) == ["harness", "p", "p"]


def test_a_world_in_which_nothing_can_happen_is_a_deadlock() -> None:
    async def main(loop: SimLoop) -> None:
        await loop.create_future()

    with pytest.raises(Deadlock):
        run(main)


def test_steps_without_time_are_a_livelock() -> None:
    async def main(loop: SimLoop) -> None:
        while True:
            await asyncio.sleep(0)

    with pytest.raises(Livelock):
        run(main)


def test_threads_are_forbidden() -> None:
    async def main(loop: SimLoop) -> None:
        await asyncio.to_thread(print)

    with pytest.raises(ThreadForbidden):
        run(main)


def test_an_exception_that_nobody_handles_is_kept() -> None:
    def explode() -> None:
        raise ValueError("unheard")

    async def main(loop: SimLoop) -> list[str]:
        loop.call_soon(explode)
        await asyncio.sleep(1)
        return list(loop.complaints)

    complaints = run(main)
    assert len(complaints) == 1
    assert "unheard" in complaints[0]


def test_the_private_names_of_asyncio_that_the_loop_leans_on_exist() -> None:
    loop = SimLoop(Random(0))
    handle = asyncio.Handle(print, (), loop, None)
    timer = asyncio.TimerHandle(1.0, print, (), loop, None)
    for name in ("_context", "_run", "_cancelled"):
        assert hasattr(handle, name)
        assert hasattr(timer, name)
    assert hasattr(asyncio.BaseEventLoop, "_run_once")
    assert hasattr(loop, "_stopping")
    loop.close()
