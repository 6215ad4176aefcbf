"""A partition that swallows bytes: a worker, or the scheduler, is there and cannot be heard (P3, P4, P5)."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.fault.real.figures import record
from tests.fault.real.grounds import SERVED, ground_of
from tests.fault.real.judge import judge
from tests.fault.real.proxy import Proxy
from tests.fault.real.scene import scene
from tests.fault.real.site import LEASE, Site

pytestmark = [pytest.mark.slow, pytest.mark.long]

SLOTS = 10
FLAPS = 6
FLAP_SECONDS = 0.4


def one_way_up(proxy: Proxy) -> None:
    proxy.swallow(up=True)
    time.sleep(3 * LEASE)


def one_way_down(proxy: Proxy) -> None:
    proxy.swallow(down=True)
    time.sleep(3 * LEASE)


def both_ways(proxy: Proxy) -> None:
    proxy.swallow(up=True, down=True)
    time.sleep(3 * LEASE)


def flapping(proxy: Proxy) -> None:
    for number in range(FLAPS):
        proxy.swallow(up=number % 2 == 0, down=True)
        time.sleep(FLAP_SECONDS)
        proxy.swallow()
        time.sleep(FLAP_SECONDS)


SHAPES: dict[str, Callable[[Proxy], None]] = {
    "requests lost": one_way_up,
    "answers lost": one_way_down,
    "both lost": both_ways,
    "flapping": flapping,
}


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("kind", SERVED)
def test_a_worker_and_a_scheduler_behind_a_partition(kind: str, shape: str, tmp_path: Path) -> None:
    """Each has one beside it that is not cut off: that one takes over, and those come back as somebody new."""
    ground = ground_of(kind)
    assert ground.server is not None
    proxy = Proxy(ground.server.port)
    try:
        with scene(ground, tmp_path, virtual_buckets=64) as site:
            for role in ("node", "worker"):
                site.start(role, slots=SLOTS)
            cut_off = [site.start(role, slots=SLOTS, port=proxy.port) for role in ("node", "worker")]
            site.up(*site.processes)
            site.until(lambda: works(site, cut_off[1].pid), "the victim does not work")
            with site.stream():
                site.until(lambda: works(site, cut_off[1].pid), "the victim does not work")
                SHAPES[shape](proxy)
            proxy.swallow()
            verdict = judge(site, repeats_max=(FLAPS if shape == "flapping" else 1) * 2 * SLOTS)
            until_back(site, cut_off[1].pid)
    finally:
        proxy.close()
    record(f"partition, {shape}", kind, **verdict.figures())


def works(site: Site, pid: int) -> bool:
    return any(note.pid == pid for note in site.notes("begin", "tick"))


def until_back(site: Site, pid: int) -> None:
    """Until the victim takes work again, among others."""
    before = len([note for note in site.notes("begin") if note.pid == pid])

    def worked() -> bool:
        site.submit(2 * SLOTS, seconds=0.1)
        return len([note for note in site.notes("begin") if note.pid == pid]) > before

    site.until(worked, "the victim is not back")
