"""`shike nodes`: who looks after which buckets, and why there are so many."""

from __future__ import annotations

import asyncio
from pathlib import Path

from shike.clock import SystemClock
from shike.scheduler.decision import DECISIONS, Decision, packed
from shike.store.opening import open_store
from shike.store.verbs import Beat, Division, NewSession
from tests.unit.cli.conftest import Shell

URL = "sqlite:///shop.db?synchronous=normal&virtual_buckets=64"


async def two_of_three_buckets_are_looked_after() -> None:
    store = open_store(URL, namespace="shike", clock=SystemClock())
    await store.open()
    words = {"name": "vm:7", "kind": "node", "host": "vm", "pid": 7, "lease_seconds": 60.0, "protocol": 1}
    await store.open_session(NewSession(identity="one", **words))  # type: ignore[arg-type]
    await store.beat(
        Beat(session="one", number=1, lease_seconds=60.0, received=0, holds=(), load=b'{"late_ms":{"16":700}}')
    )
    parts = await store.divide(Division(session="one", owner="one", old=((0, 0),), new=((0, 15), (16, 31), (32, 63))))
    last = parts[-1]
    await store.divide(Division(session="one", owner="", old=((last.low, last.epoch),), new=((last.low, last.high),)))
    decision = Decision(number=1, at=1_767_225_600_000_000, lows=(0, 16, 32), reason="bucket 16-31 was late", nodes=1)
    await store.put(f"{DECISIONS}000000001", packed(decision), expect=0)
    await store.close()


def test_nodes_their_buckets_and_their_lateness_are_shown_and_what_is_nobodys_too(shell: Shell, shop: Path) -> None:
    asyncio.run(two_of_three_buckets_are_looked_after())
    answer = shell("nodes")
    assert answer.code == 1, "somebody should look: a bucket is nobody's"
    one, nobody = answer.out.splitlines()[1:]
    assert "vm:7" in one and "0-15, 16-31" in one and "700 ms" in one
    assert "(nobody)" in nobody and "32-63" in nobody
    (node, loose) = shell("nodes", "--json").json["nodes"]
    assert [bucket["late_ms"] for bucket in node["buckets"]] == [0, 700]
    assert [bucket["epoch"] for bucket in loose["buckets"]] == [2]


def test_decisions_are_shown_with_their_reasons(shell: Shell, shop: Path) -> None:
    asyncio.run(two_of_three_buckets_are_looked_after())
    assert "bucket 16-31 was late" in shell("nodes", "--decisions").out
    (decision,) = shell("nodes", "--decisions", "--json").json["decisions"]
    assert (decision["buckets"], decision["nodes"]) == (3, 1)


def test_a_preset_makes_the_store_and_another_one_is_refused_by_a_store_that_is_made(shell: Shell, shop: Path) -> None:
    (shop / "shike.toml").write_text('preset = "precise"\n')
    shell("submit", "pay", "order=5")
    assert shell("up", "--drain", "--plain").code == 0
    bounds = [(one["low"], one["high"]) for node in shell("nodes", "--json").json["nodes"] for one in node["buckets"]]
    assert (bounds[0][0], bounds[-1][1]) == (0, 63)
    (shop / "shike.toml").write_text('preset = "simple"\n')
    refused = shell("up", "--drain", "--plain")
    assert refused.code == 2 and "made with virtual_buckets=64" in refused.err
