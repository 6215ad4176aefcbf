"""A relay in a process of its own, which kills itself (SIGKILL) at a step if it is told to.

`python -m tests.fault.outbox_child FROM STORE NAMESPACE [STEP before|after]`: STEP is one of the relay's own: `take`,
`read`, `deliver`, `done`, `refuse`.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from typing import Any

from shike import Shike
from shike.outbox import Outbox, Relay

LEASE_SECONDS = 0.5


def build(store: str, namespace: str) -> Shike:
    """The app, also of the test that writes."""
    app = Shike(store, namespace=namespace)

    @app.task(name="mail")
    def mail(number: int) -> int:
        return number

    return app


def plant(relay: Relay, step: str, when: str) -> None:
    holder: Any = relay._client if step == "deliver" else relay._table
    real = getattr(holder, step)

    async def dies(*args: Any) -> None:
        if when == "after":
            await real(*args)
        os.kill(os.getpid(), signal.SIGKILL)

    setattr(holder, step, dies)


async def main(source: str, store: str, namespace: str, step: str = "", when: str = "") -> None:
    outbox = Outbox(build(store, namespace), source)
    relay = outbox.relay(rows_max=5, lease_seconds=LEASE_SECONDS, poll_seconds=0.05)
    if step:
        plant(relay, step, when)
    await relay.run()


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
