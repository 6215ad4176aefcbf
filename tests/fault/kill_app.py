"""An app for real processes that are really killed: what its handlers do is written to a file, line by line.

`python -m tests.fault.kill_app STORE NOTES ROLE SLOTS LEASE` runs it; ROLE is `all`, `node` or `worker`.
"""

from __future__ import annotations

import asyncio
import os
import sys
import time
from pathlib import Path

from shike import Concurrency, Reserved, Shike, current
from shike.engine import Roles
from shike.events import RUN_REFUSED, SESSION_LOST, Event

TICK_SECONDS = 0.25


def build(store: str, notes: str, *, ticks: bool = False) -> Shike:
    """The app, also for the test that submits to it."""
    app = Shike(f"sqlite:///{store}")
    file = os.open(notes, os.O_APPEND | os.O_CREAT | os.O_WRONLY)

    def note(*words: object) -> None:
        os.write(file, (" ".join(map(str, (*words, os.getpid()))) + "\n").encode())

    @app.task(name="work")
    async def work(n: int, seconds: float) -> int:
        note("begin", n, current().token)
        await asyncio.sleep(seconds)
        note("end", n, current().token)
        return n

    @app.task(name="limited", limits=[Concurrency(2)])
    async def limited(n: int, seconds: float) -> int:
        note("begin", n, current().token)
        await asyncio.sleep(seconds)
        note("end", n, current().token)
        return n

    @app.task(name="slotted", limits=[Reserved("workers", "gpu", "10m", by="tenant")])
    async def slotted(tenant: str, n: int, seconds: float) -> None:
        note("begin", n, current().token)
        await asyncio.sleep(seconds)
        note("end", n, current().token)

    @app.task(name="hoard", limits=[Reserved("workers", "gpu", "10m", tenant="hoarder")])
    async def hoard(n: int) -> None:
        """Keeps its slot until somebody lets it go, by a file."""
        note("begin", n, current().token)
        while not os.path.exists(f"{notes}.go"):
            await asyncio.sleep(0.02)
        note("end", n, current().token)

    @app.task(name="block")
    async def block(n: int, seconds: float) -> None:
        """Sleeps without giving way: nothing else runs on the event loop."""
        note("begin", n, current().token)
        time.sleep(seconds)
        note("end", n, current().token)

    @app.task(name="hog")
    async def hog(n: int, seconds: float) -> None:
        """Computes without giving way."""
        note("begin", n, current().token)
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            sum(range(1_000))
        note("end", n, current().token)

    @app.task(name="leave")
    async def leave(n: int) -> None:
        """Takes its process along, each time."""
        note("begin", n, current().token)
        os._exit(7)

    @app.task(name="tick")
    async def tick() -> None:
        note("tick", current().run.moment, current().token)

    def told(event: Event) -> None:
        note(event.event, event.run_id or "-", 0)

    app.on(RUN_REFUSED, told)
    app.on(SESSION_LOST, told)
    if ticks:
        app.schedule(tick, every=TICK_SECONDS, name="ticks")
    return app


def main() -> None:
    store, notes, role, slots, lease = sys.argv[1:6]
    app = build(store, notes, ticks="ticks" in sys.argv[6:])
    Path(f"{notes}.{os.getpid()}").touch()
    app.run(Roles(scheduler=role != "worker", worker=role != "node", slots=int(slots), lease_seconds=float(lease)))


if __name__ == "__main__":
    main()
