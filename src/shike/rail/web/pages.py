"""What passengers see: search, a train with its triangle and its seats, their orders, and the page of the till."""

from __future__ import annotations

import zlib
from collections.abc import Mapping
from datetime import date
from functools import cache
from importlib.resources import files
from typing import Any, Final
from urllib.parse import quote

from msgspec import field

from shike.clock import to_datetime
from shike.errors import BadField, NotFound, ShikeError
from shike.rail.bounds import PASSENGERS_MAX, PRESALE_DAYS
from shike.rail.order import OrderState
from shike.rail.passenger import Document
from shike.rail.tariff import Fare
from shike.rail.web import seat_plan, sent, till
from shike.rail.web.ask import Ask
from shike.rail.web.buying import orders_of
from shike.rail.web.house import House
from shike.rail.web.rendering import page
from shike.rail.web.routes import ROOT, TRAIN, Route, Rule
from shike.rail.web.searching import journeys, opened, pairs, seat_map, train_facts
from shike.rail.web.telling import order_facts
from shike.server.ask import Nothing, Reply
from shike.server.problems import Problem

STATIC: Final = {
    "rail.css": "text/css; charset=utf-8",
    "rail.js": "text/javascript; charset=utf-8",
    "icon.svg": "image/svg+xml",
}
WISHES: Final = ("window", "aisle")


class Spoken(sent.Sent, frozen=True):
    """A page may be asked for in a language."""

    lang: str = ""


class Searched(Spoken, frozen=True):
    origin: str = field(name="from", default="")
    goal: str = field(name="to", default="")
    day: date | None = field(name="date", default=None)
    passengers: int = 1
    change: bool = False


class Section(Spoken, frozen=True):
    origin: str = field(name="from", default="")
    goal: str = field(name="to", default="")
    class_: str = field(name="class", default="")
    passengers: int = 1


class Changing(Spoken, frozen=True):
    day: date | None = field(name="date", default=None)


async def search(ask: Ask[None, Searched]) -> Reply:
    """The first page: from where to where, when; and what there is."""
    house, asked = ask.house, ask.query
    today = house.trade.timetable.local_day(house.clock.wall())
    wanted = sent.Wanted(
        origin=asked.origin,
        goal=asked.goal,
        day=asked.day or today,
        passengers=min(max(1, asked.passengers), PASSENGERS_MAX),
        change=asked.change,
    )
    found, error = None, ""
    if asked.origin and asked.goal:
        try:
            if wanted.day < today:
                raise BadField(f"{wanted.day} is over: search from {today} on", field="date")
            found = await journeys(house, wanted)
        except ShikeError as refusal:
            error = str(refusal)
    last = date.fromordinal(today.toordinal() + PRESALE_DAYS)
    return _page(
        ask, "search.html", status=422 if error else 200,
        wanted=wanted, found=found, error=error, first_day=today, last_day=last, most=PASSENGERS_MAX,
    )  # fmt: skip


async def train(ask: Ask[None, Section]) -> Reply:
    """One train: what is left between all its calls, where one would sit, and a form to hold seats with."""
    house, asked = ask.house, ask.query
    facts = await train_facts(house, ask.departure)
    if not facts.version:
        return _page(ask, "unopened.html", train=facts)
    departure, state, name = await opened(house, ask.departure, asked.class_)
    names = [house.station(departure, position) for position in range(departure.trip.segments + 1)]
    origin, goal = asked.origin or names[0], asked.goal or names[-1]
    leg = house.trade.timetable.section(departure, origin, goal)
    known, seats = await pairs(house, ask.departure, name), await seat_map(house, ask.departure, name)
    chosen = next(pair for pair in known.pairs if (pair.origin, pair.goal) == (leg.board, leg.alight))
    cars = seat_plan.cars(house, departure, seats, leg.board, leg.alight)
    attributes = {word for seat in seats.seats for word in seat.attributes}
    return _page(
        ask,
        "train.html",
        train=facts,
        title=departure.train,
        chosen=chosen,
        class_=name,
        board=leg.board,
        alight=leg.alight,
        origin=names[leg.board],
        goal=names[leg.alight],
        names=names,
        departs=to_datetime(leg.departs_at),
        arrives=to_datetime(leg.arrives_at),
        triangle=seat_plan.triangle(known),
        known=known,
        cars=cars,
        counts=seat_plan.counts(cars),
        wishes=[wish for wish in WISHES if wish in attributes],
        passengers=min(max(1, asked.passengers), PASSENGERS_MAX),
        most=PASSENGERS_MAX,
        documents=list(Document),
        fares=list(Fare),
        has_left=state.version and (chosen.plenty or chosen.left >= asked.passengers),
    )


