"""What a simulated world leaves behind is cleared away before the next test."""

from __future__ import annotations

import gc
from collections.abc import Iterator

import pytest

from tests.sim.loop import unheard


@pytest.fixture(autouse=True)
def nothing_is_left() -> Iterator[None]:
    """A test's own names may have kept the dead of its world alive: their finalisers are heard by nobody, either."""
    yield
    with unheard():
        gc.collect()
