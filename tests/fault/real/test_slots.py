"""Slots of a Redis cluster move to other nodes while work goes on: none of it is seen by halves (P1, P3, P7)."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from shike.store.redis.cluster import slot_of
from tests.contract.namespaces import new_cluster, url_of
from tests.contract.slots import Mover
from tests.fault.real.figures import record
from tests.fault.real.grounds import Ground
from tests.fault.real.judge import judge
from tests.fault.real.scene import scene

pytestmark = [pytest.mark.slow, pytest.mark.long]

BUCKETS = 64
MOVED = 8  # and their slots; the first one has sessions, schedules and tokens
SLOTS = 10
KEY_SECONDS = 0.02  # between two keys of a slot, which is half here and half there meanwhile


class ClusterGround(Ground):
    """Three nodes with a third of the slots each."""

    def __init__(self) -> None:
        self.kind = "redis"
        self.server = None
        self.nodes = new_cluster()

    def url(self, folder: Path, port: int = 0) -> str:
        return f"{url_of(self.nodes)}?accept=no-aof,eviction&timeout_seconds=3"

    def close(self) -> None:
        for node in self.nodes:
            node.kill()


def test_the_slots_of_a_store_move_while_it_is_used(tmp_path: Path) -> None:
    ground = ClusterGround()
    try:
        with scene(ground, tmp_path, virtual_buckets=BUCKETS) as site:
            site.up(site.start("node"), site.start("worker", slots=SLOTS), site.start("worker", slots=SLOTS))
            mover = Mover([node.url for node in ground.nodes])
            with site.stream():
                time.sleep(1.0)
                for bucket in range(MOVED):
                    mover.begin(slot_of(f"{{{site.namespace}:{bucket}}}".encode()))
                    mover.end(KEY_SECONDS)
                time.sleep(0.5)
            verdict = judge(site, repeats_max=2 * SLOTS)
            doubtful = site.doubtful
    finally:
        ground.close()
    record("slots", "redis", doubtful=doubtful, keys=mover.keys, **verdict.figures())
