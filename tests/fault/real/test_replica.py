"""Replicas: who reads from one that lags does no harm, and one that takes its primary's place lost nothing (R2.16)."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from shike.clock import SystemClock
from shike.errors import StoreError, StoreUnavailable
from shike.store.opening import open_store
from tests.fault.real.figures import record
from tests.fault.real.grounds import PATIENCE, Ground
from tests.fault.real.judge import judge
from tests.fault.real.proxy import Proxy
from tests.fault.real.replicas import LAG_SECONDS, PostgresPair, RedisPair
from tests.fault.real.scene import scene
from tests.fault.real.site import Site

pytestmark = [pytest.mark.slow, pytest.mark.long]

SLOTS = 10
STREAM_SECONDS = 3.0


@contextmanager
def closing(ground: Ground) -> Iterator[None]:
    try:
        yield
    finally:
        ground.close()


def test_a_postgres_replica_that_lags_and_then_takes_its_primarys_place(tmp_path: Path) -> None:
    """A scheduler and a worker see everything a second late, beside others that do not; then the primary dies."""
    pair = PostgresPair()
    with closing(pair), scene(pair, tmp_path, virtual_buckets=64) as site:
        replica = f"{pair.replica.url}?{PATIENCE['postgres']}"
        with pytest.raises(StoreError, match="replica"):
            asyncio.run(open_store(replica, namespace=site.namespace, clock=SystemClock()).open())
        site.up(*(site.start(role, slots=SLOTS) for role in ("node", "worker")))
        time.sleep(2 * LAG_SECONDS)
        late = [site.start(role, slots=SLOTS, stale=replica) for role in ("node", "worker")]
        site.up(*site.processes)
        with site.stream():
            time.sleep(LAG_SECONDS + STREAM_SECONDS)
            assert has_a_share(site, late[0].pid), "the one who sees things late has nothing to do"
            pair.fail_over()
            time.sleep(1.0)
        verdict = judge(site, repeats_max=2 * 2 * SLOTS)
        doubtful = site.doubtful
    record("replica", "postgres", doubtful=doubtful, **verdict.figures())


def has_a_share(site: Site, pid: int) -> bool:
    own = {one.id for one in site.sessions() if one.pid == pid}
    return any(bucket.owner in own for bucket in site.ask(lambda store: store.buckets()))


def test_a_redis_replica_that_lags_and_then_takes_its_primarys_place(tmp_path: Path) -> None:
    """Answers wait for it. While it lags they say so, and what was answered before and after is not lost with the
    primary."""
    pair = RedisPair()
    with closing(pair):
        proxy = Proxy(pair.primary.port)
        try:
            with scene(pair, tmp_path, port=proxy.port) as site:
                site.up(*(site.start(role, slots=SLOTS, port=proxy.port) for role in ("node", "worker")))
                with site.stream():
                    time.sleep(1.0)
                    pair.replica.pause()
                    with pytest.raises(StoreUnavailable, match="0 of 1 replicas"):
                        site.app.client.sync(put(site))
                    pair.replica.resume()
                    time.sleep(1.0)
                    pair.fail_over(proxy)
                    time.sleep(1.0)
                verdict = judge(site, repeats_max=2 * 2 * SLOTS)
                doubtful = site.doubtful
        finally:
            proxy.close()
    record("replica", "redis", doubtful=doubtful, **verdict.figures())


async def put(site: Site) -> None:
    await (await site.app.client.store()).put("seen", b"by the primary alone", expect=None)
