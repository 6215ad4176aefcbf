"""The disk, or the server's memory, is full for a while: what was accepted is kept, and all of it heals (P1, P5).

SQLite lies on a tmpfs of some megabytes; Redis is given its own limit, `maxmemory` without eviction.
"""

from __future__ import annotations

import os
import time
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from shike.errors import StoreFull, StoreUnavailable
from tests import servers
from tests.fault.real.figures import record
from tests.fault.real.grounds import STORES, Ground, ground_of, new_ground
from tests.fault.real.judge import judge
from tests.fault.real.scene import scene
from tests.fault.real.site import LEASE, Site
from tests.fault.real.smalldisk import SmallDisk, on_a_small_disk

pytestmark = [pytest.mark.slow, pytest.mark.long]

SLOTS = 10
FULL_SECONDS = 4.0
MEGABYTES_OF_SERVERS = 64


def test_a_full_disk_under_sqlite(tmp_path: Path) -> None:
    def story(disk: SmallDisk) -> None:
        with scene(ground_of("sqlite"), tmp_path, disk=disk.folder) as site:
            site.up(site.start("node"), site.start("worker", slots=SLOTS))
            with site.stream():
                time.sleep(1.0)
                disk.fill(FULL_SECONDS)
                disk.clear()
            assert site.doubtful, "the disk was never full"
            verdict = judge(site, repeats_max=2 * SLOTS)
            record("disk full", "sqlite", refused=site.doubtful, **verdict.figures())

    on_a_small_disk(tmp_path / "disk", story)


def test_a_full_disk_under_postgres_tables(tmp_path: Path) -> None:
    """Its log of transactions lies elsewhere: without room for that it stops, and is as one that was killed."""
    (tmp_path / "server").mkdir()

    def story(disk: SmallDisk) -> None:
        ground = Ground("postgres", tmp_path / "server", data=disk.folder / "data")
        try:
            ground.start()
            with scene(ground, tmp_path) as site:
                site.up(site.start("node"), site.start("worker", slots=SLOTS))
                with site.stream():
                    time.sleep(1.0)
                    disk.fill(FULL_SECONDS, meanwhile=lambda: told_so(site))
                    disk.clear()
                verdict = judge(site, repeats_max=2 * SLOTS)
        finally:
            ground.close()
        record("disk full", "postgres", refused=site.doubtful, **verdict.figures())

    on_a_small_disk(tmp_path / "disk", story, MEGABYTES_OF_SERVERS)


def told_so(site: Site) -> None:
    """What needs room is refused, by that name."""
    with pytest.raises(StoreFull, match="make room and repeat"):
        ask_for_room(site, 50)


def ask_for_room(site: Site, times: int) -> None:
    for number in range(times):
        with suppress(StoreUnavailable):  # a server without room cuts connections, too
            site.app.client.sync(put(site, f"large/{number}"))


async def put(site: Site, key: str) -> None:
    await (await site.app.client.store()).put(key, os.urandom(100_000), expect=None)


def test_a_full_tablespace_under_mariadb(tmp_path: Path) -> None:
    """InnoDB's own limit: on a disk that is really full it tries for five seconds, and then ends its server. More room
    takes a restart, as it does for whoever runs one. `test_server_faults.py` shows the name by itself:
    here the server may end itself before anybody could ask."""
    ground = new_ground("mysql", *tablespace(32))
    assert isinstance(ground.server, servers.PrivateMariaDB)
    try:
        ground.start()
        with scene(ground, tmp_path) as site:
            site.up(site.start("node"), site.start("worker", slots=SLOTS))
            with site.stream():
                time.sleep(1.0)
                with ThreadPoolExecutor(1) as pool:
                    filling = pool.submit(fill, ground.server, FULL_SECONDS)
                    told = told_while(site, filling)
                    filling.result()
                assert told or not ground.server.alive(), "a full tablespace, and everything was accepted"
                ground.server.options = tablespace(256)
                ground.restart(0.5)
            leases = round(FULL_SECONDS / LEASE) + 1  # that cannot be renewed, one after the other, and the restart
            verdict = judge(site, repeats_max=leases * 2 * SLOTS)
            refused = site.doubtful
    finally:
        ground.close()
    record("tablespace full", "mysql", refused=refused, **verdict.figures())


def told_while(site: Site, filling: Future[None]) -> bool:
    """Whether what needs room was refused by that name while others took all there was."""
    while not filling.done():
        try:
            ask_for_room(site, 1)
        except StoreFull:
            return True
    return False


def tablespace(megabytes: int) -> tuple[str, str]:
    """All tables, and what is written down to take transactions back, in so much room."""
    return "--innodb-file-per-table=0", f"--innodb-data-file-path=ibdata1:12M:autoextend:max:{megabytes}M"


def fill(server: servers.PrivateMariaDB, seconds: float) -> None:
    """Leave no room, for so long: what others give back meanwhile is taken, too."""
    import pymysql

    words: dict[str, Any] = {"host": "127.0.0.1", "port": server.port, "user": "root", "database": "test"}
    until = time.monotonic() + seconds
    while True:
        try:
            connection = pymysql.connect(**words, autocommit=True, read_timeout=60, write_timeout=60)
        except pymysql.err.OperationalError:
            return  # it ended itself, as it does now and then for want of room: nobody writes until it is restarted
        with suppress(pymysql.err.InterfaceError), connection:  # cut off: look again
            cursor = connection.cursor()
            cursor.execute("create table if not exists ballast (v longblob) engine=innodb")
            while True:
                for size in (100_000, 10_000, 1_000, 100):
                    with suppress(pymysql.err.OperationalError):
                        while True:
                            cursor.execute("insert into ballast values (%s)", (b"x" * size,))
                if time.monotonic() > until:
                    return
                time.sleep(0.02)
        time.sleep(0.1)


@pytest.mark.skipif("redis" not in STORES, reason="this version has no Redis store")
def test_a_full_memory_under_redis(tmp_path: Path) -> None:
    ground = new_ground("redis")
    try:
        ground.start()
        with scene(ground, tmp_path) as site:
            site.up(site.start("node"), site.start("worker", slots=SLOTS))
            with site.stream():
                time.sleep(1.0)
                limit(ground, 1)
                time.sleep(FULL_SECONDS)
                limit(ground, 0)
            verdict = judge(site, repeats_max=2 * SLOTS)
            refused = site.doubtful
    finally:
        ground.close()
    record("memory full", "redis", refused=refused, **verdict.figures())


def limit(ground: Ground, maxmemory: int) -> None:
    import redis

    with redis.Redis(port=ground.server.port) as server:  # type: ignore[union-attr]
        server.config_set("maxmemory", maxmemory)
