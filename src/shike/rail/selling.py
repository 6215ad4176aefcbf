"""The railway's moments, kept by Shike: a hold that is over, a sale that opens, a train that leaves soon, and what a
killed process left half done.

A hold's timer is a delayed run: a row in the store, which outlives every process. It does not decide: the order and the
ledger do, by who comes first. A sale opens to the microsecond by the ledger's own rule; the schedule comes a while
before and sees to it that the ledgers are there.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from datetime import date, datetime, time, timedelta
from typing import Final
from zoneinfo import ZoneInfo

from shike.app import Shike
from shike.clock import to_datetime, to_micros
from shike.errors import BadOrder, UnknownTrain
from shike.model import Backoff, Misfire
from shike.rail.bounds import PRESALE_DAYS
from shike.rail.desk import Desk
from shike.rail.journey import Trade
from shike.rail.model import Departure
from shike.rail.opening import opening
from shike.rail.order import OrderState
from shike.rail.payment import Notice
from shike.rail.seats import Seats
from shike.rail.waiting import WaitingList
from shike.task import Outcome
from shike.worker.context import current
from shike.worker.outcome import Snooze

LEAD: Final = timedelta(minutes=30)  # ledgers are opened so long before the first sale of a day
REMIND: Final = timedelta(hours=2)  # before departure
RETRY: Final = Backoff(attempts=10, base_seconds=1.0, max_seconds=300.0)  # a gateway may be away for a while
FINISH_EVERY: Final = "1m"

Remind = Callable[[str, str], Awaitable[None]]  # (order, departure)


class Openings:
    """When the trains of a day are put on sale: each category at its own time of the day, 15 days before (R1.11).

    `staggered` are times by category or train; `otherwise` holds for the rest. `online_permille` is what staff have set
    for a departure or, under "", for all.
    """

    def __init__(
        self,
        *,
        otherwise: time = time(8),
        staggered: Mapping[str, time] | None = None,
        online_permille: Mapping[str, Mapping[str, int]] | None = None,
    ) -> None:
        self.otherwise = otherwise
        self.staggered = dict(staggered or {})
        self._online = dict(online_permille or {})

    def opens_at(self, departure: Departure, zone: ZoneInfo) -> int:
        """UTC microseconds."""
        trip = departure.trip
        at = self.staggered.get(trip.train) or self.staggered.get(trip.category) or self.otherwise
        return to_micros(datetime.combine(departure.day - timedelta(days=PRESALE_DAYS), at, zone))

    def online_permille(self, departure: Departure) -> Mapping[str, int]:
        return self._online.get(departure.key) or self._online.get("", {})

    @property
    def first(self) -> time:
        return min([self.otherwise, *self.staggered.values()])


class Selling:
    """Registers the railway's tasks with an app. Give `later` to the desk, then the desk to `serve`. `finish_every`: so
    often what a killed process left half done is looked for."""

    def __init__(
        self,
        app: Shike,
        trade: Trade,
        seats: Seats,
        openings: Openings,
        *,
        remind: Remind | None = None,
        finish_every: str = FINISH_EVERY,
    ) -> None:
        self._app, self._trade, self._seats, self._openings = app, trade, seats, openings
        self._zone = ZoneInfo(trade.timetable.zone_name)
        self._desk: Desk | None = None
        self._waits: WaitingList | None = None
        self._remind_by = remind
        self._ring = app.task(name="rail.ring", retry=RETRY)(self._rung)
        self._hear = app.task(name="rail.hear", retry=RETRY)(self._heard)
        self._open = app.task(name="rail.open", retry=RETRY)(self._opened)
        self._remind = app.task(name="rail.remind", retry=RETRY)(self._reminded)
        self._finish = app.task(name="rail.finish")(self._finished)
        first = datetime.combine(date(2000, 1, 2), openings.first) - LEAD
        when = f"{first.minute} {first.hour} * * *"
        app.schedule(self._open, cron=when, tz=self._zone.key, name="rail.open", misfire=Misfire.ALL)
        app.schedule(self._finish, every=finish_every, name="rail.finish")

    def serve(self, desk: Desk, waits: WaitingList | None = None) -> None:
        """The desk that the timers ring at; and who looks every minute whether somebody who waits was served."""
        self._desk, self._waits = desk, waits

    async def later(self, order: str, at: int) -> None:
        """Ring for an order at an instant: once, however often it is asked for. One that has waited has two."""
        await self._ring.at(to_datetime(at)).options(key=f"rail/ring/{order}/{at}").submit(order)

    async def callback(self, notice: Notice) -> None:
        """Take a gateway's callback for good, before it is acted on: the gateway may forget it now."""
        key = f"rail/notice/{notice.payment}/{notice.id}"
        await self._hear.options(key=key).submit(notice)

    async def remind(self, order: str, departure: str, departs_at: int) -> None:
        """Remind of a train before it leaves."""
        when = to_datetime(departs_at) - REMIND
        await (
            self._remind.at(max(when, self._app.now()))
            .options(key=f"rail/remind/{order}/{departure}")
            .submit(order, departure)
        )

    async def open_day(self, day: date, at: int) -> int:
        """Open the ledgers of a service day; how many there are. It may be repeated."""
        count = 0
        for departure in self._trade.timetable.departures(day):
            try:
                composition = self._trade.trains.of(departure.train)
            except UnknownTrain:
                continue
            command = opening(
                self._trade.timetable,
                departure,
                composition,
                at=at,
                opens_at=self._openings.opens_at(departure, self._zone),
                online_permille=self._openings.online_permille(departure),
            )
            await self._seats.ask(departure.key, command)
            count += 1
        return count

    async def _rung(self, order: str) -> str | Outcome:
        desk = self._served()
        state = await desk.ring(order)
        if state in (OrderState.HELD, OrderState.WAITING):  # this clock is before the desk's: it is not time yet
            return Snooze(1.0)
        return str(state)

    async def _heard(self, notice: Notice) -> str:
        return str(await self._served().hear(notice))

    async def _opened(self) -> int:
        """The day that is sold from today on, by the moment of the schedule, however late the run."""
        moment = current().moment or self._app.now()
        today = moment.astimezone(self._zone).date()
        return await self.open_day(today + timedelta(days=PRESALE_DAYS), to_micros(moment))

    async def _reminded(self, order: str, departure: str) -> bool:
        if not await self._served().is_good(order, departure) or self._remind_by is None:
            return False
        await self._remind_by(order, departure)
        return True

    async def _finished(self) -> int:
        served = await self._waits.look() if self._waits is not None else 0
        return served + await self._served().finish_all()

    def _served(self) -> Desk:
        if self._desk is None:
            raise BadOrder("no desk is open: call Selling.serve(desk) before the app starts")
        return self._desk