async def orders(ask: Ask[None, Spoken]) -> Reply:
    """The passenger's own."""
    found = [await order_facts(ask.house, one) for one in await orders_of(ask.house, ask.who.session)]
    return _page(ask, "orders.html", orders=sorted(found, key=lambda one: one.trains[0].departs_at))


async def order(ask: Ask[None, Changing]) -> Reply:
    """One order: its countdown, its seats, and what may be done with it."""
    house = ask.house
    await house.settle()
    known = await house.books.get(ask.path["order"])
    facts, others = await order_facts(house, known), None
    part = facts.trains[0]
    may_change = known.state is OrderState.TICKETED and len(known.parts) == 1 and not known.changing
    if may_change and ask.query.day is not None:
        wanted = sent.Wanted(origin=part.origin, goal=part.goal, day=ask.query.day)
        others = await journeys(house, wanted)
    return _page(
        ask,
        "order.html",
        order=facts,
        may_change=may_change,
        day=ask.query.day or part.departs_at.date(),
        others=others,
    )


async def pay(ask: Ask[None, Spoken]) -> Reply:
    """The page of the gateway that moves no money."""
    house, payment = ask.house, ask.path["payment"]
    known = await house.books.get(await till.known(house, payment))
    return _page(ask, "till.html", order=await order_facts(house, known), payment=payment)


async def static(ask: Ask[None, Nothing]) -> Reply:
    """A file of the pages."""
    name = ask.path["name"]
    if name not in STATIC:
        raise NotFound("there is no such file")
    raw, tag = _file(name)
    headers = {"etag": tag, "cache-control": "no-cache"}
    if ask.headers.get("if-none-match") == tag:
        return Reply(status=304, raw=b"", headers=headers)
    return Reply(raw=raw, media_type=STATIC[name], headers=headers)


@cache
def _file(name: str) -> tuple[bytes, str]:
    raw = (files(__package__) / "static" / name).read_bytes()
    return raw, f'"{zlib.crc32(raw):08x}"'


def error_page(house: House, headers: Mapping[str, str], problem: Problem) -> Reply:
    """A problem, for people."""
    return page(house, headers, "problem.html", status=problem.status, problem=problem)


def train_path(key: str) -> str:
    """The page of a departure."""
    return f"{ROOT}/trains/{quote(key)}"


def _page(ask: Ask[Any, Any], template: str, *, status: int = 200, **facts: Any) -> Reply:
    return page(
        ask.house, ask.headers, template, lang=ask.query.lang, status=status, path_of=train_path, root=ROOT, **facts
    )


def _shown(path: str, rule: Rule, handler: Any, words: str, query: Any = Spoken) -> Route:
    return Route(verb="GET", path=path, rule=rule, handler=handler, words=words, query=query, is_page=True)


ROUTES = (
    _shown(ROOT, Rule.OPEN, search, "Search, for people.", Searched),
    _shown(f"{ROOT}/{TRAIN}", Rule.OPEN, train, "A train, for people.", Section),
    _shown(f"{ROOT}/orders", Rule.OPEN, orders, "A passenger's orders, for people."),
    _shown(f"{ROOT}/orders/{{order}}", Rule.OWN, order, "An order, for people.", Changing),
    _shown(f"{ROOT}/pay/{{payment}}", Rule.OWN, pay, "The till of the gateway that moves no money."),
    Route(verb="GET", path=f"{ROOT}/static/{{name}}", rule=Rule.FILE, handler=static, words="A file of the pages."),
)
