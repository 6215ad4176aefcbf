"""An app that notes what its handlers do, line by line, in the file that NOTES names. Its store is SHIKE_STORE's."""

from __future__ import annotations

import asyncio
import os

from shike import Shike, current

TICK_SECONDS = 0.25

app = Shike("moved")
_notes = os.open(os.environ["NOTES"], os.O_APPEND | os.O_CREAT | os.O_WRONLY)


@app.task(name="work")
async def work(n: int) -> None:
    await asyncio.sleep(0.02)
    os.write(_notes, f"work {n} {current().token}\n".encode())


@app.task(name="tick")
async def tick() -> None:
    os.write(_notes, f"tick {current().run.moment} {current().token}\n".encode())


app.schedule(tick, every=TICK_SECONDS, name="ticks")
