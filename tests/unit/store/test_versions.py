"""Programs of two versions on one store, side by side: the newer has a further step of the layout, and more to write.

A version that an older program could not stand has a newer *format*, and that one is refused (test_…_opening.py).
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count
from unittest.mock import patch

import asyncpg
import msgspec
import pytest

from shike import Shike
from shike.engine import Roles
from shike.model import Load, Schedule
from shike.store.relational.statements import migrations
from shike.trigger import encode, every
from tests import bounded, servers
from tests.contract.databases import execute, within
from tests.unit.store.redis_world import LOSSY, namespace

__all__ = ["namespace"]

NEWER_STEP = """
alter table {ns}_run add column colour int not null default 7;
alter table {ns}_history add column colour int not null default 7;
alter table {ns}_schedule add column colour int not null default 7;
alter table {ns}_session add column colour int not null default 7;
create table {ns}_colour (id int primary key);
"""
SECONDS = 30.0
_serial = count()


@pytest.fixture
def postgres() -> Iterator[str]:
    where, name = servers.url("postgres"), f"shike_versions_{os.getpid()}_{next(_serial)}"

    async def run(script: str) -> None:
        connection = await asyncpg.connect(where, timeout=bounded.SECONDS)
        await connection.execute(script, timeout=bounded.SECONDS)
        await connection.close(timeout=bounded.SECONDS)

    bounded.run(run(f"create schema {name}"))
    yield f"{where}?search_path={name}"
    bounded.run(run(f"drop schema {name} cascade"))


@pytest.fixture
def mysql() -> Iterator[str]:
    where, name = servers.url("mysql"), f"shike_versions_{os.getpid()}_{next(_serial)}"
    bounded.run(execute(where, f"create database {name}"))
    yield within(where, name)
    bounded.run(execute(where, f"drop database {name}"))


@contextmanager
def newer(kind: str) -> Iterator[None]:
    """A store that is opened in the block is one of the next version."""

    def steps(package: str) -> list[tuple[int, str]]:
        known = migrations(package)
        return [*known, (known[-1][0] + 1, NEWER_STEP)]

    with patch(f"shike.store.{kind}.opening.migrations", steps):
        yield


def program(url: str, ran: list[str], name: str, **words: str) -> Shike:
    """Two tasks; which program ran one is written down."""
    app = Shike(url, **words)

    @app.task(name="work")
    async def work(n: int) -> str:
        ran.append(name)
        await asyncio.sleep(0.01)
        return name

    return app


async def both_work(old: Shike, new: Shike, ran: list[str]) -> None:
    """What either submits, either runs."""
    for app in (old, new):
        handles = await app.submit_many([app.find_task("work").bind(n) for n in range(40)])
        assert {await handle.wait(SECONDS) for handle in handles} <= {"old", "new"}
    assert len(ran) == 80 and set(ran) == {"old", "new"}


@pytest.mark.parametrize("kind", ["postgres", "mysql"])
def test_the_layout_is_taken_a_step_further_under_an_older_program(kind: str, request: pytest.FixtureRequest) -> None:
    """It goes on, and it can be started again: back to the old version is open."""
    url = request.getfixturevalue(kind)

    async def story() -> None:
        ran: list[str] = []
        old, new = program(url, ran, "old"), program(url, ran, "new")
        async with old.running(Roles(slots=4)):
            with newer(kind):
                await new.open()
            async with new.running(Roles(slots=4)):
                await both_work(old, new, ran)
            await new.client.close()
        await old.client.close()
        ran.clear()
        again = program(url, ran, "again")
        async with again.running(Roles(slots=4)):
            assert await (await again.find_task("work").submit(1)).wait(SECONDS) == "again"
        await again.client.close()

    bounded.run(story())


class NewerSchedule(Schedule, frozen=True, kw_only=True, omit_defaults=True):
    """As the next version might have it."""

    colour: str = "none"


class NewerLoad(Load, frozen=True, kw_only=True, omit_defaults=True):
    colour: str = "none"


def test_what_a_newer_program_writes_an_older_one_reads() -> None:
    """Whatever store keeps it: records are packed by these two."""
    trigger = encode(every("1h"))
    made = NewerSchedule(name="a", task="t", trigger=trigger, colour="red")
    assert msgspec.msgpack.decode(msgspec.msgpack.encode(made), type=Schedule) == Schedule(
        name="a", task="t", trigger=trigger
    )
    told = msgspec.json.encode(NewerLoad(late_ms={1: 2}, colour="red"))
    assert msgspec.json.decode(told, type=Load) == Load(late_ms={1: 2})


def test_on_redis_an_older_program_works_beside_one_that_writes_more(namespace: str) -> None:
    """Its layout has no steps: what is added are fields of a session's load and of records."""

    async def story() -> None:
        url, ran = f"{servers.url('redis')}?{LOSSY}", list[str]()
        old, new = (program(url, ran, name, namespace=namespace) for name in ("old", "new"))
        async with old.running(Roles(slots=4)), new.running(Roles(slots=4)) as engine:
            engine.member.loads.append(lambda: b'{"colour":"red"}')
            store = await new.client.store()
            made = NewerSchedule(name="default/ticks", task="work", trigger=encode(every("1h")), colour="red")
            await store.put_schedule(made, expect=0, plan_at=await store.now() + 10**9)
            await both_work(old, new, ran)
            found = await (await old.client.store()).schedule("default/ticks")
            assert found is not None and found.schedule.task == "work"
        await old.client.close()
        await new.client.close()

    bounded.run(story())
