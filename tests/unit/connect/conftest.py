"""Servers of the tests' own."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.servers import PrivateRedis


@pytest.fixture(scope="session")
def notifying(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The URL of a Redis that tells of expired keys."""
    server = PrivateRedis(tmp_path_factory.mktemp("redis"), "--notify-keyspace-events", "Ex")
    server.start()
    yield server.url
    server.stop()
