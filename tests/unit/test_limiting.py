"""`app.limits`: limits and strikes from a program, in sync and in async code (R0.9)."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Annotated

import pytest

from shike import Concurrency, Key, Shike
from shike.errors import BadInput, BadLimit, BadPredicate, NotFound
from shike.limit.strikes import Deed
from shike.model import State
from shike.testing import Harness, harness

app = Shike("memory://")


@app.task(name="send", limits=[Concurrency(1)])
async def send(tenant: Annotated[str, Key]) -> None:
    await asyncio.sleep(5)


@pytest.fixture
def time() -> Iterator[Harness]:
    with harness(app) as h:
        h.advance("1s")
        yield h


def test_limits_are_listed_shown_set_and_reset(time: Harness) -> None:
    (one,) = app.limits.list()
    assert (one.task, one.name, one.numbers) == ("send", "concurrency:tenant", {"cap": 1})
    handles = [send.submit("acme") for _ in range(4)]
    time.advance("1s")
    (key,) = app.limits.show(send, tenant="acme")
    assert (key.taken, key.cap, key.waiting, key.holders) == (1, 1, 3, (handles[0].id,))
    changed = app.limits.set(send, "concurrency:tenant", cap=3, who="ann")
    assert (changed.numbers, changed.changed_by) == ({"cap": 3}, "ann")
    time.advance("1s")
    assert [state.taken for state in app.limits.show("send")] == [3]
    assert app.limits.reset(send, "concurrency:tenant").numbers == {"cap": 1}


def test_what_cannot_be_says_so(time: Harness) -> None:
    with pytest.raises(NotFound, match="no limit 'rate'"):
        app.limits.set(send, "rate", rate="1/s")
    with pytest.raises(NotFound, match="limits list"):
        app.limits.reset("nobody", "rate")
    with pytest.raises(BadLimit, match="cap"):
        app.limits.set(send, "concurrency:tenant", cap=0)
    with pytest.raises(BadInput, match="what to set"):
        app.limits.set(send, "concurrency:tenant")
    with pytest.raises(BadPredicate):
        app.limits.strike("task = =", "because")
    with pytest.raises(NotFound):
        app.limits.lift("ffff")
    assert app.limits.list("nobody") == []


def test_strikes_are_made_listed_and_lifted(time: Harness) -> None:
    strike = app.limits.strike("task=send", "their relay bounces", deed="hold", who="ann")
    assert (strike.deed, app.limits.strikes()) == (Deed.HOLD, [strike])
    handle = send.submit("acme")
    time.advance("3s")
    assert time.find(handle).state is State.WAITING
    assert app.limits.lift(strike.id) == strike
    assert app.limits.strikes() == []
    time.advance("1m")
    assert time.find(handle).state is State.SUCCESS


def test_in_async_code_each_is_awaited() -> None:
    async def story() -> None:
        here = Shike("memory://")

        @here.task(name="call", limits=[Concurrency(2)])
        async def call() -> None: ...

        async with here.running():
            assert [one.words for one in await here.limits.list(call)] == ["2 at once"]
            assert (await here.limits.set(call, "concurrency", cap=5)).words == "5 at once"
            strike = await here.limits.strike("task=call", "for now")
            assert await here.limits.strikes() == [strike]
            await here.limits.lift(strike.id)

    asyncio.run(story())
