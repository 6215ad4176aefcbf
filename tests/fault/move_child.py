"""A move that dies: `python -m tests.fault.move_child FROM TO STEP` is killed when it has done STEP.

STEP is a step as `Move.reached` tells it, `page:N` for the Nth page of records, or `end`.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys

from shike.clock import SystemClock
from shike.ids import SystemEntropy
from shike.store.opening import address, open_store
from shike.store.records import Kind
from shike.transfer.moving import Move


async def main(source: str, target: str, step: str) -> None:
    clock = SystemClock()
    pages = 0

    def die() -> None:
        os.kill(os.getpid(), signal.SIGKILL)

    def reached(name: str) -> None:
        if name == step:
            die()

    def page(kind: Kind, count: int) -> None:
        nonlocal pages
        pages += 1
        if step == f"page:{pages}":
            die()

    old = open_store(source, namespace="shike", clock=clock)
    await old.open()
    new = open_store(target, namespace="shike", clock=clock, virtual_buckets=old.virtual_buckets)
    await new.open()
    names = address(source), address(target)
    await Move(old, new, clock, SystemEntropy(), *names, reached=reached, progress=page).run()
    await old.close()
    await new.close()


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:4]))
