"""The server dies and comes back, and connections to it are cut: nothing lost, and all of it heals (P1, P4, P5)."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from shike.clock import SystemClock
from shike.errors import StoreUnavailable
from shike.store.opening import open_store
from tests import bounded
from tests.fault.real.figures import record
from tests.fault.real.grounds import SERVED, ground_of, new_ground
from tests.fault.real.judge import judge
from tests.fault.real.proxy import Proxy
from tests.fault.real.scene import scene
from tests.fault.real.site import Site

SLOTS = 10
RESTARTS = 3
DOWN_SECONDS = 1.0
CUTS = 1_000
CUT_PAUSE_SECONDS = 0.1
READERS = 16  # at once, so that there is something to cut
CONNECTIONS_MAX = 60  # of four processes at one time: 8 for each loop of theirs, and some to be told of commits


@pytest.mark.slow
@pytest.mark.parametrize("kind", SERVED)
def test_a_server_killed_and_started_again(kind: str, tmp_path: Path) -> None:
    ground = new_ground(kind)
    try:
        ground.start()
        with scene(ground, tmp_path) as site:
            site.up(site.start("node"), site.start("worker", slots=SLOTS), site.start("worker", slots=SLOTS))
            with site.stream():
                for _ in range(RESTARTS):
                    time.sleep(1.0)
                    ground.restart(DOWN_SECONDS)
            verdict = judge(site, repeats_max=RESTARTS * 2 * SLOTS)
            doubtful = site.doubtful
    finally:
        ground.close()
    record("server-restarts", kind, restarts=RESTARTS, doubtful=doubtful, **verdict.figures())


@pytest.mark.slow
@pytest.mark.long
@pytest.mark.parametrize("kind", SERVED)
def test_a_thousand_connections_cut(kind: str, tmp_path: Path) -> None:
    """And the reconnecting storm stays within the pools' bounds."""
    ground = ground_of(kind)
    assert ground.server is not None
    proxy = Proxy(ground.server.port)
    cut = most = 0
    try:
        with scene(ground, tmp_path) as site:
            for role in ("node", "worker", "worker"):
                site.start(role, slots=SLOTS, port=proxy.port)
            site.up(*site.processes)
            with site.stream(), crowd(site, proxy.port):
                while cut < CUTS:
                    some = proxy.cut()
                    cut, most = cut + some, max(most, some)
                    time.sleep(CUT_PAUSE_SECONDS)
            verdict = judge(site, repeats_max=cut * SLOTS)
            assert most <= CONNECTIONS_MAX
    finally:
        proxy.close()
    record("connections-cut", kind, cut=cut, connections=proxy.made, **verdict.figures())


@contextmanager
def crowd(site: Site, port: int) -> Iterator[None]:
    """Many who read all the time, and come back at once when they are cut off."""
    over = threading.Event()
    store = open_store(site.ground.url(site.folder, port), namespace=site.namespace, clock=SystemClock())

    async def read_on() -> None:
        while not over.is_set():
            try:
                await store.now()
            except StoreUnavailable:
                await asyncio.sleep(0)

    async def open_store_at_last() -> None:
        while not over.is_set():
            try:
                await store.open()
            except StoreUnavailable:  # cut while it was opened
                await asyncio.sleep(CUT_PAUSE_SECONDS)
            else:
                break

    async def read() -> None:
        await open_store_at_last()
        try:
            await asyncio.gather(*(read_on() for _ in range(READERS)))
        finally:
            await store.close()

    thread = threading.Thread(target=lambda: bounded.run(read()), name="crowd", daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        bounded.joined(thread)
