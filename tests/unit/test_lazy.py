"""A forgotten `await` is told by the name of the call that the user wrote, once, with what to do."""

from __future__ import annotations

import asyncio
import gc
import warnings
from collections.abc import Callable, Coroutine
from typing import Any

import pytest

from shike import Handle, Shike
from shike.errors import NotFound


@pytest.fixture
def app() -> Shike:
    made = Shike("memory://")

    @made.task(name="double")
    async def double(n: int) -> int:
        return 2 * n

    return made


def warned(work: Callable[[], Coroutine[Any, Any, None]]) -> list[warnings.WarningMessage]:
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        asyncio.run(work())
        gc.collect()
    return told


CALLS: dict[str, Callable[[Shike, Handle[int]], Any]] = {
    "Task.submit": lambda app, handle: app.find_task("double").submit(1),
    "Shike.submit_many": lambda app, handle: app.submit_many([app.find_task("double").bind(1)]),
    "Shike.open": lambda app, handle: app.open(),
    "Handle.cancel": lambda app, handle: handle.cancel(),
}


@pytest.mark.parametrize("name", CALLS)
def test_a_forgotten_await_is_told_once_at_the_line_of_the_call(app: Shike, name: str) -> None:
    async def main() -> None:
        handle = await app.find_task("double").submit(1)
        CALLS[name](app, handle)

    (told,) = warned(main)
    assert told.category is RuntimeWarning and told.filename == __file__
    assert str(told.message).startswith(f"coroutine '{name}' was never awaited, so it did nothing")


@pytest.mark.parametrize("name", CALLS)
def test_what_is_awaited_is_not_warned_of(app: Shike, name: str) -> None:
    async def main() -> None:
        handle = await app.find_task("double").submit(1)
        await CALLS[name](app, handle)

    assert not warned(main)


def test_it_may_be_a_task_of_its_own_and_be_cancelled_before_it_began(app: Shike) -> None:
    async def main() -> None:
        handle = await app.find_task("double").submit(1)
        assert await asyncio.create_task(handle.cancel()) is True
        given_up = asyncio.create_task(handle.cancel())
        given_up.cancel()
        await asyncio.wait([given_up])
        assert given_up.cancelled()
        handle.cancel().close()

    assert not warned(main)


def test_cancel_answers_whether_the_run_is_stopped(app: Shike) -> None:
    async def main() -> None:
        double = app.find_task("double")
        later = await double.in_("1h").submit(1)
        assert [await later.cancel(), await later.cancel()] == [True, True]
        async with app.running():
            over = await double.submit(1)
            assert await over.wait("10s") == 2
            assert await over.cancel() is False
        with pytest.raises(NotFound, match="no run 99840"):
            await double.handle("99840").cancel()

    assert not warned(main)
