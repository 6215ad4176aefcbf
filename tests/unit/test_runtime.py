"""Roles go on until they are stopped, whatever happens in them."""

from __future__ import annotations

import asyncio
import threading
import types
from collections.abc import Callable, Coroutine, Generator
from typing import Any

import pytest

from shike.runtime import Runtime, ThreadRole, driven, rest, woken
from shike.testing import VirtualLoop


def virtually(story: Callable[[], Coroutine[Any, Any, None]]) -> None:
    loop = VirtualLoop()
    try:
        loop.run_until_complete(story())
    finally:
        loop.close()


def test_work_that_never_gives_way_is_done_without_a_loop() -> None:
    async def work() -> int:
        await rest(0.0)
        return 7

    assert driven(work()) == 7


def test_work_that_needs_a_loop_is_refused_without_one() -> None:
    cleaned: list[None] = []

    async def work() -> None:
        try:
            await _gives_way()
        finally:
            cleaned.append(None)

    with pytest.raises(RuntimeError, match="event loop"):
        driven(work())
    assert cleaned == [None]


@types.coroutine
def _gives_way() -> Generator[None, None, None]:
    yield


def test_a_role_that_fails_begins_again(caplog: pytest.LogCaptureFixture) -> None:
    begun: list[float] = []
    told: list[BaseException] = []

    async def role() -> None:
        begun.append(asyncio.get_running_loop().time())
        if len(begun) < 3:
            raise KeyError("a mistake of ours")
        await asyncio.sleep(3600)

    async def story() -> None:
        running = Runtime().start(role, "planner", failed=told.append)
        await asyncio.sleep(10)
        await running.stop()

    virtually(story)
    assert len(begun) == 3 and begun[-1] < 5
    assert [type(error) for error in told] == [KeyError, KeyError]
    assert "role planner failed" in caplog.text


def test_a_role_that_is_done_is_not_called_again() -> None:
    calls = []

    async def role() -> None:
        calls.append(1)

    async def story() -> None:
        running = Runtime().start(role, "once")
        await asyncio.sleep(10)
        await running.stop()
        await running.stop()

    virtually(story)
    assert calls == [1]


def test_a_role_apart_is_stopped_with_its_thread_and_says_at_home_what_failed() -> None:
    async def story() -> None:
        home = threading.current_thread()
        told: asyncio.Future[BaseException] = asyncio.get_running_loop().create_future()
        seen: list[threading.Thread] = []

        async def role() -> None:
            seen.append(threading.current_thread())
            raise KeyError("a mistake of ours")

        def failed(error: BaseException) -> None:
            assert threading.current_thread() is home
            told.set_result(error)

        running = Runtime().start(role, "beat", apart=True, failed=failed)
        assert isinstance(running, ThreadRole)
        assert isinstance(await told, KeyError)
        await running.stop()
        assert seen[0] is not home and not seen[0].is_alive()

    asyncio.run(story())


def test_waiting_for_an_event_ends_with_it_or_with_the_time() -> None:
    async def story() -> None:
        event = asyncio.Event()
        assert not await woken(event, 1.0)
        asyncio.get_running_loop().call_later(1.0, event.set)
        assert await woken(event, None)

    virtually(story)
