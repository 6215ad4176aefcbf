"""`shike rail open|hold|wait|order|pay|refund|why`: a counter over one SQLite file."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final, TypeVar

from cyclopts import Parameter

from shike.cli import output
from shike.cli.rail import AsJson, Source, read, service_day
from shike.cli.root import FINE, FOUND
from shike.cli.times import when
from shike.clock import Clock, ManualClock, SystemClock, to_datetime, to_micros
from shike.errors import BadPassenger

if TYPE_CHECKING:
    from shike.rail.counter import Counter
    from shike.rail.order import Order
    from shike.rail.passenger import Passenger

T = TypeVar("T")

File = Annotated[Path, Parameter(name="--file", help="The SQLite file that is sold from.")]
Now = Annotated[str, Parameter(help="Do as if it were that time: to sell from a timetable of another year.")]
Name = Annotated[str, Parameter(name="ORDER", help="What the order is called.")]
Departure = Annotated[str, Parameter(name="DEPARTURE", help="A train on a day: 'ICE 948/2019-05-03/1'.")]
From = Annotated[str, Parameter(name="FROM", help="A station, its beginning or code, or a city.")]
To = Annotated[str, Parameter(name="TO", help="Another one.")]
Class = Annotated[str, Parameter(name="--class", help="The class.")]
People = Annotated[
    list[str], Parameter(help="NAME/DOCUMENT/NUMBER, and perhaps /FARE; once for each, up to five.", negative="")
]
FILE: Final = Path("rail.db")
WHOLE: Final = 1000  # thousandths


def open_(
    feed: Source,
    train: Annotated[str, Parameter(name="TRAIN", help="As passengers call it: 'ICE 948'.")],
    day: Annotated[str, Parameter(name="DAY", help="Its service day, 2019-05-03.")],
    /,
    *,
    run: Annotated[int, Parameter(help="Which of that day, if it runs more than once.")] = 1,
    opens_at: Annotated[str, Parameter(help="When its sale begins.")] = "now",
    online: Annotated[int, Parameter(help="Thousandths of each class that are sold online.")] = WHOLE,
    currency: Annotated[str, Parameter(help="Of the tariff.")] = "EUR",
    file: File = FILE,
    now: Now = "now",
    json: AsJson = False,
) -> int:
    """Put a train on sale; again it changes nothing."""
    from shike.rail.composition import known_trains
    from shike.rail.counter import set_up
    from shike.rail.opening import opening, share_rules

    clock = clock_of(now)
    begins = to_micros(when(opens_at, to_datetime(clock.wall())))
    timetable = read(feed).timetable
    departure = timetable.departure(train, service_day(day, timetable), run)
    composition = known_trains().of(departure.train)
    shares = dict.fromkeys(composition.classes, online) if online != WHOLE else {}
    share_rules(composition.pools(), departure.trip.segments, shares)  # what cannot be is told before a file is made

    async def work(counter: Counter) -> dict[str, Any]:
        state = await counter.seats.state(departure.key)
        if not state.version:
            words = opening(timetable, departure, composition, at=clock.wall(), opens_at=begins, online_permille=shares)
            await counter.seats.ask(departure.key, words)
            state = await counter.seats.state(departure.key)
        return {
            "departure": departure.key,
            "sale_opens": to_datetime(max(sale.opens_at for sale in state.sales.values())).isoformat(),
            "calls": state.labels,
            "classes": {name: pool.size for name, pool in state.pools.items()},
        }

    set_up(file, Path(feed), currency)
    told = at_counter(file, clock, work)
    if json:
        output.as_json(told)
    else:
        classes = ", ".join(f"{count} {name}" for name, count in told["classes"].items())
        output.facts(
            [
                ("on sale", told["departure"]),
                ("from", told["sale_opens"]),
                ("seats", classes),
                ("calls", len(told["calls"])),
            ]
        )
    return FINE


def hold(
    order: Name,
    departure: Departure,
    origin: From,
    goal: To,
    /,
    *,
    passenger: People,
    class_: Class = "second",
    seat: Annotated[tuple[str, ...], Parameter(help="Window, aisle, … where there is one.", negative="")] = (),
    file: File = FILE,
    now: Now = "now",
    json: AsJson = False,
) -> int:
    """Hold seats for 15 minutes. The same again gives the same."""
    from shike.rail.journey import Wish

    clock = clock_of(now)

    async def work(counter: Counter) -> dict[str, Any]:
        day = counter.trade.timetable.by_key(departure).day
        people = [_passenger(words, day) for words in passenger]
        wish = Wish(departure, class_, origin, goal)
        return await _told(counter, await counter.hold(order, wish, people, seat))

    return _show(at_counter(file, clock, work), json)


def wait(
    order: Name,
    departure: Departure,
    origin: From,
    goal: To,
    /,
    *,
    until: Annotated[str, Parameter(help="Until when at most: 'in 2h', '2026-11-23 09:30'.")],
    passenger: People,
    class_: Class = "second",
    file: File = FILE,
    now: Now = "now",
    json: AsJson = False,
) -> int:
    """Wait for seats to come free; they are then held for 15 minutes, to be paid for."""
    from shike.rail.journey import Wish

    clock = clock_of(now)
    latest = to_micros(when(until, to_datetime(clock.wall())))

    async def work(counter: Counter) -> dict[str, Any]:
        day = counter.trade.timetable.by_key(departure).day
        people = [_passenger(words, day) for words in passenger]
        wish = Wish(departure, class_, origin, goal)
        await counter.desk.wait(order, wish, people, until=latest)
        await counter.ring_due()  # there may be seats
        return await _told(counter, await counter.books.get(order))

    return _show(at_counter(file, clock, work), json)


def order(order: Name, /, *, file: File = FILE, now: Now = "now", json: AsJson = False) -> int:
    """Show an order: whether it waits, is held, has its tickets."""

    async def work(counter: Counter) -> dict[str, Any]:
        return await _told(counter, await counter.books.get(order))

    return _show(at_counter(file, clock_of(now), work), json)


def pay(order: Name, /, *, file: File = FILE, now: Now = "now", json: AsJson = False) -> int:
    """Pay for what is held: in cash, the whole sum."""

    async def work(counter: Counter) -> dict[str, Any]:
        return await _told(counter, await counter.pay(order))

    return _show(at_counter(file, clock_of(now), work), json)


def refund(
    order: Name,
    /,
    *,
    ticket: Annotated[
        tuple[int, ...], Parameter(help="Which, counted from 0; none named: all good ones.", negative="")
    ] = (),
    part: Annotated[int, Parameter(help="Of which train of the order, counted from 0.")] = 0,
    quote: Annotated[bool, Parameter(help="Only tell what would be kept back.", negative="")] = False,
    file: File = FILE,
    now: Now = "now",
    json: AsJson = False,
) -> int:
    """Give tickets back, less what the ladder keeps."""
    from shike.errors import BadOrder
    from shike.rail.changing import good_tickets

    async def work(counter: Counter) -> dict[str, Any]:
        known = await counter.books.get(order)
        if not 0 <= part < len(known.parts):
            raise BadOrder(f"order {order} has {len(known.parts)} trains, counted from 0")
        indices = list(ticket or good_tickets(known.parts[part]))
        fee = await counter.desk.refund_quote(order, part, indices)
        if quote:
            return {"order": order, "tickets": indices, "kept_cents": fee, "currency": known.currency}
        back = await counter.refund(order, part, indices)
        return {"tickets": indices, "back_cents": back, **await _told(counter, await counter.books.get(order))}

    return _show(at_counter(file, clock_of(now), work), json)


def why(
    departure: Departure,
    origin: From,
    goal: To,
    /,
    *,
    class_: Class = "second",
    count: Annotated[int, Parameter(help="So many together.")] = 1,
    file: File = FILE,
    now: Now = "now",
    json: AsJson = False,
) -> int:
    """Tell what would become of a hold, and what else there is (exit code 1 where it would be refused)."""
    from shike.rail.asking import ask_why

    clock = clock_of(now)

    async def work(counter: Counter) -> dict[str, Any]:
        return await ask_why(counter.trade, counter.seats, departure, class_, origin, goal, count, at=clock.wall())

    told = at_counter(file, clock, work)
    if json:
        output.as_json(told)
    else:
        output.facts([(name, value) for name, value in told.items() if name != "instead"])
        for other in told["instead"]:
            print(f"instead: {other}")
    return FOUND if told["refused"] else FINE


async def _told(counter: Counter, order: Order) -> dict[str, Any]:
    from shike.rail.order import OrderState

    has_seats = order.state in (OrderState.HELD, OrderState.CONFIRMING, OrderState.TICKETED)
    return {
        "order": order.id,
        "state": str(order.state),
        "trains": [f"{part.departure} {part.class_}" for part in order.parts],
        "seats": await counter.desk.seats_of(order.id) if has_seats else [],
        "costs_cents": order.due_cents,
        "currency": order.currency,
        "until": to_datetime(order.expires_at).isoformat()
        if order.state in (OrderState.WAITING, OrderState.HELD)
        else "",
    }


def _show(told: dict[str, Any], json: bool) -> int:
    if json:
        output.as_json(told)
        return FINE
    money = {"costs_cents": "costs", "back_cents": "goes back", "kept_cents": "kept back"}
    rows: list[tuple[str, object]] = []
    for name, value in told.items():
        if name in money:
            rows.append((money[name], f"{value / 100:.2f} {told['currency']}"))
        elif name == "seats":
            rows.append((name, "; ".join(", ".join(names) for names in value)))
        elif name == "trains":
            rows.append((name, ", ".join(value)))
        elif name == "tickets":
            rows.append((name, ", ".join(map(str, value))))
        elif name != "currency":
            rows.append((name, value))
    output.facts(rows)
    return FINE


def at_counter(file: Path, clock: Clock, work: Callable[[Counter], Awaitable[T]]) -> T:
    """Do something at the counter; holds that are over go first."""
    from shike.rail.counter import open_counter

    async def go() -> T:
        async with open_counter(file, clock) as counter:
            await counter.ring_due()
            return await work(counter)

    return asyncio.run(go())


def clock_of(now: str) -> Clock:
    """The system's, or one that stands still at the time that was given."""
    return SystemClock() if now == "now" else ManualClock(when(now))


def _passenger(words: str, day: Any) -> Passenger:
    from shike.rail.passenger import passenger

    parts = [part.strip() for part in words.split("/")]
    if len(parts) not in (3, 4):
        raise BadPassenger(
            "a passenger is NAME/DOCUMENT/NUMBER or NAME/DOCUMENT/NUMBER/FARE: 'Ada Lovelace/passport/X1234567'"
        )
    return passenger(*parts, day=day)
