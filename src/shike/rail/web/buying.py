"""What passengers do: hold seats, wait for some, pay, give back, change. Each has a session and sees its own orders."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from shike.clock import to_micros
from shike.errors import BadOrder, NotFound, TradeRefused
from shike.rail.asking import ask as ask_ledger
from shike.rail.journey import Wish
from shike.rail.order import Order
from shike.rail.passenger import Passenger, passenger
from shike.rail.web import sent, shapes
from shike.rail.web.ask import Ask
from shike.rail.web.bounds import ORDERS_SHOWN, SESSION_SECONDS
from shike.rail.web.house import House
from shike.rail.web.problems import Refused
from shike.rail.web.routes import API, Logged, Route, Rule
from shike.rail.web.searching import instead
from shike.rail.web.telling import good, order_facts
from shike.server.ask import Nothing, Reply

COOKIE = "shike_passenger"
EXAMPLE: dict[str, Any] = {
    "trains": [{"train": "ICE 948/2019-05-03/1", "class": "second", "from": "Berlin Hbf", "to": "Köln Hbf"}],
    "passengers": [{"name": "Ada Lovelace", "document": "passport", "number": "X1234567"}],
    "seats": ["window"],
}


async def begin(ask: Ask[None, Nothing]) -> Reply:
    """A session for a passenger; the same again for one who has one."""
    if ask.who.session:
        return Reply(value=shapes.Ok())
    session = ask.house.sessions.make()
    return Reply(
        value=shapes.SessionFacts(token=session.token), status=201, headers={"set-cookie": _cookie(session.token)}
    )


def _cookie(token: str) -> str:
    return f"{COOKIE}={token}; Path=/rail; HttpOnly; SameSite=Strict; Max-Age={SESSION_SECONDS}"


async def hold(ask: Ask[sent.NewOrder, Nothing]) -> Reply:
    """Seats for 15 minutes, all of them or none."""
    house, wanted = ask.house, ask.body
    name = house.sessions.order_name(ask.who.session, ask.idempotency_key)
    wishes = [_wish(ride) for ride in wanted.trains]
    people = _people(house, wanted.passengers, wishes)
    was_there = await _is_known(house, name)
    try:
        held = await house.desk.hold(name, wishes, people, seats=wanted.seats)
    except TradeRefused as error:
        raise await _refused(house, error, wishes, len(people)) from None
    return Reply(value=await order_facts(house, held), status=200 if was_there else 201)


async def wait(ask: Ask[sent.NewWait, Nothing]) -> Reply:
    """A place on the waiting list; what comes free is held for 15 minutes."""
    house, wanted = ask.house, ask.body
    name = house.sessions.order_name(ask.who.session, ask.idempotency_key)
    wish = _wish(wanted.train)
    people = _people(house, wanted.passengers, [wish])
    was_there = await _is_known(house, name)
    await house.desk.wait(name, wish, people, until=to_micros(wanted.until))
    await house.settle()
    return Reply(value=await order_facts(house, await house.books.get(name)), status=200 if was_there else 201)


async def listing(ask: Ask[None, Nothing]) -> shapes.OrderList:
    """The session's own, the newest last."""
    found = await orders_of(ask.house, ask.who.session)
    return shapes.OrderList(orders=[await order_facts(ask.house, one) for one in found])


async def orders_of(house: House, session: str) -> list[Order]:
    """All orders whose names begin with the session."""
    if not session:
        return []
    found = await house.books.orders(f"{session}-", ORDERS_SHOWN)
    return [one for one in found if one.id.startswith(f"{session}-")]


async def show(ask: Ask[Any, Nothing]) -> shapes.OrderFacts:
    """One order."""
    await ask.house.settle()
    return await order_facts(ask.house, await ask.house.books.get(ask.path["order"]))


async def pay(ask: Ask[None, Nothing]) -> shapes.PayAt:
    """Where to pay for it."""
    page = await ask.house.desk.pay(ask.path["order"])
    order = await ask.house.books.get(ask.path["order"])
    return shapes.PayAt(page=page, costs_cents=order.due_cents, currency=order.currency)


async def cancel(ask: Ask[None, Nothing]) -> shapes.OrderFacts:
    """Give up what is not paid for."""
    await ask.house.desk.cancel(ask.path["order"])
    return await show(ask)


async def refund_quote(ask: Ask[sent.Tickets, Nothing]) -> shapes.RefundQuote:
    """What giving tickets back would cost now."""
    order, part, indices = await _tickets(ask)
    kept = await ask.house.desk.refund_quote(order.id, part, indices)
    price = sum(order.parts[part].tickets[index].price_cents for index in indices)
    return shapes.RefundQuote(order=order.id, kept_cents=kept, back_cents=price - kept, currency=order.currency)


async def refund(ask: Ask[sent.Tickets, Nothing]) -> shapes.OrderFacts:
    """Give tickets back."""
    order, part, indices = await _tickets(ask)
    await ask.house.desk.refund(order.id, part, indices)
    return await show(ask)


async def change_quote(ask: Ask[sent.Change, Nothing]) -> shapes.ChangeFacts:
    """What changing all tickets into that ride would cost now."""
    order = await ask.house.books.get(ask.path["order"])
    quotes = await ask.house.desk.change_quote(order.id, _wish(ask.body.train))
    return shapes.ChangeFacts(
        order=order.id,
        fee_cents=sum(quote.fee_cents + quote.difference_fee_cents for quote in quotes),
        to_pay_cents=sum(quote.to_pay_cents for quote in quotes),
        to_get_cents=sum(quote.to_get_cents for quote in quotes),
        currency=order.currency,
    )


