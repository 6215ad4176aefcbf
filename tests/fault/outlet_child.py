"""A program whose outlet is told of a run that was taken back before it began: it kills itself at a step of that."""

from __future__ import annotations

import asyncio
import os
import signal
from typing import Any

from shike import Shike
from shike.connect import Outcome, Outlet, follower, to_redis

STEP = os.environ["OUTLET_STEP"]

app = Shike(f"sqlite:///{os.environ['OUTLET_STORE']}?synchronous=normal")
sink = to_redis(os.environ["OUTLET_REDIS"], os.environ["OUTLET_STREAM"])


@app.task(name="pay")
async def pay() -> None:
    raise AssertionError("it is taken back before it begins")


Outlet(app, "receipts", sink, [pay])


def die(*words: Any) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


async def dying(*words: Any) -> None:
    die()


if STEP == "before it is handed over":
    app.client.entries = dying  # type: ignore[method-assign,assignment]
if STEP == "before it is noted":
    follower._note = dying
if STEP in ("before the broker has it", "before the store knows of it"):
    put = sink.put

    async def killed(outcome: Outcome) -> None:
        if STEP == "before the store knows of it":
            await put(outcome)
        die()

    sink.put = killed  # type: ignore[method-assign]


async def main() -> None:
    async with app.running():
        await asyncio.Event().wait()


asyncio.run(main())
