"""The houses, the passengers, the money and the weather of one simulated railway.

Each house is one process that schedules, works and sells. Passengers come to whichever is up, ask again where nobody
answered, and pay soon, late, twice, never, or in the very instant in which their hold ends.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Coroutine, Sequence
from contextlib import ExitStack
from datetime import datetime, time
from random import Random
from typing import Any
from unittest.mock import patch

from msgspec import Struct

from shike.app import Shike
from shike.bounds import LEASE_SECONDS
from shike.clock import MICROS
from shike.engine import Engine, Roles
from shike.errors import BadInput, BadNotice, LedgerError, StoreError, TradeRefused
from shike.rail.desk import Desk
from shike.rail.fake_gateway import FakeGateway
from shike.rail.journey import Wish
from shike.rail.keeping import MemoryOrders, MemoryRides
from shike.rail.model import Departure
from shike.rail.opening import ONLINE
from shike.rail.order import OrderState
from shike.rail.payment import Notice
from shike.rail.seats import ClerkSeats
from shike.rail.selling import LEAD, Openings, Selling
from shike.rail.tail import Tail
from shike.rail.waiting import WaitingList
from shike.reserve.clerk import Clerk
from shike.reserve.journal.base import Frame
from shike.reserve.journal.memory import MemoryJournal
from shike.runtime import Runtime
from shike.store.memory import MemoryStore
from tests.sim.clocks import SkewedClock
from tests.sim.cluster import read
from tests.sim.faults import Cut, FaultyStore, Weather
from tests.sim.fleet import quiet
from tests.sim.loop import Process, SimLoop, simulate
from tests.sim.machines import Machine
from tests.sim.railway.bounds import (
    BLACKOUT_SECONDS,
    BOUND_SECONDS,
    DARK_SECONDS,
    DARK_SHARE,
    EPOCH,
    HOUSES,
    ON_SALE_SECONDS,
    SHORT_HOLD_SECONDS,
    SKEW_SECONDS,
    STRIKES,
    VISITS,
)
from tests.sim.railway.judge import judged
from tests.sim.railway.wires import Wire
from tests.sim.rumours import Rumours
from tests.sim.watch import Watch
from tests.sim.workload import insist
from tests.unit.rail.shop import DAY, KEY, SECRET, person, railway, wish

JOURNEYS = (["K1 A D"], ["K1 A B"], ["K1 B D"], ["K1 C D"], ["K2 A C"], ["K1 A D", "K3 D G"], ["K1 A D", "K3 D F"])
PAYS = ("soon", "soon", "soon", "edge", "edge", "late", "twice", "never", "back")


class Prompt(Openings):
    """The sale begins half a minute after its ledgers are opened, not half an hour: a simulated second costs, too."""

    @property
    def first(self) -> time:
        return (datetime.combine(DAY, time(7, 30)) + LEAD).time()

    def opens_at(self, departure: Departure, zone: Any) -> int:
        days = (departure.day - DAY).days
        return EPOCH + round((ON_SALE_SECONDS + days * 86_400) * MICROS)


class TimedJournal(MemoryJournal):
    """Knows at which true second each version was committed."""

    def __init__(self, time: Callable[[], float]) -> None:
        super().__init__()
        self._time = time
        self.written: dict[tuple[str, int], float] = {}  # by the ledger and the version after an event

    async def append(self, frames: Sequence[Frame]) -> None:
        await super().append(frames)
        for frame in frames:
            self.noted(frame)

    def noted(self, frame: Frame) -> None:
        for version in range(frame.version, frame.end):
            self.written[frame.ledger, version + 1] = self._time()


class OutsideGateway(FakeGateway):
    """Sends each callback on its way as soon as there is one."""

    post: Callable[[Notice], None]

    def _tell(self, *words: Any, **more: Any) -> Notice:
        notice = super()._tell(*words, **more)
        self.outgoing.clear()
        self.post(notice)
        return notice


class Visit(Struct, eq=False):
    """Somebody who wants seats, and will not be put off by a house that dies."""

    order: str
    wishes: list[Wish]
    people: int
    pays: str
    at_house: str = ""
    is_over: bool = False
    held: bool = False  # was told so
    paid: bool = False  # the gateway has the money


class Railway:
    """One world for one seed."""

    def __init__(
        self,
        seed: int,
        *,
        hold_seconds: int = SHORT_HOLD_SECONDS,
        journal: type[TimedJournal] = TimedJournal,
        clerk: type[Clerk] = Clerk,
        selling: type[Selling] = Selling,
    ) -> None:
        self.dice = Random(f"railway/{seed}")
        self.loop = SimLoop(Random(self.dice.getrandbits(64)))
        self.weather = Weather()
        self.rumours = Rumours(self.loop)
        self.clock = SkewedClock(self.loop.time, EPOCH)
        self.store = MemoryStore(self.clock, virtual_buckets=1)
        self.home = Process("store")
        self.watch = Watch(self.loop.time, self.clock.wall, lambda run: read(self.store, "find", run), LEASE_SECONDS)
        self.journal = journal(self.loop.time)
        self.orders, self.rides = MemoryOrders(), MemoryRides()
        self.gateway = OutsideGateway(SECRET)
        self.gateway.post = lambda notice: self.meanwhile(self._post(notice))
        self.trade = railway()
        self.hold_seconds = hold_seconds
        self.chaos_seconds = ON_SALE_SECONDS + 2.0 * hold_seconds
        self.drain_seconds = hold_seconds + BOUND_SECONDS + 30.0
        self.visits = [self._visit(number) for number in range(VISITS)]
        self.desks: dict[str, Desk] = {}  # by process
        self._selling: dict[str, Selling] = {}
        self._made = selling, clerk
        self._queue: deque[Visit] = deque()
        self._happenings: list[asyncio.Task[Any]] = []
        self.houses = [self._machine(f"house-{number}") for number in range(HOUSES)]

    def _machine(self, name: str) -> Machine:
        return Machine(name, self._house, self.loop, self._door, EPOCH, Random(self.dice.getrandbits(64)))

    def _door(self, process: Process, dice: Random) -> FaultyStore:
        return FaultyStore(self.store, self.loop, self.home, process, self.weather, self.rumours, dice, self.watch.seen)

    def _visit(self, number: int) -> Visit:
        dice = self.dice
        wishes = [wish(ride, dice.choice(("second", "second", "first"))) for ride in dice.choice(JOURNEYS)]
        return Visit(f"o{number}", wishes, dice.choice((1, 1, 2)), dice.choice(PAYS))

    # ------------------------------------------------------------ a house

    async def _house(self, machine: Machine, store: Any, runtime: Runtime) -> None:
        """The life of one process: production's parts, through the one seam."""
        process = machine.process
        assert process is not None
        selling_type, clerk_type = self._made

        def wire(outside: Any) -> Any:
            return Wire(outside, self.loop, self.home, self.weather, Random(dice.getrandbits(64)))

        dice = Random(process.name)
        app = Shike(store, runtime=runtime)
        journal, orders = wire(self.journal), wire(self.orders)
        seats = ClerkSeats(clerk_type(journal))
        selling = selling_type(app, self.trade, seats, Prompt(), finish_every="20s")
        desk = Desk(
            self.trade,
            seats=seats,
            orders=orders,
            rides=wire(self.rides),
            gateway=wire(self.gateway),
            clock=machine.clock,
            key=KEY,
            secret=SECRET,
            later=selling.later,
        )
        selling.serve(desk, WaitingList(desk, orders, Tail(journal)))
        await insist(app.client.settle_here)
        await insist(app.store_schedules)
        while True:
            engine = Engine(store, runtime, app.tasks, Roles(slots=8, name=machine.name), pools={})
            try:
                await engine.start()
                break
            except StoreError:
                await asyncio.sleep(0.5)
        machine.engine = engine
        self.desks[process.name], self._selling[process.name] = desk, selling
        while True:
            await asyncio.sleep(0.2)
            if self._queue:
                visit = self._queue.popleft()
                visit.at_house = process.name
                self.loop.start(process, self._receive(visit, desk))

    async def _receive(self, visit: Visit, desk: Desk) -> None:
        """One passenger at one house, from the beginning, however often."""
        people = [person(f"{visit.order}/{number}") for number in range(visit.people)]
        try:
            order = await patient(lambda: desk.hold(visit.order, visit.wishes, people, channel=ONLINE))
            visit.held = True
        except TradeRefused as no:
            if no.reason == "not_on_sale":
                await asyncio.sleep(5.0)
                self._queue.append(visit)
                return
            if no.reason in ("full", "fragmented") and len(visit.wishes) == 1:
                until = desk.trade.timetable.departure("K1", DAY).departs_at(0)
                words = visit.wishes[0], people
                await patient(lambda: desk.wait(f"{visit.order}w", *words, until=until, channel=ONLINE))
            visit.is_over = True
            return
        if visit.pays != "never" and not visit.paid:
            try:
                for _ in range(1 + (visit.pays == "twice")):
                    page = await patient(lambda: desk.pay(visit.order))
                    self.meanwhile(self._pay(visit, page.rpartition("/")[2], order.expires_at))
            except TradeRefused:
                pass
        if visit.pays == "back":
            await self._give_back(visit, desk)
        visit.is_over = True

    async def _give_back(self, visit: Visit, desk: Desk) -> None:
        for _ in range(30):
            await asyncio.sleep(1.0)
            if (await patient(lambda: desk.finish(visit.order))).state is OrderState.TICKETED:
                try:
                    await patient(lambda: desk.refund(visit.order, 0, [0]))
                except (TradeRefused, BadInput):
                    pass
                return

    # ------------------------------------------------------------ the world outside

    async def _pay(self, visit: Visit, payment: str, expires_at: int) -> None:
        dice = Random(payment)
        ends = (expires_at - EPOCH) / MICROS
        when = {"edge": ends + dice.choice((-0.05, -0.02, 0.0, 0.02)), "late": ends + 2.0}.get(visit.pays)
        await asyncio.sleep(max(0.0, when - self.loop.time()) if when is not None else dice.uniform(0.5, 8.0))
        try:
            self.gateway.pay(payment, race=visit.pays in ("edge", "late"))
            visit.paid = True
        except BadNotice:
            pass  # called off meanwhile, or paid by the same passenger at another house

    async def _post(self, notice: Notice) -> None:
        """Tell a house, until one says that it has taken it; now and then twice."""
        dice = Random(notice.signature)
        left = 1 + (dice.random() < 0.2)
        while left:
            living = [one.process for one in self.houses if one.process and one.process.name in self.desks]
            if living:
                process = dice.choice(living)
                answer: asyncio.Future[Any] = self.loop.create_future()
                self.loop.start(process, self._hear(process.name, notice, answer, straight=dice.random() < 0.5))
                done, _ = await asyncio.wait([answer], timeout=8.0)
                left -= bool(done) and answer.result()
            await asyncio.sleep(dice.uniform(0.0, 0.5) if left else 0)

    async def _hear(self, house: str, notice: Notice, answer: asyncio.Future[Any], *, straight: bool) -> None:
        try:
            await (self.desks[house].hear(notice) if straight else self._selling[house].callback(notice))
            taken = True
        except (StoreError, LedgerError):
            taken = False
        if not answer.done():
            answer.set_result(taken)

    def meanwhile(self, happening: Coroutine[Any, Any, Any]) -> None:
        """Something outside of all houses goes on."""
        self._happenings.append(self.loop.create_task(happening, context=self.home.context.copy()))

    async def _come(self) -> None:
        """Passengers come, some before the sale begins."""
        moments = sorted(self.dice.uniform(20.0, self.chaos_seconds) for _ in self.visits)
        for at, visit in zip(moments, self.visits, strict=True):
            await asyncio.sleep(at - self.loop.time())
            self._queue.append(visit)

    def _kill(self, house: Machine, seconds: float = 0.0) -> None:
        """Who stood there goes to another house; this one is up again after so long."""
        if house.process is None:
            return
        name = house.process.name
        house.kill()
        self._queue.extend(visit for visit in self.visits if visit.at_house == name and not visit.is_over)
        self.loop.call_later(seconds or self.dice.uniform(0.5, 6.0), house.boot, context=self.home.context)

    def _black_out(self) -> None:
        """Nobody is there when the ledgers are to be opened, nor when the sale is to begin."""
        for house in self.houses:
            self._kill(house, self.dice.uniform(*DARK_SECONDS))

    def _strike(self, house: Machine) -> None:
        match self.dice.randrange(6):
            case 0 | 1:
                self._kill(house)
            case 2:
                self.meanwhile(house.pause(self.dice.uniform(1.0, 15.0)))
            case 3:
                self.meanwhile(house.cut_off(self.dice.choice([*Cut]), self.dice.uniform(1.0, 8.0)))
            case _:
                house.clock.skew_seconds = self.dice.uniform(-SKEW_SECONDS, SKEW_SECONDS)

    # ------------------------------------------------------------ the story

    def tell(self) -> list[str]:
        """The whole story of this seed; what was wrong."""
        found: list[str] = []

        async def story() -> None:
            self.home.context.run(self.rumours.attend, self.store)
            self.weather.slow_call = self.weather.lost_answer = self.weather.refused = 0.01
            for house in self.houses:
                house.boot()
            self.meanwhile(self._come())
            if self.dice.random() < DARK_SHARE:
                self.loop.call_at(BLACKOUT_SECONDS, self._black_out, context=self.home.context)
            for at in sorted(self.dice.uniform(15.0, self.chaos_seconds) for _ in range(STRIKES)):
                await asyncio.sleep(at - self.loop.time())
                self._strike(self.dice.choice(self.houses))
            await asyncio.sleep(self.chaos_seconds - self.loop.time())
            self.weather.calm = self.rumours.calm = True
            for house in self.houses:
                house.clock.skew_seconds = 0.0
                house.mend()
            await asyncio.sleep(self.drain_seconds)
            found.extend(await judged(self))

        with ExitStack() as stack:
            stack.enter_context(quiet())
            for home in ("shike.rail.desk", "shike.rail.deeds"):
                stack.enter_context(patch(f"{home}.HOLD_SECONDS", self.hold_seconds))
            simulate(self.loop, story)
        return [*found, *self.loop.complaints, *self.watch.violations]


async def patient(deed: Callable[[], Coroutine[Any, Any, Any]]) -> Any:
    """Ask again and again, as everybody must whom nobody answered."""
    while True:
        try:
            return await deed()
        except (StoreError, LedgerError):
            await asyncio.sleep(0.5)
