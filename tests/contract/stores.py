"""Every store that has to keep the contract. A new one joins by one line."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from shike.clock import Clock
from shike.store.base import Store
from tests import servers

Maker = Callable[..., Store]


def memory(folder: Path, clock: Clock, **options: Any) -> Store:
    from shike.store.memory import MemoryStore

    return MemoryStore(clock, **options)


def sqlite(folder: Path, clock: Clock, **options: Any) -> Store:
    """Without an fsync per commit: what a power loss does is no part of this suite, and its time is."""
    from shike.store.sqlite import SQLiteStore

    return SQLiteStore(f"sqlite:///{folder / 'shike.db'}?synchronous=normal", clock=clock, **options)


def postgres(folder: Path, clock: Clock, **options: Any) -> Store:
    from tests.contract.schemas import EmptyPostgres

    return EmptyPostgres(folder, clock, **options)


def mysql(folder: Path, clock: Clock, **options: Any) -> Store:
    from tests.contract.databases import EmptyMySQL

    return EmptyMySQL(folder, clock, **options)


def redis(folder: Path, clock: Clock, **options: Any) -> Store:
    from tests.contract.namespaces import EmptyRedis

    return EmptyRedis(folder, clock, **options)


def redis_cluster(folder: Path, clock: Clock, **options: Any) -> Store:
    from tests.contract.namespaces import EmptyCluster

    return EmptyCluster(folder, clock, **options)


def redis_slices(folder: Path, clock: Clock, **options: Any) -> Store:
    """What is due in more than a few seconds stands in slices of two seconds, as it does in minutes otherwise."""
    from tests.contract.namespaces import EmptyRedis

    return EmptyRedis(folder, clock, words="&slices=on&slice_seconds=2", **options)


def demand(kind: str) -> None:
    """Skip or fail, as `tests.servers` says, where the server of that kind is missing: before a world of two stores is
    half built."""
    service = kind.partition("-")[0]
    if service in servers.DEFAULTS and kind != "redis-cluster":
        servers.url(service)


def redis_archive(folder: Path, clock: Clock, **options: Any) -> Store:
    """Its history goes to a SQLite file, and is dropped in Redis when a test says so."""
    from urllib.parse import quote

    from tests.contract.namespaces import EmptyRedis

    where = quote(f"sqlite:///{folder / 'archive.db'}?synchronous=off&accept_loss=yes", safe="")
    return EmptyRedis(folder, clock, words=f"&history_url={where}", **options)


STORES: dict[str, Maker] = {
    "memory": memory,
    "sqlite": sqlite,
    "postgres": postgres,
    "mysql": mysql,
    "redis": redis,
    "redis-slices": redis_slices,
    "redis-cluster": redis_cluster,
}
BESIDE: dict[str, Maker] = {"redis-archive": redis_archive}  # under the words that its own tests choose
