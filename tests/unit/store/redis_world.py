"""Stores on the machine's Redis, and on servers that a test may kill."""

from __future__ import annotations

import itertools
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from shike.model import RECORD_VERSION, Run
from shike.store.guards import Entry
from shike.store.redis import RedisStore
from shike.store.verbs import Claim, NewSession, Want
from tests import servers
from tests.contract.namespaces import Line, drop

LOSSY = "accept=no-aof,eviction"
_numbers = itertools.count()


@pytest.fixture
def namespace() -> Iterator[str]:
    """A name of this test's own; what is under it is dropped at the end."""
    name = f"unit_{os.getpid()}_{next(_numbers)}"
    yield name
    drop(servers.url("redis"), name + ":")


@pytest.fixture
def server(tmp_path: Path) -> Iterator[servers.PrivateRedis]:
    """A server of the test's own, with an append-only file that is flushed each second."""
    yield from private(tmp_path / "server")


def private(folder: Path, *options: str) -> Iterator[servers.PrivateRedis]:
    folder.mkdir()
    server = servers.PrivateRedis(folder, *options)
    server.start()
    try:
        yield server
    finally:
        server.kill()
        shutil.rmtree(folder, ignore_errors=True)


def store_at(url: str, namespace: str = "shike", words: str = LOSSY, **options: Any) -> RedisStore:
    return RedisStore(f"{url}?{words}", namespace=namespace, **options)


def line_to(server: servers.PrivateRedis) -> Line:
    return Line(server.url)


def entry(number: int, **fields: Any) -> Entry:
    """A run that is due at once, in virtual bucket `bucket`."""
    bucket = fields.pop("bucket", 0)
    delay = fields.pop("delay", 0.0)
    return Entry(Run(RECORD_VERSION, (1 << 40) + (number << 8) + bucket, "mail", **fields), delay_seconds=delay)


def session(identity: str = "w", lease_seconds: float = 60.0) -> NewSession:
    return NewSession(
        identity=identity, name="n", kind="worker", host="h", pid=1, lease_seconds=lease_seconds, protocol=1
    )


def claim(number: int, count: int = 10, identity: str = "w") -> Claim:
    return Claim(session=identity, number=number, wants=(Want("default", count, count),), tasks=frozenset({"mail"}))
