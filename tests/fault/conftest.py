"""What tests with killed processes share."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.fault.test_kill import Site


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    """One SQLite file and the processes on it, which are ended with the test."""
    made = Site(tmp_path)
    yield made
    made.close()
