"""An order, from seats that are held to tickets that were given back or changed: what may follow on what, and what has
to be done for it. All pure: each step gives the next order and the *acts* it asks for.

What must never happen: tickets without money, money without tickets that does not go back, seats that stay held for an
order that is over. The ledger has the last word on seats (whoever comes first, payment or expiry, wins there), so an
order whose money came is *confirming* until the ledger has answered for each of its trains. Acts may be done again, and
in part: each is known by a key that comes from the order alone.
"""

from __future__ import annotations

from datetime import date
from enum import StrEnum
from typing import Final, NamedTuple

from msgspec import Struct
from msgspec.structs import replace

from shike.errors import BadOrder, TradeRefused
from shike.rail.bounds import PAYMENTS_MAX
from shike.rail.payment import Payment, PaymentState, close, give_back, orphan
from shike.rail.tariff import Fare


class OrderState(StrEnum):
    """Where an order is. The last three hold nothing, nor does the first."""

    WAITING = "waiting"  # for seats that come free, until `expires_at`
    HELD = "held"  # unpaid seats, until `expires_at`
    CONFIRMING = "confirming"  # money has come; the ledger is being asked
    TICKETED = "ticketed"  # paid for; its tickets are good
    EXPIRED = "expired"  # nobody paid in time
    CANCELLED = "cancelled"  # by the passenger, before paying
    CLOSED = "closed"  # all its tickets were given back or changed


ALLOWED: Final[dict[OrderState, frozenset[OrderState]]] = {
    OrderState.WAITING: frozenset({OrderState.HELD, OrderState.EXPIRED, OrderState.CANCELLED}),
    OrderState.HELD: frozenset({OrderState.CONFIRMING, OrderState.EXPIRED, OrderState.CANCELLED}),
    OrderState.CONFIRMING: frozenset({OrderState.TICKETED, OrderState.EXPIRED}),
    OrderState.TICKETED: frozenset({OrderState.CLOSED}),
    OrderState.EXPIRED: frozenset(),
    OrderState.CANCELLED: frozenset(),
    OrderState.CLOSED: frozenset(),
}


class TicketState(StrEnum):
    """Where one ticket is."""

    RESERVED = "reserved"  # with its order, until that is paid for
    ISSUED = "issued"
    VOID = "void"  # never paid for
    REFUNDED = "refunded"
    CHANGED = "changed"  # another order has the journey now


class Ticket(Struct, frozen=True):
    """One person on one train."""

    person: str  # a reference, never a name or a number
    price_cents: int
    fare: Fare = Fare.ADULT
    state: TicketState = TicketState.RESERVED


class Part(Struct, frozen=True):
    """What an order has of one departure. `number` is that of the ledger's order, 0 while it is being asked for; its
    takes are the tickets, in their order."""

    departure: str
    number: int
    class_: str
    board: int
    alight: int
    departs_at: int
    arrives_at: int
    day: date  # of the wall clock at the boarding station
    tickets: tuple[Ticket, ...]
    is_confirmed: bool = False
    wait: int = 0  # its place on the ledger's waiting list, where it had to wait; 0 while that is being asked for


class Order(Struct, frozen=True):
    """One purchase, of up to five people on one train, or on two of one journey."""

    id: str
    parts: tuple[Part, ...]
    currency: str
    ladder: str  # the rules of refund and change of the day it was sold
    expires_at: int
    state: OrderState = OrderState.HELD
    channel: str = ""
    wishes: tuple[str, ...] = ()  # attributes of seats
    due_cents: int = 0  # to be paid; of a change less than its tickets cost
    back_cents: int = 0  # of the order that it replaces, to go back once it has taken its place
    payments: tuple[Payment, ...] = ()
    paid_with: str = ""  # the payment that is the order's
    changes: int = 0
    replaces: str = ""  # the order whose tickets it takes the place of
    changing: str = ""  # the order that is to take its place: meanwhile nothing is given back
    moved_at: int = 0
    moved_from: int = 0
    version: int = 0  # grows with each time it is kept
    to_do: tuple[int, ...] = ()  # the versions whose acts may not all be done yet
    has_waited: bool = False  # it got its seats, if any, from the waiting list


