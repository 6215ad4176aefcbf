"""One suite, every store: a test that asks for `world` runs once for each, as a coroutine on a loop of its own."""

from __future__ import annotations

import inspect
from pathlib import Path

import pytest

from tests import bounded
from tests.contract.stores import STORES, Maker
from tests.contract.world import World


@pytest.fixture(params=sorted(STORES))
def make_store(request: pytest.FixtureRequest) -> Maker:
    """How to make a store of the kind under test."""
    return STORES[request.param]


@pytest.fixture
def world(make_store: Maker, tmp_path: Path) -> World:
    """A store that is opened with the test's own event loop, a clock that stands still, and short words."""
    return World(make_store, tmp_path)


@pytest.hookimpl(tryfirst=True)
def pytest_pyfunc_call(pyfuncitem: pytest.Function) -> bool | None:
    """Run a coroutine test; what it asked for as `world` is open meanwhile."""
    if not inspect.iscoroutinefunction(pyfuncitem.obj):
        return None
    names = pyfuncitem._fixtureinfo.argnames
    bounded.run(_opened(pyfuncitem.obj, {name: pyfuncitem.funcargs[name] for name in names}))
    return True


async def _opened(test: object, arguments: dict[str, object]) -> None:
    world = arguments.get("world")
    if not isinstance(world, World):
        return await test(**arguments)  # type: ignore[operator,no-any-return]
    await world.open()
    try:
        await test(**arguments)  # type: ignore[operator]
    finally:
        await world.close()
