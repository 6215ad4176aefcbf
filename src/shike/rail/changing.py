"""Changing tickets into those of another train (改签): the new seats first, then the money, the old seats last (R1.15).

So at no time does anybody have neither. While the new order waits for its money the old one is marked, and keeps all it
has; when the new one is over unpaid, the mark goes. Once the new tickets are issued the new order takes over the
payments of the old one, and what the change gives back goes back from them. Each half may be done again.
"""

from __future__ import annotations

from msgspec.structs import replace

from shike.errors import TradeRefused
from shike.rail.ladder import Paid
from shike.rail.order import Act, ActKind, Order, OrderState, Part, Step, TicketState, end_tickets, pay_back


def mark(old: Order, successor: str) -> Order:
    """The old order is to be replaced. Raises `TradeRefused` for one without good tickets, and for one that is being
    changed already."""
    if old.changing == successor:
        return old
    if old.state is not OrderState.TICKETED:
        raise TradeRefused(f"order {old.id} is {old.state}: it has no tickets to change", reason=str(old.state))
    if old.changing:
        raise TradeRefused(f"order {old.id} is being changed: pay for the change, or call it off", reason="changing")
    if len(old.parts) > 1:
        raise TradeRefused("give the tickets of a journey with two trains back, and buy others", reason="two_trains")
    return replace(old, changing=successor)


def unmark(old: Order, successor: str) -> Order:
    """The change came to nothing."""
    return replace(old, changing="") if old.changing == successor and old.state is OrderState.TICKETED else old


def take_over(new: Order, old: Order) -> Step:
    """The new order has the payments of the old one, and gives back what the change leaves over."""
    known = {payment.id for payment in new.payments}
    moved = tuple(replace(payment, order=new.id) for payment in old.payments if payment.id not in known)
    if moved:
        new = replace(new, payments=(*new.payments, *moved), paid_with=new.paid_with or old.paid_with)
    return pay_back(new, f"{new.id}/changed", new.back_cents)


def give_up(old: Order) -> Step:
    """The old order has no tickets and no money any more."""
    if old.state is not OrderState.TICKETED:
        return Step(old)
    acts: list[Act] = []
    known = old
    for at, part in enumerate(old.parts):
        good = good_tickets(part)
        if good:
            known = end_tickets(known, at, good, TicketState.CHANGED)
            acts += [Act(ActKind.REFUND_SEATS, at, good), Act(ActKind.FREE_PEOPLE, at, good)]
    return Step(replace(known, payments=(), changing=""), tuple(acts))


def good_tickets(part: Part) -> tuple[int, ...]:
    """The indices of the tickets that are good."""
    return tuple(index for index, ticket in enumerate(part.tickets) if ticket.state is TicketState.ISSUED)


def paid_of(order: Order, part: Part, price_cents: int) -> Paid:
    """What the ladder has to know of tickets of an order."""
    return Paid(price_cents, part.departs_at, part.day, order.changes, order.moved_at, order.moved_from)