async def change(ask: Ask[sent.Change, Nothing]) -> Reply:
    """A new order in place of one; the old tickets are good until it is paid for."""
    house, wish = ask.house, _wish(ask.body.train)
    old = await house.books.get(ask.path["order"])
    name = house.sessions.order_name(ask.who.session, ask.idempotency_key)
    was_there = await _is_known(house, name)
    try:
        new = await house.desk.change(old.id, name, wish, seats=ask.body.seats)
    except TradeRefused as error:
        raise await _refused(house, error, [wish], len(old.parts[0].tickets)) from None
    await house.settle()
    return Reply(value=await order_facts(house, await house.books.get(new.id)), status=200 if was_there else 201)


async def _tickets(ask: Ask[sent.Tickets, Nothing]) -> tuple[Order, int, list[int]]:
    order = await ask.house.books.get(ask.path["order"])
    part = ask.body.train
    if not 0 <= part < len(order.parts):
        raise BadOrder(f"this order has {len(order.parts)} trains, counted from 0")
    return order, part, list(ask.body.tickets) or good(order.parts[part])


def _wish(ride: sent.Ride) -> Wish:
    return Wish(ride.train, ride.class_, ride.origin, ride.goal)


def _people(house: House, travellers: Sequence[sent.Traveller], wishes: Sequence[Wish]) -> list[Passenger]:
    """Those who can be; ages are of the day of the first train. Raises `BadPassenger`, `UnknownTrain`, `BadOrder`."""
    if not wishes:
        raise BadOrder("an order is for one train or two: name them")
    day = house.departure(wishes[0].departure).day
    return [passenger(one.name, one.document, one.number, one.fare, day=day) for one in travellers]


async def _is_known(house: House, order: str) -> bool:
    try:
        await house.books.get(order)
    except NotFound:
        return False
    return True


async def _refused(house: House, error: TradeRefused, wishes: Sequence[Wish], count: int) -> TradeRefused:
    """The refusal, counted, with what could be had instead of the ride that it is about."""
    now = house.clock.wall()
    for wish in wishes:
        asked = await ask_ledger(house.trade, house.seats, wish, count, at=now)
        if asked.error is not None and asked.refusal is not None:
            house.refusals.note(wish.departure, error.reason, wish.origin, wish.goal)
            return Refused(error, left=asked.left, rule=asked.refusal.rule, instead=instead(asked.instead))
    house.refusals.note(wishes[0].departure, error.reason, wishes[0].origin, wishes[0].goal)
    return error


ROUTES = (
    Route(
        verb="POST", path=f"{API}/session", rule=Rule.OPEN, handler=begin, answer=shapes.SessionFacts, status=201,
        words="Begin a passenger's session: whose orders are whose.", logged=Logged.KEPT,
    ),
    Route(
        verb="GET", path=f"{API}/orders", rule=Rule.SESSION, handler=listing, answer=shapes.OrderList,
        words="The session's own orders.",
    ),
    Route(
        verb="POST", path=f"{API}/orders", rule=Rule.SESSION, handler=hold, body=sent.NewOrder,
        answer=shapes.OrderFacts, status=201, logged=Logged.KEPT, example=EXAMPLE,
        words="Hold seats for 15 minutes on one train or two; all of them, or none.",
    ),
    Route(
        verb="POST", path=f"{API}/waits", rule=Rule.SESSION, handler=wait, body=sent.NewWait,
        answer=shapes.OrderFacts, status=201, logged=Logged.KEPT,
        words="Wait for seats of a train that has none left; those that come free are held for 15 minutes.",
        example={"train": EXAMPLE["trains"][0], "passengers": EXAMPLE["passengers"], "until": "2019-05-02T10:00:00Z"},
    ),
    Route(
        verb="GET", path=f"{API}/orders/{{order}}", rule=Rule.OWN, handler=show, answer=shapes.OrderFacts,
        words="An order: waiting, held, ticketed; its seats, its money.",
    ),
    Route(
        verb="POST", path=f"{API}/orders/{{order}}/pay", rule=Rule.OWN, handler=pay, answer=shapes.PayAt,
        words="Ask for a payment; where to pay it.", logged=Logged.KEPT,
    ),
    Route(
        verb="POST", path=f"{API}/orders/{{order}}/cancel", rule=Rule.OWN, handler=cancel, answer=shapes.OrderFacts,
        words="Give up an order that is not paid for.", logged=Logged.KEPT,
    ),
    Route(
        verb="POST", path=f"{API}/orders/{{order}}/refund-quote", rule=Rule.OWN, handler=refund_quote,
        body=sent.Tickets, answer=shapes.RefundQuote, logged=Logged.KEPT,
        words="What would be kept back of tickets that were given back now.",
    ),
    Route(
        verb="POST", path=f"{API}/orders/{{order}}/refund", rule=Rule.OWN, handler=refund, body=sent.Tickets,
        answer=shapes.OrderFacts, words="Give tickets back, less what the ladder keeps.", logged=Logged.KEPT,
    ),
    Route(
        verb="POST", path=f"{API}/orders/{{order}}/change-quote", rule=Rule.OWN, handler=change_quote,
        body=sent.Change, answer=shapes.ChangeFacts, logged=Logged.KEPT,
        words="What changing all tickets into another ride would cost now.",
    ),
    Route(
        verb="POST", path=f"{API}/orders/{{order}}/change", rule=Rule.OWN, handler=change, body=sent.Change,
        answer=shapes.OrderFacts, status=201, logged=Logged.KEPT,
        words="Change all tickets into another ride: a new order, to be paid for where it is dearer.",
    ),
)  # fmt: skip
