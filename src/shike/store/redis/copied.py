"""A copy of what is not over yet, made within the server in one step, to be read page by page while others go on."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Final

from shike.errors import BadInput, StoreError, StoreLost
from shike.store.redis.base import HOME, Base
from shike.store.redis.records import facts

COPY_MILLIS: Final = 600_000  # a copy whose reader died is dropped by the server
KEEP_SECONDS: Final = 60.0  # how often a reader says that it is still there
STEP_BYTES_MAX: Final = 256 << 20  # that one step copies, about a million runs: it holds the server for two seconds


@dataclass(slots=True)
class Copied(Base):
    """Reads a copy instead of the store itself."""

    name: str = ""
    at_once: bool = True  # all of it is of one instant

    def tag(self, bucket: int) -> bytes:
        return b"{%s:%d}:copy~%s" % (self.namespace.encode(), bucket, self.name.encode())


@asynccontextmanager
async def copied(base: Base, name: str) -> AsyncIterator[Copied]:
    """The store as it is at this instant; on a cluster, and where there is much of it, each virtual bucket as it is at
    an instant of its own.

    Raises `BadInput` for a virtual bucket so large that making a copy would hold the server for long, and for a server
    without room for one.
    """
    try:
        at_once = await _make(base, name)
        copy = Copied(base.server, base.options, base.namespace, base.buckets, base.crashes_max, name, at_once)
        keeper = asyncio.get_running_loop().create_task(_keep(base, name), name="shike:copy")
        try:
            yield copy
        except StoreLost as error:
            raise StoreError("the copy that was read is gone: this process was away for long. Repeat it") from error
        finally:
            keeper.cancel()
            await asyncio.wait([keeper])
    finally:
        await base.everywhere(base.every, "copy", ("drop", name))


async def _make(base: Base, name: str) -> bool:
    """Whether all of it is of one instant. Home, which knows the highest numbers given away, comes last: no run of the
    copy has a higher one."""
    room = await _room(base)
    if base.server.one_step or base.buckets == 1:
        (answer,) = await base.everywhere(base.every, "copy", ("make", name, COPY_MILLIS, min(STEP_BYTES_MAX, room)))
        if answer[0] == b"made" or base.buckets == 1:
            _check(answer, room)
            return True
    for bucket in [*(bucket for bucket in base.every if bucket != HOME), HOME]:
        answer = await base.at(bucket, "copy", "make", name, COPY_MILLIS, min(STEP_BYTES_MAX, room))
        _check(answer, room)
        room -= answer[1]
    return False


def _check(answer: tuple[bytes, int], room: int) -> None:
    word, needed = answer
    if word == b"large":
        why = f"the server has {room:,} left of its maxmemory" if needed > room else "making it would hold the server"
        raise BadInput(
            f"an export reads a copy of what is not over yet; here it would have {needed:,} bytes, and {why}. Move the "
            "store (`shike move` needs no copy), or back up the server's own files (BGSAVE)"
        )


async def _room(base: Base) -> int:
    """How many bytes the server may still take."""
    known = facts(await base.server.command(base.tag(HOME), b"INFO", b"memory"))
    most = int(known.get("maxmemory", 0))
    return max(most - int(known.get("used_memory", 0)), 0) if most else 1 << 62


async def _keep(base: Base, name: str) -> None:
    while True:
        await asyncio.sleep(KEEP_SECONDS)
        await base.everywhere(base.every, "copy", ("keep", name, COPY_MILLIS))
