"""`shike workers` and `shike replay-routing`: how loaded the fleet is, and whether another route had done better."""

from __future__ import annotations

import asyncio
from pathlib import Path

from shike.clock import SystemClock
from shike.store.opening import open_store
from shike.store.verbs import Beat, NewSession
from tests.unit.cli.conftest import Shell

URL = "sqlite:///shop.db?synchronous=normal&virtual_buckets=64"


async def two_workers_tell_their_load() -> None:
    store = open_store(URL, namespace="shike", clock=SystemClock())
    await store.open()
    for number, cpu in enumerate((0.9, 0.1)):
        words = {"name": f"w{number}", "kind": "worker", "host": f"h{number}", "pid": 7, "lease_seconds": 60.0}
        await store.open_session(NewSession(identity=f"session-{number}", protocol=1, **words))  # type: ignore[arg-type]
        load = b'{"slots":4,"busy":2,"cpu":%f,"memory":0.5,"tags":["gpu"]}' % cpu
        await store.beat(
            Beat(session=f"session-{number}", number=1, lease_seconds=60.0, received=0, holds=(), load=load)
        )
    await store.close()


def test_every_worker_is_shown_with_its_load(shell: Shell, shop: Path) -> None:
    asyncio.run(two_workers_tell_their_load())
    answer = shell("workers")
    assert answer.code == 0
    first, second = [line for line in answer.out.splitlines() if line.startswith("w") and "session" in line][-2:]
    assert "90%" in first and "gpu" in first and "10%" in second
    assert "spread 0." in answer.out
    told = shell("workers", "--json").json["map"]
    assert [(worker["name"], worker["busy"], worker["slots"]) for worker in told["workers"]] == [
        ("w0", 2, 4),
        ("w1", 2, 4),
    ]
    assert shell("workers", "--map").out, "no terminal: the table"


def test_no_worker_is_something_to_look_at(shell: Shell, shop: Path) -> None:
    async def made() -> None:
        store = open_store(URL, namespace="shike", clock=SystemClock())
        await store.open()
        await store.close()

    asyncio.run(made())
    answer = shell("workers")
    assert answer.code == 1
    assert "start one" in answer.out


def test_a_replay_of_nothing_says_so_and_an_unknown_route_too(shell: Shell, shop: Path) -> None:
    asyncio.run(two_workers_tell_their_load())
    assert "nothing to decide again" in shell("replay-routing", "--with", "smart").err
    answer = shell("replay-routing", "--with", "smarter")
    assert answer.code == 2
    assert "did you mean smart" in answer.err
