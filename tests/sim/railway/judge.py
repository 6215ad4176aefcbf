"""What must be true of a railway once its faults are over, a sentence for each that is not."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from typing import TYPE_CHECKING

from shike.clock import MICROS
from shike.rail.accounts import differences
from shike.rail.order import Order, OrderState, TicketState
from shike.reserve import events
from shike.reserve.journal.reading import events_of, replay, verify
from shike.reserve.state import State
from tests.sim.railway.bounds import BOUND_SECONDS, EPOCH, ON_SALE_SECONDS, SKEW_SECONDS
from tests.unit.rail.shop import DAY

if TYPE_CHECKING:
    from tests.sim.railway.world import Railway

ENDS = (events.Confirmed, events.Released, events.Expired)


async def judged(world: Railway) -> list[str]:
    """Everything that is wrong with it."""
    found: list[str] = []
    ledgers = [departure.key for departure in world.trade.timetable.departures(DAY)]
    states: dict[str, State] = {}
    for ledger in ledgers:
        verdict = await verify(world.journal, ledger)
        found += [f"P9 {ledger}: {words}" for words in verdict.problems]
        if not verdict.version:
            found.append(f"P1 {ledger} was never put on sale")
        elif verdict.clean:
            states[ledger] = await replay(world.journal, ledger)
            found += [words async for words in _holds(world, ledger)]
    if len(states) < len(ledgers):
        return found
    found += [f"whole {words}" for words in await differences(_each(world), states)]
    found += _whole(world, states)
    found += _orders(world)
    found += _money(world)
    return found


async def _each(world: Railway) -> AsyncIterator[Order]:
    for order in world.orders.all():
        yield order


async def _holds(world: Railway, ledger: str) -> AsyncIterator[str]:
    """No hold outlives its time by more than the bound, counted from the end of the faults; none ends before it."""
    open_: dict[int, float] = {}
    async for version, event in events_of(world.journal, ledger):
        at = world.journal.written[ledger, version]
        if isinstance(event, events.Held | events.Served):
            open_[event.order] = (event.expires_at - EPOCH) / MICROS
            if at < ON_SALE_SECONDS - SKEW_SECONDS:
                yield f"sale {ledger}: {event.command} has seats {ON_SALE_SECONDS - at:.1f} s before the sale"
        elif isinstance(event, ENDS) and event.order in open_:
            expires = open_.pop(event.order)
            late = at - max(expires, world.chaos_seconds)
            if late > BOUND_SECONDS:
                yield f"hold {ledger}: order {event.order} was held {late:.0f} s too long"
            if isinstance(event, events.Expired) and at < expires - SKEW_SECONDS:
                yield f"hold {ledger}: order {event.order} ended {expires - at:.0f} s too early"
        elif isinstance(event, ENDS):
            yield f"hold {ledger}: order {event.order} ended twice: {event.command}"
    for order, expires in open_.items():
        if world.loop.time() > max(expires, world.chaos_seconds) + BOUND_SECONDS:
            yield f"hold {ledger}: order {order} is held for ever"


def _whole(world: Railway, states: dict[str, State]) -> Iterator[str]:
    """An order has all that it stands for, or nothing of it; no seat is taken for one that is over."""
    live = {(ledger, one.number): one.count for ledger, state in states.items() for one in state.live_orders()}
    for order in world.orders.all():
        if order.state is OrderState.WAITING:  # its ledger may just have served it, and nobody has looked yet
            wait = states[order.parts[0].departure].waits.get(order.parts[0].wait)
            if wait is not None and wait.order and _is_young(world, states[order.parts[0].departure], wait.order):
                live.pop((order.parts[0].departure, wait.order), None)
            continue
        for part in order.parts:
            good = sum(ticket.state in (TicketState.RESERVED, TicketState.ISSUED) for ticket in part.tickets)
            has = live.pop((part.departure, part.number), 0)
            if has != good and not _is_under_way(world, order):
                yield f"whole {order.id} is {order.state} with {good} tickets on {part.departure}, and has {has} seats"
    for (ledger, number), count in live.items():
        yield f"whole {count} seats of {ledger} are taken by its order {number}, which nobody has"


def _is_young(world: Railway, state: State, number: int) -> bool:
    """Whether a hold from the waiting list began within the bound."""
    began = state.orders[number].expires_at - world.hold_seconds * MICROS
    return began > world.clock.wall() - BOUND_SECONDS * MICROS


def _is_under_way(world: Railway, order: Order) -> bool:
    """Whether somebody may just be doing what the end of its hold asks for: the story ends at some instant."""
    return bool(order.to_do) and order.expires_at > world.clock.wall() - BOUND_SECONDS * MICROS


def _orders(world: Railway) -> Iterator[str]:
    """Nothing is left in the middle; what was told is kept."""
    for order in world.orders.all():
        is_late = order.expires_at < world.clock.wall() - BOUND_SECONDS * MICROS
        if _is_under_way(world, order):
            continue
        if order.to_do or order.state is OrderState.CONFIRMING or (order.state is OrderState.HELD and is_late):
            yield f"end {order.id} is still {order.state}, to do: {order.to_do}"
    for visit in world.visits:
        known = next((one for one in world.orders.all() if one.id == visit.order), None)
        if visit.held and known is None:
            yield f"told {visit.order} was held, and nobody knows of it"


def _money(world: Railway) -> Iterator[str]:
    """What was paid is a ticket's or goes back; who paid in time, and was not late by any clock, has the tickets."""
    for order in world.orders.all():
        for payment in order.payments:
            balance = world.gateway.balance_cents(payment.id)
            if payment.kept_cents != balance:
                yield f"money {payment.id} keeps {payment.kept_cents}, its gateway {balance}"
            if balance and (
                order.state not in (OrderState.TICKETED, OrderState.CLOSED) or order.paid_with != payment.id
            ):
                yield f"money {balance} cents of {payment.id} are kept for {order.id}, which is {order.state}"
        if order.state is OrderState.TICKETED and not order.paid_with:
            yield f"money {order.id} has tickets that nobody paid for"
    known = {payment.id for order in world.orders.all() for payment in order.payments}
    for payment_id in world.gateway.payments():
        if payment_id not in known:
            yield f"money {payment_id} came, and no order knows of it"