class ActKind(StrEnum):
    """What a step asks for."""

    CONFIRM = "confirm"  # the ledger: the seats of `part` are paid for
    RELEASE = "release"  # the ledger: the held seats of `part` are free again
    LEAVE = "leave"  # the ledger: nobody waits for seats of `part` any more, and any that were got meanwhile are free
    EXPIRE = "expire"  # the ledger: the held seats of `part` are over their time
    REFUND_SEATS = "refund_seats"  # the ledger: the tickets `indices` of `part` are free again
    REFUND_MONEY = "refund_money"  # the gateway: the refund `key` of `payment`
    CLOSE_PAYMENT = "close_payment"  # the gateway: take no money for `payment`
    FREE_PEOPLE = "free_people"  # nobody of `people` travels on `part` any more
    CLOSE_OLD = "close_old"  # the order that this one replaces gives up its seats, and its money is this one's
    KEEP_OLD = "keep_old"  # the order that this one was to replace stays as it is


class Act(NamedTuple):
    """Something to be done outside, once or again."""

    kind: ActKind
    part: int = 0
    indices: tuple[int, ...] = ()
    payment: str = ""
    key: str = ""
    cents: int = 0


class Step(NamedTuple):
    """The next order, and what is to be done for it."""

    order: Order
    acts: tuple[Act, ...] = ()


def ask_payment(order: Order, payment: Payment) -> Order:
    """A payment of the whole sum, asked for beside others that may be open. Raises `BadOrder`, `TradeRefused`."""
    if order.state is not OrderState.HELD:
        raise TradeRefused(f"order {order.id} is {order.state}: there is nothing to pay", reason=str(order.state))
    if len(order.payments) >= PAYMENTS_MAX:
        raise TradeRefused(
            f"order {order.id} was tried to be paid {PAYMENTS_MAX} times: make another", reason="payments"
        )
    if (payment.amount_cents, payment.currency) != (order.due_cents, order.currency):
        raise BadOrder(f"order {order.id} costs {order.due_cents} cents of {order.currency}")
    return replace(order, payments=(*order.payments, payment))


def money_came(order: Order, payment: Payment) -> Step:
    """The money of a payment has come, just now. The first that comes while the order is held is the order's; what
    comes later, or twice, goes back in the same step."""
    if order.state is OrderState.HELD and not order.paid_with:
        paid = _moved(replace(with_payment(order, payment), paid_with=payment.id), OrderState.CONFIRMING)
        return Step(paid, _confirmations(paid))
    return payment_told(order, orphan(payment))


def payment_told(order: Order, payment: Payment) -> Step:
    """A gateway has told something else of a payment."""
    known = with_payment(order, payment)
    return Step(known, _money_back(known, payment.id))


def nothing_to_pay(order: Order) -> Step:
    """An order that costs nothing (a change into a cheaper train) needs no payment."""
    if order.state is not OrderState.HELD or order.due_cents:
        raise TradeRefused(f"order {order.id} is {order.state} and costs {order.due_cents} cents", reason="unpaid")
    confirming = _moved(order, OrderState.CONFIRMING)
    return Step(confirming, _confirmations(confirming))


def part_confirmed(order: Order, part: int) -> Step:
    """The ledger has the seats of a part for good. With the last part the tickets are issued."""
    if order.state is not OrderState.CONFIRMING or order.parts[part].is_confirmed:
        return Step(order)
    parts = list(order.parts)
    parts[part] = replace(parts[part], is_confirmed=True)
    known = replace(order, parts=tuple(parts))
    if not all(one.is_confirmed for one in known.parts):
        return Step(known)
    issued = _moved(_marked(known, TicketState.ISSUED), OrderState.TICKETED)
    return _closing(issued, (Act(ActKind.CLOSE_OLD),) if order.replaces else ())


def part_refused(order: Order, part: int) -> Step:
    """The ledger says no: the hold of a part was over when the money came. Whatever it has for this order is given
    back — that of the late part too, which may not have expired yet — and so is all the money."""
    if order.state is not OrderState.CONFIRMING or order.parts[part].is_confirmed:
        return Step(order)
    acts = [_given_back(one, at) for at, one in enumerate(order.parts)]
    over = _moved(_marked(order, TicketState.VOID), OrderState.EXPIRED)
    paid = next((one for one in over.payments if one.id == over.paid_with), None)
    if paid is not None:
        over = replace(with_payment(over, orphan(paid)), paid_with="")
    back = _money_back(over, paid.id) if paid is not None else ()
    return _closing(over, (*acts, *_people(over), *back, *_old_kept(over)))


