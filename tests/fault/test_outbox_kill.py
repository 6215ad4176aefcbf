"""Relays in real processes, killed with -9 at each step and in between, from each database into another store: each
row is exactly one run, in order, and none that can be one stays behind."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import msgspec
import pytest
import redis

from shike import Shike
from shike.outbox import Outbox
from shike.store.base import RunFilter
from tests import servers
from tests.fault.outbox_child import build
from tests.fault.processes import importing
from tests.unit.outbox.worlds import DRIVERS, World, world_of

PATIENCE_SECONDS = 60.0
WRITTEN_MAX = 8_000
NAMESPACE = f"obx{os.getpid()}"
TARGETS = {"sqlite": "redis", "postgres": "mysql", "mysql": "postgres"}
KILLS = [(step, when) for step in ("take", "read", "deliver", "refuse", "done") for when in ("before", "after")]


class Site:
    """An application's database, the store elsewhere, and the relays between."""

    def __init__(self, world: World, store: str) -> None:
        self.world = world
        self.store = store
        self.app: Shike = build(store, NAMESPACE)
        self.outbox = Outbox(self.app, world.url)
        self.relays: list[subprocess.Popen[bytes]] = []
        self.written = 0

    def write(self, count: int) -> None:
        """So many runs with numbers that go on, in one transaction."""

        async def work() -> None:
            calls = [self.app.find_task("mail").bind(self.written + n) for n in range(count)]
            async with DRIVERS[self.world.kind][0](self.world) as connection:
                self.outbox.submit_on(connection, calls)

        asyncio.run(work())
        self.written += count

    def relay(self, *how: str) -> subprocess.Popen[bytes]:
        words = [self.world.url, self.store, NAMESPACE, *how]
        one = subprocess.Popen(
            [sys.executable, "-m", "tests.fault.outbox_child", *words],
            cwd=Path(__file__).parents[2],
            env=importing(),
            stderr=subprocess.DEVNULL,
        )
        self.relays.append(one)
        return one

    def waiting(self) -> int:
        found = self.world.ask(f"select count(*) from {NAMESPACE}_outbox where refused_at = 0")
        return int(found[0][0])

    def emptied(self) -> None:
        end = time.monotonic() + PATIENCE_SECONDS
        while self.waiting():
            assert time.monotonic() < end, f"{self.waiting()} rows are still waiting"
            time.sleep(0.05)

    def numbers(self) -> list[int]:
        """Of the runs in the store, in the order in which they would be claimed."""

        async def work() -> Any:
            store = await self.app.client.store()
            found = await store.runs(RunFilter(limit=10_000))
            await self.app.client.close()
            return found

        lives = sorted(asyncio.run(work()), key=lambda live: (live.run_at, live.run.id))
        return [msgspec.json.decode(live.run.args)["number"] for live in lives]

    def close(self) -> None:
        for one in self.relays:
            if one.poll() is None:
                one.kill()
            one.wait(PATIENCE_SECONDS)
        self.app.client.close_sync()


@contextmanager
def store_of(kind: str, folder: Path) -> Iterator[str]:
    if kind != "redis":
        worlds = world_of(kind, folder)
        yield next(worlds).url
        assert next(worlds, None) is None
        return
    yield f"{servers.url('redis')}?accept=no-aof,eviction"
    with redis.Redis.from_url(servers.url("redis")) as client:
        for key in client.scan_iter(f"*{NAMESPACE}*", count=1_000):
            client.delete(key)


@pytest.fixture(params=list(TARGETS))
def site(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Site]:
    worlds = world_of(request.param, tmp_path)
    with store_of(TARGETS[request.param], tmp_path) as store:
        site = Site(next(worlds), store)
        site.outbox.create()
        site.app.open()
        yield site
        site.close()
    assert next(worlds, None) is None


@pytest.mark.slow
def test_a_relay_that_is_killed_at_each_step_loses_and_repeats_nothing(site: Site) -> None:
    for step, when in KILLS:
        site.write(3)
        site.world.ask(f"insert into {NAMESPACE}_outbox (task, args) values ('nobody', '{{}}')")
        site.write(4)
        killed = site.relay(step, when)
        assert killed.wait(PATIENCE_SECONDS) == -signal.SIGKILL, (step, when)
    site.relay()
    site.emptied()
    assert site.numbers() == list(range(7 * len(KILLS)))
    refused = site.world.ask(f"select count(*) from {NAMESPACE}_outbox where task = 'nobody'")
    assert int(refused[0][0]) == len(KILLS), "a row that can be no run is kept, once"


@pytest.mark.slow
@pytest.mark.long
def test_two_relays_that_are_killed_again_and_again_lose_and_repeat_nothing(site: Site) -> None:
    over = threading.Event()

    def writes() -> None:
        while not over.is_set() and site.written < WRITTEN_MAX:
            site.write(20)
            over.wait(0.02)

    writer = threading.Thread(target=writes)
    writer.start()
    try:
        pair = [site.relay(), site.relay()]
        for n in range(6):
            time.sleep(0.7 + 0.13 * n)  # somewhere in their work
            pair[n % 2].kill()
            pair[n % 2].wait(PATIENCE_SECONDS)
            pair[n % 2] = site.relay()
    finally:
        over.set()
        writer.join(PATIENCE_SECONDS)
    site.emptied()
    found = site.numbers()
    assert [number for number, count in Counter(found).items() if count > 1] == []
    assert found == list(range(site.written))
