"""A coroutine without a task of its own behaves as if it had one."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from contextvars import ContextVar, copy_context
from typing import Any

import pytest

from shike.testing import VirtualLoop
from shike.worker.drive import drive

colour = ContextVar("colour", default="none")


def run(handler: Callable[[], Coroutine[Any, Any, Any]]) -> tuple[Any, int]:
    """The value, and how often the first wait was told."""
    waits = []

    async def whole() -> Any:
        return await drive(handler(), copy_context(), lambda: waits.append(1))

    loop = VirtualLoop()
    try:
        return loop.run_until_complete(whole()), len(waits)
    finally:
        loop.close()


def test_a_value_comes_back_without_a_wait() -> None:
    async def handler() -> int:
        return 7

    assert run(handler) == (7, 0)


def test_the_first_wait_is_told_once() -> None:
    async def handler() -> str:
        for _ in range(5):
            await asyncio.sleep(0.1)
        return "done"

    assert run(handler) == ("done", 1)


@pytest.mark.parametrize("waits", [0, 1])
@pytest.mark.parametrize("error", [ValueError("x"), SystemExit(1), asyncio.CancelledError()])
def test_exceptions_come_out_as_they_are(waits: int, error: BaseException) -> None:
    async def handler() -> None:
        for _ in range(waits):
            await asyncio.sleep(0)
        raise error

    async def whole() -> BaseException | None:
        try:
            await drive(handler(), copy_context(), lambda: None)
        except BaseException as raised:
            return raised
        return None

    loop = VirtualLoop()
    assert loop.run_until_complete(whole()) is error
    loop.close()


@pytest.mark.parametrize("waits", [0, 1])
def test_a_handlers_own_generator_exit_is_a_failure_like_any_other(waits: int) -> None:
    async def handler() -> None:
        for _ in range(waits):
            await asyncio.sleep(0)
        raise GeneratorExit

    with pytest.raises(RuntimeError, match="GeneratorExit"):
        run(handler)


def test_a_cancellation_reaches_the_handler_where_it_waits_and_may_be_survived() -> None:
    async def handler() -> str:
        try:
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            await asyncio.sleep(1)
            return "put away"
        return "slept"

    async def whole() -> str:
        task = asyncio.ensure_future(_driven(handler))
        await asyncio.sleep(1)
        task.cancel()
        return str(await task)

    loop = VirtualLoop()
    assert loop.run_until_complete(whole()) == "put away"
    loop.close()


async def _driven(handler: Callable[[], Coroutine[Any, Any, Any]]) -> Any:
    return await drive(handler(), copy_context(), lambda: None)


def test_context_variables_live_in_the_handlers_own_context_through_all_waits() -> None:
    async def handler() -> list[str]:
        colour.set("red")
        seen = [colour.get()]
        await asyncio.sleep(0.1)
        seen.append(colour.get())
        try:
            async with asyncio.timeout(0.1):
                await asyncio.sleep(60)
        except TimeoutError:
            seen.append(colour.get())
        return seen

    async def whole() -> tuple[list[str], str]:
        return await drive(handler(), copy_context(), lambda: None), colour.get()

    loop = VirtualLoop()
    assert loop.run_until_complete(whole()) == (["red"] * 3, "none")
    loop.close()


def test_who_goes_away_closes_the_handler() -> None:
    ended = []

    async def handler() -> None:
        try:
            await asyncio.get_running_loop().create_future()
        finally:
            ended.append(True)

    async def whole() -> None:
        waiting = drive(handler(), copy_context(), lambda: None)
        waiting.send(None)
        waiting.close()

    loop = VirtualLoop()
    loop.run_until_complete(whole())
    loop.close()
    assert ended == [True]