def served(order: Order, number: int, expires_at: int) -> Order:
    """The waiting list has given the order its seats (the ledger's order `number`): held from now on. May be repeated;
    for an order that is over by now nothing follows, as whoever ended it has the seats freed."""
    if order.state is not OrderState.WAITING:
        return order
    part = replace(order.parts[0], number=number)
    return _moved(replace(order, parts=(part,), expires_at=expires_at), OrderState.HELD)


def time_over(order: Order, at: int) -> Step:
    """The timer has rung. Before `expires_at`, and once money has come, nothing follows from it."""
    if order.state not in (OrderState.HELD, OrderState.WAITING) or at < order.expires_at:
        return Step(order)
    return _given_up(order, OrderState.EXPIRED, ActKind.EXPIRE)


def cancel(order: Order, *, asked: bool = True) -> Step:
    """The passenger wants it no more, or cannot have it; `asked`: a ledger may have been. Raises `TradeRefused` once it
    is paid for."""
    if order.state in (OrderState.CONFIRMING, OrderState.TICKETED):
        raise TradeRefused(f"order {order.id} is paid for: give its tickets back", reason=str(order.state))
    if order.state not in (OrderState.HELD, OrderState.WAITING):
        return Step(order)
    step = _given_up(order, OrderState.CANCELLED, ActKind.RELEASE)
    ledger = (ActKind.RELEASE, ActKind.LEAVE)
    return step if asked else Step(step.order, tuple(act for act in step.acts if act.kind not in ledger))


def give_tickets_back(order: Order, part: int, indices: tuple[int, ...], back_cents: int) -> Step:
    """Tickets of a part are given back, and so much of their price. Raises `TradeRefused` for one that is not good (any
    more)."""
    if order.changing:
        raise TradeRefused(f"order {order.id} is being changed: pay for the change, or call it off", reason="changing")
    known = end_tickets(order, part, indices, TicketState.REFUNDED)
    back = pay_back(known, f"{order.id}/{part}/{'+'.join(map(str, indices))}", back_cents)
    return Step(
        back.order, (Act(ActKind.REFUND_SEATS, part, indices), Act(ActKind.FREE_PEOPLE, part, indices), *back.acts)
    )


def pay_back(order: Order, key: str, cents: int) -> Step:
    """So much of what the order's payers gave goes back, once for each key. Raises `BadOrder` for more than is kept."""
    if any(refund.key == key for payment in order.payments for refund in payment.refunds):
        return Step(order)
    known, acts = order, []
    for payment, part in _shared_out(order, cents):
        known = with_payment(known, give_back(payment, key, part))
        acts.append(Act(ActKind.REFUND_MONEY, payment=payment.id, key=key, cents=part))
    return Step(known, tuple(acts))


def kept_cents(order: Order) -> int:
    """What the railway has of this order's payers."""
    return sum(payment.kept_cents for payment in order.payments)


def undone(order: Order) -> tuple[Act, ...]:
    """What may still have to be done after a process died in the middle: all that the order stands for. What was done
    before is known by its key, and changes nothing."""
    acts: list[Act] = []
    match order.state:
        case OrderState.CONFIRMING:
            acts += _confirmations(order)
        case OrderState.EXPIRED | OrderState.CANCELLED:
            leaves = order.has_waited and not order.parts[0].number
            acts += [Act(ActKind.LEAVE)] if leaves else [_given_back(part, at) for at, part in enumerate(order.parts)]
            acts += (*_people(order), *_old_kept(order))
        case OrderState.TICKETED if order.replaces:
            acts.append(Act(ActKind.CLOSE_OLD))
    for at, part in enumerate(order.parts):
        over = (TicketState.REFUNDED, TicketState.CHANGED)
        gone = tuple(index for index, ticket in enumerate(part.tickets) if ticket.state in over)
        if gone:
            acts += [Act(ActKind.REFUND_SEATS, at, gone), Act(ActKind.FREE_PEOPLE, at, gone)]
    for payment in order.payments:
        acts += _money_back(order, payment.id)
        if payment.state is PaymentState.CLOSED:
            acts.append(Act(ActKind.CLOSE_PAYMENT, payment=payment.id))
    return tuple(acts)


def _given_back(part: Part, at: int) -> Act:
    if part.is_confirmed:
        return Act(ActKind.REFUND_SEATS, at, tuple(range(len(part.tickets))))
    return Act(ActKind.RELEASE, at)


