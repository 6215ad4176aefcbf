"""Many small reads of a store at once, and no more than it serves."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import TypeVar

from shike.limit.bounds import LOOKS_AT_ONCE

K = TypeVar("K")
T = TypeVar("T")


async def together(read: Callable[[K], Awaitable[T]], keys: Sequence[K]) -> list[T]:
    """What is read of each key, in their order; LOOKS_AT_ONCE at a time."""
    found: list[T] = []
    for start in range(0, len(keys), LOOKS_AT_ONCE):
        found += await asyncio.gather(*[read(key) for key in keys[start : start + LOOKS_AT_ONCE]])
    return found
