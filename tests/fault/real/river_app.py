"""The app of the scenarios: what its handlers do is written to a file outside of any store, line by line.

`python -m tests.fault.real.river_app URL NAMESPACE NOTES ROLE OPTIONS` runs it; ROLE is `all`, `node` or `worker`, and
OPTIONS a JSON object of the fields of `Options`.
"""

from __future__ import annotations

import asyncio
import os
import sys
import time
from collections.abc import Callable

import msgspec

from shike import Shike, current
from shike.engine import Roles
from shike.events import RUN_REFUSED, SESSION_LOST, Event
from shike.worker.claims import QueueShare
from tests.fault.real.doom import Doom, Doomed
from tests.fault.real.stale import Stale

SCHEDULES = 12
TICK_SECONDS = 0.5


class Options(msgspec.Struct, frozen=True, kw_only=True):
    """How one process takes part."""

    slots: int = 10
    lease: float = 1.5
    queues: tuple[str, ...] = ()
    doom: str = ""
    stale: str = ""  # a replica that answers all its questions


class Note(msgspec.Struct, frozen=True, array_like=True):
    """One line of the journal."""

    what: str
    n: int
    run_id: int
    token: int
    pid: int
    at: float  # CLOCK_MONOTONIC, which all processes of a machine share


def build(url: str, namespace: str, notes: str, doom: Doom | None = None, *, ticks: bool = True) -> Shike:
    """The app, also for the test that submits to it."""
    app = Shike(url, namespace=namespace)
    file = os.open(notes, os.O_APPEND | os.O_CREAT | os.O_WRONLY)

    def write(what: str, n: int, run_id: int, token: int) -> None:
        os.write(file, msgspec.json.encode(Note(what, n, run_id, token, os.getpid(), time.monotonic())) + b"\n")

    def note(what: str, n: int) -> None:
        write(what, n, int(current().id), current().token)
        if doom is not None:
            doom.handler(what)

    _add_tasks(app, note, doom)

    def told(event: Event) -> None:
        write(event.event, 0, int(event.run_id or 0), 0)

    app.on(RUN_REFUSED, told)
    app.on(SESSION_LOST, told)
    if ticks:
        for number in range(SCHEDULES):
            app.schedule(app.find_task("tick").bind(number), every=TICK_SECONDS, name=f"ticks-{number}")
    return app


def _add_tasks(app: Shike, note: Callable[[str, int], None], doom: Doom | None) -> None:
    @app.task(name="work")
    async def work(n: int, seconds: float) -> int:
        note("begin", n)
        await asyncio.sleep(seconds)
        note("end", n)
        if doom is not None:
            doom.handler("gathered")
        return n

    @app.task(name="hog")
    async def hog(n: int, seconds: float) -> None:
        """Computes without giving way."""
        note("begin", n)
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            sum(range(1_000))
        note("end", n)

    @app.task(name="leave")
    async def leave(n: int) -> None:
        """Takes its process along, each time."""
        note("begin", n)
        os._exit(7)

    @app.task(name="tick")
    async def tick(schedule: int) -> None:
        note("tick", schedule)

    @app.task(name="nothing", keep_result=False)
    async def nothing(n: int) -> None:
        """As cheap as can be: not even noted."""


def main() -> None:
    url, namespace, notes, role, text = sys.argv[1:6]
    options = msgspec.json.decode(text, type=Options)
    doom = Doom(options.doom) if options.doom else None
    app = build(url, namespace, notes, doom, ticks=role != "worker")
    if doom is not None:
        make = app.client._make_store
        app.client._make_store = lambda: Doomed(make(), doom)  # type: ignore[assignment,return-value]
    if options.stale:
        make_fresh = app.client._make_store
        app.client._make_store = lambda: Stale(make_fresh(), options.stale, namespace)  # type: ignore[assignment,return-value]
    queues = tuple(map(QueueShare, options.queues))
    roles = Roles(
        scheduler=role != "worker",
        worker=role != "node",
        slots=options.slots,
        lease_seconds=options.lease,
        queues=queues,
    )
    app.run(roles)


if __name__ == "__main__":
    main()
