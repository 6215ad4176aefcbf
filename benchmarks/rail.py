"""How fast the railway reads, searches and sells, on the real timetable: `python -m benchmarks.rail`.

CPU time of one core. Reading is the best of the repeats; searches are between the sixty busiest stations of one day,
each the best of five.
"""

from __future__ import annotations

import argparse
import random
import time
from collections.abc import Callable, Coroutine
from datetime import date
from functools import partial
from pathlib import Path
from statistics import median
from typing import Any

from shike.clock import ManualClock
from shike.errors import UnknownTrain
from shike.rail.composition import known_trains
from shike.rail.desk import Desk
from shike.rail.fake_gateway import FakeGateway
from shike.rail.gtfs import read_feed
from shike.rail.journey import Trade, Wish
from shike.rail.keeping import MemoryOrders, MemoryRides
from shike.rail.ladder import known_ladders
from shike.rail.model import Departure
from shike.rail.offers import offers, triangle
from shike.rail.opening import opening
from shike.rail.passenger import passenger
from shike.rail.tariff import known_tariffs
from shike.rail.timetable import Timetable
from shike.rail.transfers import transfers
from shike.reserve.commands import AnyCommand
from shike.reserve.events import AnyEvent
from shike.reserve.ledger import Ledger
from shike.reserve.model import Refusal
from shike.reserve.state import State

FEED = Path(__file__).parents[1] / "tests" / "data" / "rail" / "db-fernverkehr-2019-gtfs.zip"
DAY = date(2019, 5, 3)
NOW = 1_556_604_000_000_000  # three days before
BUSY = 60
GOALS = {"import of the whole feed": 3_000.0, "search of a station pair, slowest": 5.0}  # ms


class Ledgers:
    """Without a journal: what the railway adds to the ledger is measured here."""

    def __init__(self) -> None:
        self.ledgers: dict[str, Ledger] = {}

    async def ask(self, ledger: str, command: AnyCommand) -> AnyEvent | Refusal:
        known = self.ledgers.setdefault(ledger, Ledger(ledger))
        answer = known.do(command)
        known.fresh.clear()
        return answer

    async def state(self, ledger: str) -> State:
        return self.ledgers[ledger].state if ledger in self.ledgers else State()


def done(work: Coroutine[Any, Any, Any]) -> Any:
    """Nothing here waits, so it takes no event loop."""
    try:
        work.send(None)
    except StopIteration as ended:
        return ended.value
    raise AssertionError("it waits for something")


def cpu_ms(work: Callable[[], object], repeats: int = 1) -> float:
    best = float("inf")
    for _ in range(repeats):
        began = time.process_time()
        work()
        best = min(best, time.process_time() - began)
    return 1_000 * best


def tell(what: str, ms: float, more: str = "") -> None:
    goal = f"   goal ≤ {GOALS[what]:,.0f} ms" if what in GOALS else ""
    print(f"{what:44} {ms:>10,.2f} ms{goal}{more}")


def searching(timetable: Timetable, trade: Trade, ledgers: Ledgers, count: int) -> None:
    calls = {number: sum(1 for _ in timetable.calls_at(number, DAY)) for number in range(len(timetable.stations))}
    busy = sorted(calls, key=lambda number: -calls[number])[:BUSY]
    draw = random.Random(1)
    pairs = [draw.sample(busy, 2) for _ in range(count)]
    told("search of a station pair", [cpu_ms(partial(timetable.legs, [one], [other], DAY), 5) for one, other in pairs])
    names = [(timetable.stations[one].name, timetable.stations[other].name) for one, other in pairs]
    timetable.search(*names[0], DAY)

    def offered(one: str, other: str) -> object:
        return done(offers(trade, ledgers, one, other, DAY, at=NOW))

    told("with seats and prices of each class", [cpu_ms(partial(offered, *pair), 3) for pair in names])
    few = names[: count // 4]
    told("journeys with one change", [cpu_ms(partial(transfers, timetable, one, other, DAY)) for one, other in few])


def told(what: str, measured: list[float]) -> None:
    tell(f"{what}, median", median(measured))
    tell(f"{what}, slowest", max(measured))


def selling(trade: Trade, ledgers: Ledgers, departure: Departure, count: int) -> None:
    async def later(order: str, at: int) -> None: ...

    secret = b"only for this measurement"
    gateway = FakeGateway(secret)
    desk = Desk(
        trade,
        seats=ledgers,
        orders=MemoryOrders(),
        rides=MemoryRides(),
        gateway=gateway,
        clock=ManualClock(NOW),
        key=secret,
        secret=secret,
        later=later,
    )
    names = [trade.timetable.stations[number].name for number in departure.trip.stations]
    wish = Wish(departure.key, "second", names[0], names[-1])
    people = [passenger("A", "passport", f"P{number:07}", day=DAY) for number in range(count)]

    def buy() -> None:
        for number, person in enumerate(people):
            done(desk.hold(f"o{number}", [wish], [person]))
            gateway.pay(done(desk.pay(f"o{number}")).rpartition("/")[2])
            done(gateway.deliver(desk.hear))

    ms = cpu_ms(buy)
    tell("hold, pay, callback, ticket: one order", ms / count, f"   {1_000 * count / ms:,.0f} orders/s")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--searches", type=int, default=200)
    parser.add_argument("--orders", type=int, default=300)
    parser.add_argument("--repeats", type=int, default=5)
    wanted = parser.parse_args()
    tell("import of the whole feed", cpu_ms(lambda: read_feed(FEED), wanted.repeats))
    timetable = read_feed(FEED).timetable
    trade = Trade(timetable, known_trains(), known_tariffs("EUR"), known_ladders())
    ledgers, sold = Ledgers(), []
    for departure in timetable.departures(DAY):
        try:
            sold.append((departure, trade.trains.of(departure.train)))
        except UnknownTrain:
            continue

    def open_all() -> None:
        for departure, composition in sold:
            done(ledgers.ask(departure.key, opening(timetable, departure, composition, at=NOW, opens_at=NOW)))

    tell(f"{len(sold)} ledgers of a day opened", cpu_ms(open_all))
    searching(timetable, trade, ledgers, wanted.searches)
    long = next(one for one, _ in sold if len(one.trip.stations) == 17 and one.trip.category == "ICE")
    tell("136 rides of one train in one class", cpu_ms(lambda: done(triangle(trade, ledgers, long, "second")), 5))
    selling(trade, ledgers, long, wanted.orders)


if __name__ == "__main__":
    main()
