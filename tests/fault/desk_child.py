"""A counter that sells from one file until it is killed. It writes a line for each thing that it told somebody:
`+ order` held, `= order` ticketed, `- order` given back, `w order` waits."""

from __future__ import annotations

import asyncio
import os
import sys
from datetime import UTC, datetime
from pathlib import Path

from shike.clock import ManualClock
from shike.errors import TradeRefused
from shike.rail.counter import Counter, open_counter
from shike.rail.journey import Wish
from shike.rail.order import OrderState
from shike.rail.passenger import Passenger, passenger

NOW = datetime(2019, 4, 30, 10, 30, tzinfo=UTC)
TRAIN = "IC 9/2019-05-01/1"
WISHES = [Wish(TRAIN, "second", *ride) for ride in (("Köln Hbf", "Aachen Hbf"), ("Köln Hbf", "Düren"))]
LANES = 3
HOUR = 3_600_000_000


def say(mark: str, order: str) -> None:
    os.write(1, f"{mark} {order}\n".encode())


def somebody(number: str) -> Passenger:
    return passenger("Somebody", "passport", number, day=NOW.date())


async def sell(counter: Counter, life: int, lane: int) -> None:
    """One after the other: every seventh never pays, every second who has paid gives it back."""
    desk, number = counter.desk, 0
    while True:
        number += 1
        order, wish = f"o{life}-{lane}-{number}", WISHES[number % 2]
        who = [somebody(f"P{life:02}{lane}{number:05}")]
        try:
            await desk.hold(order, [wish], who)
        except TradeRefused:
            await desk.wait(f"w{order}", wish, who, until=counter.clock.wall() + HOUR)
            say("w", f"w{order}")
            continue
        say("+", order)
        if number % 7 == 0:
            continue
        if (await counter.pay(order)).state is OrderState.TICKETED:
            say("=", order)
            if number % 2:
                await counter.refund(order, 0, [0])
                say("-", order)


async def main(file: str, life: int) -> None:
    async with open_counter(Path(file), ManualClock(NOW)) as counter, asyncio.TaskGroup() as group:
        await counter.ring_due()
        for lane in range(LANES):
            group.create_task(sell(counter, life, lane))


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], int(sys.argv[2])))
