"""Sell the nights of a hotel: no room twice, and what nobody confirms within two hours is free again.

Shows the interval ledger over nights. A stay needs no room number until the keys are given out, so any stays that fit
by their nights are taken; the hold that is over is a delayed run, and the ledger decides who was first.

    shike up examples/hotel.py
    python examples/hotel.py ada 3 5     # in another terminal: the nights 3 and 4
"""

from __future__ import annotations

import asyncio
import sys

import shike
from shike.clock import to_micros
from shike.reserve import commands
from shike.reserve.clerk import Clerk
from shike.reserve.deciding import Decision
from shike.reserve.events import Held
from shike.reserve.journal import open_journal
from shike.reserve.model import Binding, Line, Pool, Sale, Unit

HOURS = 2
app = shike.Shike("sqlite:///hotel_runs.db")

NIGHTS = Line(tuple(f"June {day}" for day in range(1, 31)))
DOUBLES = Pool("double", (Unit("101"), Unit("102")), binding=Binding.AT_SEAL)
OPEN = commands.Open("open", 1, NIGHTS, (DOUBLES,), sales=(Sale(opens_at=1),))


async def ask(command: commands.AnyCommand) -> Decision:
    """What the ledger says; yes is in the journal by then."""
    journal = open_journal("sqlite:///hotel.db")
    async with Clerk(journal) as clerk:
        await clerk.do("June", OPEN)
        answer = await clerk.do("June", command)
    await journal.close()
    return answer


def book(guest: str, arrives: int, leaves: int) -> int:
    """A double room from one day of June to another; the number of the booking, or 0 where a night is full."""
    id, now = f"book/{guest}/{arrives}", to_micros(app.now())
    stay = commands.Hold(id, now, "double", arrives - 1, leaves - 1, people=(guest,), ttl_seconds=HOURS * 3600.0)
    held = asyncio.run(ask(stay))
    if not isinstance(held, Held):
        return 0
    give_up.in_(f"{HOURS}h").options(key=id).submit(held.order)
    return held.order


def confirm(booking: int) -> bool:
    """The guest comes for sure. False: too late."""
    command = commands.Confirm(f"confirm/{booking}", to_micros(app.now()), booking)
    return type(asyncio.run(ask(command))).__name__ == "Confirmed"


@app.task(retry=5)
def give_up(booking: int) -> bool:
    """The room is free again, unless the guest has confirmed; whether it is."""
    return bool(asyncio.run(ask(commands.Expire(f"expire/{booking}", to_micros(app.now()), booking))))


if __name__ == "__main__":
    number = book(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]))
    print(f"booking {number}: confirm it within {HOURS} hours" if number else "no room is free on all those nights")
