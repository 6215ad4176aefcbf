"""What holds for every test."""

from __future__ import annotations

import gc
import os
import re

import pytest
from hypothesis import settings

os.environ.setdefault("SHIKE_SERVER", "no")  # a process of a test has no server, unless the test is about that

# These machines are shared and noisy: no test is timed. In CI the same examples are drawn each time, so that what it
# found is found again; elsewhere others.
IN_CI = "CI" in os.environ
settings.register_profile("shike", deadline=None, derandomize=IN_CI)
settings.register_profile("check", deadline=None, derandomize=IN_CI, max_examples=25)  # of `make check`
settings.load_profile("shike")

SERVERS = re.compile("postgres|redis|mysql|mariadb|servers")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark what talks to a server: by its name, its parameters, or by what its module takes from `tests.servers`."""
    for item in items:
        if SERVERS.search(item.nodeid) or _asks_for_servers(item):
            item.add_marker(pytest.mark.servers)


def pytest_collection_finish() -> None:
    """What is there for good, a million objects, is not looked through again with each collection."""
    gc.collect()
    gc.freeze()


def _asks_for_servers(item: pytest.Item) -> bool:
    module = vars(getattr(item, "module", None) or object)
    return any(
        getattr(value, "__module__", getattr(value, "__name__", "")) == "tests.servers" for value in module.values()
    )
