"""No lock at all: read, compute, and write only if nobody wrote in between (compare-and-set).

The version is the fence: a writer that was paused between reading and writing is refused by the write itself.
Cheapest where conflicts are rare; under many writers of one value most of the work is thrown away (docs/locks.md).
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from itertools import islice
from typing import Generic, TypeVar

from shike.bounds import OPTIMISTIC_TRIES
from shike.errors import Conflict
from shike.ids import Entropy, SystemEntropy
from shike.locks.waiting import pauses

V = TypeVar("V")


@dataclass(frozen=True)
class Versioned(Generic[V]):
    """A value as it was read, with the number that grows with each write."""

    value: V
    version: int


async def change(
    read: Callable[[], Awaitable[Versioned[V]]],
    write: Callable[[V, int], Awaitable[bool]],
    new: Callable[[V], V],
    *,
    tries: int = OPTIMISTIC_TRIES,
    entropy: Entropy | None = None,
) -> V:
    """Change a value that others change too, and return what it became.

    `new` makes the next value of the current one; it is called once per try and must have no effect of its own. If it
    returns an equal value nothing is written. `write(value, version)` stores the value with version + 1 only where the
    version is still `version`, in one step (`update … where id = :id and version = :version`), and says whether it did.
    Raises `Conflict` when others were faster `tries` times; what `read`, `write` and `new` raise goes through.
    """
    for pause_seconds in islice(pauses(entropy or SystemEntropy()), tries):
        seen = await read()
        value = new(seen.value)
        if value == seen.value or await write(value, seen.version):
            return value
        await asyncio.sleep(pause_seconds)
    raise Conflict(f"others changed the value first, {tries} times in a row: take a lock instead, or allow more tries")
