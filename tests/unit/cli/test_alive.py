"""`shike alive`: what a container's health check asks."""

from __future__ import annotations

import asyncio
import socket
from pathlib import Path

import pytest

from shike.app import Shike
from shike.clock import SystemClock
from shike.server.opening import Opening
from shike.server.serving import Front, bound
from shike.server.web import build
from shike.store.opening import open_store
from shike.store.verbs import NewSession
from tests import bounded
from tests.unit.cli.conftest import Shell


async def a_session(host: str, kind: str, lease_seconds: float) -> None:
    store = open_store("sqlite:///shop.db?synchronous=normal", namespace="shike", clock=SystemClock())
    await store.open()
    words = {"identity": kind + host, "name": f"{kind}-1", "kind": kind, "host": host, "pid": 7, "protocol": 1}
    await store.open_session(NewSession(lease_seconds=lease_seconds, **words))  # type: ignore[arg-type]
    await store.close()


@pytest.fixture(autouse=True)
def no_server(monkeypatch: pytest.MonkeyPatch) -> None:
    """At the port of the settings nobody listens."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        monkeypatch.setenv("SHIKE_PORT", str(free.getsockname()[1]))


def test_a_worker_of_this_host_is_alive_and_one_of_another_host_is_not_ours(shell: Shell, shop: Path) -> None:
    asyncio.run(a_session("elsewhere", "worker", 600.0))
    asyncio.run(a_session(socket.gethostname(), "client", 0.0))
    answer = shell("alive")
    assert answer.code == 1 and "nothing is alive here" in answer.out


def test_what_has_died_is_not_alive(shell: Shell, shop: Path) -> None:
    asyncio.run(a_session(socket.gethostname(), "worker", 600.0))
    assert shell("alive", "--json").json == {"alive": []}, "its process is gone, which SQLite can tell"


def test_a_process_that_works_is_named(shell: Shell, shop: Path) -> None:
    async def story() -> None:
        app = Shike("sqlite:///shop.db?synchronous=normal")
        async with app.running() as engine:
            code, out, _ = await asyncio.to_thread(shell, "alive")
            assert (code, out) == (0, f"alive: {engine.member.name}\n")
        await app.client.close()

    bounded.run(story())


def test_a_server_at_the_port_of_the_settings_is_alive(
    shell: Shell, shop: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asyncio.run(a_session("elsewhere", "worker", 600.0))

    async def story() -> None:
        app = Shike("sqlite:///shop.db?synchronous=normal")
        opening = Opening(app.client, app)
        front = Front(build(opening), bound("127.0.0.1", 0), opening.close)
        front.start()
        place = front.url.removeprefix("http://")
        monkeypatch.setenv("SHIKE_PORT", place.rpartition(":")[2])
        code, out, _ = await asyncio.to_thread(shell, "alive")
        assert (code, out) == (0, f"alive: {place}\n")
        assert (await asyncio.to_thread(shell, "alive", "--url", f"http://{place}/readyz")).code == 0
        assert (await asyncio.to_thread(shell, "alive", "--url", f"http://{place}/nothing")).code == 1
        await front.stop()
        await app.client.close()

    bounded.run(story())


def test_a_store_that_is_not_there_is_trouble(shell: Shell, folder: Path) -> None:
    assert shell("alive", "--store", "sqlite:///none.db").code == 3


def test_a_server_is_asked_by_its_address(shell: Shell, folder: Path) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    assert shell("alive", "--url", f"http://127.0.0.1:{port}/readyz").code == 1
    assert shell("alive", "--url", "ftp://x/").code == 2
