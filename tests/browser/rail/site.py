"""A railway at work on a free port, over a file of its own: the real timetable, one train nearly sold out."""

from __future__ import annotations

import asyncio
import random
import threading
from collections.abc import Coroutine
from contextlib import AsyncExitStack
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any, TypeVar

from shike.clock import ShiftedClock
from shike.rail.counter import set_up
from shike.rail.opening import ONLINE, opening
from shike.rail.planning import forecast
from shike.rail.web.building import application
from shike.rail.web.house import House
from shike.rail.web.serving import open_house
from shike.reserve import commands
from shike.reserve.events import Held
from shike.server.roles import Role
from shike.server.serving import Front, bound
from tests.unit.rail.feeds import REAL

T = TypeVar("T")
SECONDS = 90.0  # nothing here takes so long, on any machine
NOW = datetime(2019, 4, 30, 10, tzinfo=UTC)
DAY = date(2019, 5, 3)
FULL, EMPTY, LATER, DOOMED, PLANNED = "ICE 948", "ICE 654", "ICE 652", "ICE 650", "ICE 848"  # all to Köln


def key(train: str) -> str:
    return f"{train}/{DAY}/1"


class Site:
    """Use as a context manager. `url` is where it answers."""

    def __init__(self, folder: Path) -> None:
        self._file = folder / "rail.db"
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="rail", daemon=True)
        self._stack = AsyncExitStack()
        self._keys: dict[Role, str] = {}
        self.url = ""
        self.house: House

    def __enter__(self) -> Site:
        self._thread.start()
        self.do(self._start())
        return self

    def __exit__(self, *_: object) -> None:
        self.do(self._stop())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(SECONDS)
        self._loop.close()

    def do(self, work: Coroutine[Any, Any, T]) -> T:
        """Await something in the server's loop."""
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(SECONDS)

    def staff_key(self, role: Role = Role.OPERATOR) -> str:
        """An access key of that role."""
        if role not in self._keys:
            self._keys[role] = self.do(self._made(role))
        return self._keys[role]

    async def _made(self, role: Role) -> str:
        return (await (await self.house.opening.desk()).keys.make(str(role), role, per_second=1e6)).key

    async def _start(self) -> None:
        set_up(self._file, REAL, "EUR")
        self.house = await self._stack.enter_async_context(open_house(self._file, ShiftedClock(NOW), host="127.0.0.1"))
        for train in (FULL, EMPTY, LATER, DOOMED, PLANNED):
            departure, now = self.house.departure(key(train)), self.house.clock.wall()
            of = self.house.trade.trains.of(train)
            await self.house.seats.ask(
                key(train), opening(self.house.trade.timetable, departure, of, at=now, opens_at=now)
            )
        await self._fill(FULL)
        self._front = Front(application(self.house), bound("127.0.0.1", 0), self.house.opening.close)
        self._front.start()
        self.url = self._front.url

    async def _fill(self, train: str) -> None:
        """As many buyers as its busiest segment has seats, and a few more."""
        departure, dice = self.house.departure(key(train)), random.Random(3)
        size = (await self.house.seats.state(departure.key)).pools["second"].size
        demand = forecast(self.house.trade, departure, size, 1.05)
        people = [section for section, count in demand.items() for _ in range(round(count))]
        dice.shuffle(people)
        at = self.house.clock.wall()

        async def one(number: int, board: int, alight: int) -> None:
            hold = commands.Hold(f"fill/{number}", at, "second", board, alight, channel=ONLINE)
            held = await self.house.seats.ask(departure.key, hold)
            if isinstance(held, Held) and number % 20:
                await self.house.seats.ask(departure.key, commands.Confirm(f"fill/{number}/pay", at, held.order))

        await asyncio.gather(*(one(number, *section) for number, section in enumerate(people)))

    async def _stop(self) -> None:
        await self._front.stop()
        await self._stack.aclose()
