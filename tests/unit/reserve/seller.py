"""A process that sells for as long as it lives, and prints what it has told its buyers: `python -m … URL NAME`."""

from __future__ import annotations

import asyncio
import sys

from shike.errors import Fenced
from shike.reserve import commands, events
from shike.reserve.clerk import Clerk
from shike.reserve.deciding import Decision
from shike.reserve.journal import open_journal
from shike.reserve.model import Line, Sale
from tests.unit.reserve.worlds import AT, pool


async def sell(url: str, name: str) -> None:
    journal = open_journal(url)
    async with Clerk(journal, snapshot_events=50) as clerk:

        async def done(command: commands.AnyCommand) -> Decision:
            while True:
                try:
                    return await clerk.do("L", command)
                except Fenced:  # the other one was quicker: the same again, under the same id
                    continue

        await done(commands.Open("open", AT, Line(tuple("ABCDE")), (pool(size=5_000),), sales=(Sale("", 1),)))

        async def buyer(number: int) -> None:
            for turn in range(1_000):
                start = (number + turn) % 4
                hold = commands.Hold(f"{name}-{number}-{turn}", AT, "seat", start, start + 1)
                event = await done(hold)
                if isinstance(event, events.Held):
                    print(hold.id, event.order, event.units[0], start, flush=True)

        await asyncio.gather(*(buyer(number) for number in range(8)))


if __name__ == "__main__":
    asyncio.run(sell(*sys.argv[1:]))
