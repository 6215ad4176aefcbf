"""An order as its passenger sees it."""

from __future__ import annotations

from shike.clock import to_datetime
from shike.errors import TradeRefused
from shike.rail.order import Order, OrderState, Part
from shike.rail.seats import units_of
from shike.rail.web import shapes
from shike.rail.web.house import House

SEATED = (OrderState.HELD, OrderState.CONFIRMING, OrderState.TICKETED)
OPEN = (OrderState.WAITING, OrderState.HELD)


async def order_facts(house: House, order: Order) -> shapes.OrderFacts:
    """All of it but who travels: that is not kept."""
    received = sum(payment.received_cents for payment in order.payments)
    kept = sum(payment.kept_cents for payment in order.payments)
    return shapes.OrderFacts(
        order=order.id,
        state=str(order.state),
        trains=[await _part(house, order, part) for part in order.parts],
        costs_cents=order.due_cents,
        currency=order.currency,
        until=to_datetime(order.expires_at) if order.state in OPEN else None,
        in_front=await _in_front(house, order) if order.state is OrderState.WAITING else None,
        paid_cents=received,
        back_cents=received - kept,
        changing=order.changing,
        replaces=order.replaces,
    )


async def _part(house: House, order: Order, part: Part) -> shapes.PartFacts:
    departure = house.departure(part.departure)
    has_seats = order.state in SEATED and part.number
    names = units_of(await house.seats.state(part.departure), part.number) if has_seats else ()
    tickets = [
        shapes.TicketFacts(number=at, fare=str(one.fare), price_cents=one.price_cents, state=str(one.state))
        for at, one in enumerate(part.tickets)
    ]
    return shapes.PartFacts(
        train=part.departure,
        class_=part.class_,
        origin=house.station(departure, part.board),
        goal=house.station(departure, part.alight),
        departs_at=to_datetime(part.departs_at),
        arrives_at=to_datetime(part.arrives_at),
        seats=list(names),
        tickets=tickets,
    )


async def _in_front(house: House, order: Order) -> int:
    """How many wait before it whose section shares a segment with its own."""
    part = order.parts[0]
    state = await house.seats.state(part.departure)
    return sum(
        wait.number < part.wait and start < part.alight and part.board < end
        for (pool, start, end), queue in state.queues.items()
        if pool == part.class_
        for wait in queue.values()
    )


def good(part: Part) -> list[int]:
    """The numbers of tickets that can be given back. Raises `TradeRefused` where there is none."""
    found = [at for at, ticket in enumerate(part.tickets) if ticket.state == "issued"]
    if not found:
        raise TradeRefused("no ticket of this train is good: there is nothing to give back", reason="ended")
    return found