def _confirmations(order: Order) -> tuple[Act, ...]:
    return tuple(
        Act(ActKind.CONFIRM, at, payment=order.paid_with)
        for at, part in enumerate(order.parts)
        if not part.is_confirmed
    )


def _given_up(order: Order, state: OrderState, how: ActKind) -> Step:
    over = _moved(_marked(order, TicketState.VOID), state)
    how = ActKind.LEAVE if order.state is OrderState.WAITING else how
    return _closing(over, (*(Act(how, at) for at in range(len(order.parts))), *_people(over), *_old_kept(over)))


def _closing(order: Order, acts: tuple[Act, ...]) -> Step:
    """Payments that are still open are called off."""
    payments = tuple(close(payment) for payment in order.payments)
    closed = [
        Act(ActKind.CLOSE_PAYMENT, payment=new.id)
        for old, new in zip(order.payments, payments, strict=True)
        if old.state is not new.state
    ]
    return Step(replace(order, payments=payments), (*acts, *closed))


def _people(order: Order) -> tuple[Act, ...]:
    return tuple(Act(ActKind.FREE_PEOPLE, at, tuple(range(len(part.tickets)))) for at, part in enumerate(order.parts))


def _old_kept(order: Order) -> tuple[Act, ...]:
    return (Act(ActKind.KEEP_OLD),) if order.replaces else ()


def _money_back(order: Order, payment: str) -> tuple[Act, ...]:
    """The refunds of a payment that its gateway has not told of yet."""
    found = next((one for one in order.payments if one.id == payment), None)
    waiting = () if found is None else tuple(refund for refund in found.refunds if not refund.is_done)
    return tuple(
        Act(ActKind.REFUND_MONEY, payment=payment, key=refund.key, cents=refund.amount_cents) for refund in waiting
    )


def _shared_out(order: Order, cents: int) -> list[tuple[Payment, int]]:
    """Which payments so much goes back of: what they keep, the order's own first."""
    if not 0 <= cents <= kept_cents(order):
        raise BadOrder(f"{cents} cents cannot go back of order {order.id}: {kept_cents(order)} are kept")
    shares = []
    for payment in sorted(order.payments, key=lambda one: one.id != order.paid_with):
        part = min(cents, payment.kept_cents)
        if part:
            shares.append((payment, part))
            cents -= part
    return shares


def end_tickets(order: Order, part: int, indices: tuple[int, ...], state: TicketState) -> Order:
    """Good tickets of a part come to their end; with the last of all, the order is over."""
    if order.state is not OrderState.TICKETED:
        raise TradeRefused(
            f"order {order.id} is {order.state}: it has no tickets to give back", reason=str(order.state)
        )
    if not 0 <= part < len(order.parts):
        raise BadOrder(f"order {order.id} has {len(order.parts)} trains, counted from 0")
    tickets = list(order.parts[part].tickets)
    if not indices or len(set(indices)) < len(indices) or not all(0 <= index < len(tickets) for index in indices):
        raise BadOrder(
            f"order {order.id} has tickets 0 to {len(tickets) - 1} on this train; name some of them, once each"
        )
    for index in indices:
        if tickets[index].state is not TicketState.ISSUED:
            words = f"ticket {index} of order {order.id} is {tickets[index].state}"
            raise TradeRefused(words, reason=str(tickets[index].state))
        tickets[index] = replace(tickets[index], state=state)
    parts = list(order.parts)
    parts[part] = replace(parts[part], tickets=tuple(tickets))
    known = replace(order, parts=tuple(parts))
    is_over = not any(ticket.state is TicketState.ISSUED for one in parts for ticket in one.tickets)
    return _moved(known, OrderState.CLOSED) if is_over else known


def _marked(order: Order, state: TicketState) -> Order:
    parts = (
        replace(part, tickets=tuple(replace(ticket, state=state) for ticket in part.tickets)) for part in order.parts
    )
    return replace(order, parts=tuple(parts))


def with_payment(order: Order, payment: Payment) -> Order:
    """The order with a payment as it is now."""
    return replace(order, payments=tuple(payment if one.id == payment.id else one for one in order.payments))


def _moved(order: Order, state: OrderState) -> Order:
    assert state in ALLOWED[order.state], f"{order.state} → {state}"
    return replace(order, state=state)
