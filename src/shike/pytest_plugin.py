"""The pytest plugin: a fixture `shike_harness` that makes harnesses and closes them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from shike.testing.harness import Harness


@pytest.fixture
def shike_harness() -> Iterator[Callable[..., Harness]]:
    """`h = shike_harness(app)`: the app's real engine in virtual time, until the test ends."""
    from shike.testing.harness import harness

    with ExitStack() as stack:

        def make(app: Any, **settings: Any) -> Harness:
            return stack.enter_context(harness(app, **settings))

        yield make
