"""Four GPUs shared by teams: a team reserves some for a time, what is not reserved is anybody's, none is used twice.

Shows slots of a worker pool over two tasks. Nothing is stopped for a reservation: a run that may last into it is not
begun, so its slots are free in time. `shike pools gpus` shows whose they are, `shike explain RUN` why a run waits.

    shike up examples/gpu_slots.py
    python examples/gpu_slots.py research 3 60 180      # in another terminal: three, from in an hour until in three
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Annotated

from shike import Key, Rate, Reserved, Shike
from shike.reserve.clerk import Clerk
from shike.reserve.journal import open_journal
from shike.reserve.model import Refusal
from shike.reserve.time_pool import TimePool

app = Shike("sqlite:///gpu_slots.db")
done: list[str] = []


@app.task(name="gpus.train", limits=[Reserved("gpus", "a100", longest="30m"), Rate("20/m", burst=2)], timeout="30m")
async def train(team: Annotated[str, Key], model: str) -> None:
    await asyncio.sleep(20 * 60)
    done.append(f"{team}/{model}")


@app.task(name="gpus.embed", limits=[Reserved("gpus", "a100", longest="2m", tenant="web")], timeout="2m")
async def embed(document: int) -> None:
    await asyncio.sleep(60)
    done.append(f"web/{document}")


@asynccontextmanager
async def gpus() -> AsyncIterator[TimePool]:
    """The pool, open for a week from now."""
    journal = open_journal("sqlite:///gpu_reservations.db")
    async with Clerk(journal) as clerk:
        pool = TimePool(clerk, "gpus", app.runtime.clock, store=await app.client.store())
        await pool.open({"a100": 4})
        yield pool
    await journal.close()


@app.task(name="gpus.advance")
async def advance() -> None:
    async with gpus() as pool:
        await pool.advance()


app.schedule(advance, every="15m")


async def reserve(team: str, count: int, start: int, end: int) -> int:
    """So many for a team, from so many minutes from now until so many: the reservation's number, 0 where too few are
    left."""
    first, last = (app.now() + timedelta(minutes=minutes) for minutes in (start, end))
    async with gpus() as pool:
        answer = await pool.reserve("a100", count, first, last, id=f"{team}/{first:%d %H:%M}", tenant=team)
    return 0 if isinstance(answer, Refusal) else answer


if __name__ == "__main__":
    number = asyncio.run(reserve(sys.argv[1], *map(int, sys.argv[2:5])))
    print(f"reservation {number}" if number else "so many are not left for all of that time")
