"""R1.13 by the public face, in virtual time: reserved slots, start rates and caps of tenants, over two tasks."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Annotated

import pytest

from shike import Key, Rate, Reserved, Shike
from shike.reserve.clerk import Clerk
from shike.reserve.journal.memory import MemoryJournal
from shike.reserve.model import Rule, RuleKind
from shike.reserve.time_pool import TimePool
from shike.testing import Harness, harness
from tests.unit.test_limits import Floor


@pytest.fixture
def app() -> Shike:
    return Shike("memory://")


def opened(h: Harness, *, rules: tuple[Rule, ...] = ()) -> TimePool:
    clerk = Clerk(MemoryJournal())
    pool = TimePool(clerk, "workers", h.store.clock, slot=timedelta(minutes=1), ahead=timedelta(hours=6), store=h.store)
    h.run(pool.open({"gpu": 4}, rules=rules))
    return pool


def reserve(h: Harness, pool: TimePool, tenant: str, count: int, start: int, end: int) -> object:
    first, last = (h.now + timedelta(minutes=minutes) for minutes in (start, end))
    return h.run(pool.reserve("gpu", count, first, last, id=tenant, tenant=tenant))


def test_two_tasks_share_a_pool_and_whoever_reserved_is_served_at_his_time(app: Shike) -> None:
    floor = Floor()

    @app.task(name="train", limits=[Reserved("workers", "gpu", "5m")])
    async def train(tenant: Annotated[str, Key], n: int) -> None:
        await floor.work(tenant, 240.0)

    @app.task(name="index", limits=[Reserved("workers", "gpu", "2m", tenant="nightly")])
    async def index(n: int) -> None:
        await floor.work("nightly", 60.0)

    with harness(app) as h:
        pool = opened(h)
        reserve(h, pool, "acme", 3, 10, 30)
        for n in range(100):
            index.submit(n)
        h.advance("7m")
        assert floor.most["nightly"] == 4
        h.advance("2m")
        assert floor.now["nightly"] == 1  # what begins now may last into the reservation
        for n in range(3):
            train.submit("acme", n)
        h.advance("70s")
        assert (floor.now["acme"], floor.now["nightly"]) == (3, 1)
        h.advance("40m")
        assert floor.most["*"] == 4 and floor.begun.count("nightly") >= 60


def test_the_start_rate_of_a_tenant_is_a_rate_beside_it(app: Shike) -> None:
    begun: list[datetime] = []

    @app.task(name="train", limits=[Reserved("workers", "gpu", "5m"), Rate("1/m", burst=1)])
    async def train(tenant: Annotated[str, Key], n: int) -> None:
        begun.append(h.now)

    with harness(app) as h:
        pool = opened(h)
        reserve(h, pool, "acme", 4, 0, 60)
        for n in range(3):
            train.submit("acme", n)
        h.advance("5m")
        assert [round((at - begun[0]).total_seconds()) for at in begun] == [0, 60, 120]


def test_the_cap_of_a_tenant_in_the_pools_rules_holds_for_its_runs(app: Shike) -> None:
    floor = Floor()

    @app.task(name="train", limits=[Reserved("workers", "gpu", "5m")])
    async def train(tenant: Annotated[str, Key], n: int) -> None:
        await floor.work(tenant, 60.0)

    with harness(app) as h:
        minute = round(h.now.timestamp()) // 60
        opened(h, rules=(Rule("cap of small", RuleKind.MAX, 1, minute, minute + 360, channels=("small",)),))
        for n in range(5):
            train.submit("small", n)
            train.submit("big", n)
        h.advance("30m")
        assert (floor.most["small"], floor.most["big"], len(floor.begun)) == (1, 3, 10)


def test_runs_wait_until_the_pool_is_opened(app: Shike) -> None:
    begun: list[int] = []

    @app.task(name="train", limits=[Reserved("workers", "gpu", "5m", by="tenant")])
    async def train(tenant: str, n: int) -> None:
        begun.append(n)

    with harness(app) as h:
        train.submit("acme", 1)
        h.advance("5m")
        assert begun == []
        opened(h)
        h.advance("1s")
        assert begun == [1]
