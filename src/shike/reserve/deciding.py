"""`decide(state, command)`: what happens next, or why nothing does. It changes nothing.

One command leads to at most one event, whatever it takes: an order of five is one `Held`, with the moves that make
room for it. Time comes with the command. A command that makes no sense raises `BadCommand`; one that only comes at the
wrong time, or too late, is refused.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from shike.clock import MICROS
from shike.errors import BadCommand
from shike.reserve import arranging, commands, events, queueing
from shike.reserve.bounds import KEY_CHARS_MAX, TTL_SECONDS, TTL_SECONDS_MAX
from shike.reserve.checks import check_order
from shike.reserve.holding import lift, put, staying
from shike.reserve.model import NEVER, Order, OrderState, Reason, Refusal
from shike.reserve.placing import find
from shike.reserve.quotas import EVER
from shike.reserve.state import Plan, State

Decision = events.AnyEvent | Refusal


def decide(state: State, command: commands.AnyCommand) -> Decision:
    """The event that the command leads to, or its refusal. Raises `BadCommand`."""
    return DECIDE[type(command)](state, command)


def hold(state: State, command: commands.Hold) -> Decision:
    """Units for an order, until it is paid for or `expires_at`."""
    count, at, people, channel = command.count, command.at, command.people, command.channel
    plan = state.plans.get((command.pool, command.start, command.end, channel)) or state.plan(
        command.pool, command.start, command.end, channel
    )
    if count != 1 or people or command.ttl_seconds != TTL_SECONDS:
        check_order(command)
    if not plan.opens_at <= at < plan.closes_at:
        return not_on_sale(state, plan, at, command.start, channel)
    if command.price < plan.price * count:
        return Refusal(Reason.PRICE, price=plan.price * count)
    placed = find(state, plan, at, count, people, command.want)
    if type(placed) is Refusal:
        return placed
    return events.Held(
        at,
        command.id,
        state.orders_made + 1,
        command.pool,
        command.start,
        command.end,
        placed.units,
        people,
        at + int(command.ttl_seconds * MICROS),
        channel,
        command.price,
        placed.pinned,
        placed.moves,
    )


def not_on_sale(state: State, plan: Plan, at: int, start: int, channel: str) -> Refusal:
    """Why the section cannot be had at this time."""
    if state.cancelled:
        return Refusal(Reason.CLOSED)
    if start < state.position:
        return Refusal(Reason.PASSED)
    if at < plan.opens_at:
        return Refusal(Reason.NOT_ON_SALE, opens_at=NEVER if plan.opens_at == EVER else plan.opens_at)
    closes_at = state.sale(channel).closes_at
    return Refusal(Reason.CLOSED if closes_at != NEVER and at >= closes_at else Reason.PASSED)


def confirm(state: State, command: commands.Confirm) -> Decision:
    """A payment is never lost: what confirms nothing is written down as orphaned, once."""
    order, payment = state.orders.get(command.order), command.payment
    if len(payment) > KEY_CHARS_MAX:
        raise BadCommand(f"a payment is named by at most {KEY_CHARS_MAX} characters")
    if order is not None and order.state is OrderState.HELD and command.at < order.expires_at:
        return events.Confirmed(command.at, command.id, command.order, payment)
    if payment and payment not in state.orphans and (order is None or order.payment != payment):
        return events.PaymentOrphaned(command.at, command.id, command.order, payment)
    if order is not None and order.state is OrderState.HELD:
        return Refusal(Reason.EXPIRED)
    return _ended(order)


def _ended(order: Order | None) -> Refusal:
    return Refusal(Reason.UNKNOWN) if order is None else Refusal(Reason.ENDED, state=order.state.value)


def extend(state: State, command: commands.Extend) -> Decision:
    order = state.orders.get(command.order)
    if order is None or order.state is not OrderState.HELD:
        return _ended(order)
    if command.at >= order.expires_at:
        return Refusal(Reason.EXPIRED)
    if not order.expires_at < command.until <= command.at + int(TTL_SECONDS_MAX * MICROS):
        raise BadCommand("a hold is extended to a later time than it has, within a year")
    return events.Extended(command.at, command.id, command.order, command.until)


def release(state: State, command: commands.Release) -> Decision:
    order = state.orders.get(command.order)
    if order is None or order.state is not OrderState.HELD:
        return _ended(order)
    return events.Released(command.at, command.id, command.order, command.note)


def expire(state: State, command: commands.Expire) -> Decision:
    """What came first in the log counts: after a payment there is nothing to expire."""
    order = state.orders.get(command.order)
    if order is None or order.state is not OrderState.HELD:
        return _ended(order)
    if command.at < order.expires_at:
        return Refusal(Reason.EARLY, opens_at=order.expires_at)
    return events.Expired(command.at, command.id, command.order)


def refund(state: State, command: commands.Refund) -> Decision:
    order = state.orders.get(command.order)
    if order is None or order.state is not OrderState.CONFIRMED:
        return _ended(order)
    left = staying(order)
    indices = command.indices or left
    if len(set(indices)) != len(indices) or not all(0 <= index < len(order.units) for index in indices):
        raise BadCommand(f"order {order.number} has takes 0 … {len(order.units) - 1}; each can be given back once")
    if not set(indices) <= set(left):
        return Refusal(Reason.ENDED, state=OrderState.REFUNDED.value)
    return events.Refunded(command.at, command.id, command.order, indices, command.amount, command.note)


def change(state: State, command: commands.Change) -> Decision:
    """What the order has counts as free for what it is to get: it is lifted for the time of the search."""
    order = state.orders.get(command.order)
    plan = state.plan(command.pool, command.start, command.end, command.channel)
    if order is None or order.state is not OrderState.CONFIRMED:
        return _ended(order)
    if not plan.opens_at <= command.at < plan.closes_at:
        return not_on_sale(state, plan, command.at, command.start, command.channel)
    if command.price < plan.price * order.count:
        return Refusal(Reason.PRICE, price=plan.price * order.count)
    indices = staying(order)
    people = tuple(order.people[index] for index in indices) if order.people else ()
    own = state.plan_of(order)
    lift(state, order, own, indices)
    order.state = OrderState.CHANGED
    try:
        placed = find(state, plan, command.at, order.count, people, command.want)
    finally:
        order.state = OrderState.CONFIRMED
        put(state, order, own)
    if type(placed) is Refusal:
        return placed
    return events.Changed(
        command.at,
        command.id,
        command.order,
        state.orders_made + 1,
        command.pool,
        command.start,
        command.end,
        placed.units,
        command.channel,
        command.price,
        placed.pinned,
        placed.moves,
    )


def pin(state: State, command: commands.Pin) -> Decision:
    order = state.orders.get(command.order)
    if order is None or not order.live:
        return _ended(order)
    if state.pools[order.pool].counted:
        raise BadCommand(f"pool {order.pool!r} gives no units yet; seal it first")
    return events.Pinned(command.at, command.id, command.order)


DECIDE: Final[dict[type[Any], Callable[[State, Any], Decision]]] = {
    commands.Hold: hold,
    commands.Confirm: confirm,
    commands.Extend: extend,
    commands.Release: release,
    commands.Expire: expire,
    commands.Refund: refund,
    commands.Change: change,
    commands.Pin: pin,
    commands.Open: arranging.open_ledger,
    commands.Block: arranging.block,
    commands.Unblock: arranging.unblock,
    commands.AddUnits: arranging.add_units,
    commands.SetRule: arranging.set_rule,
    commands.DropRule: arranging.drop_rule,
    commands.SetSale: arranging.set_sale,
    commands.SetPrices: arranging.set_prices,
    commands.Seal: arranging.seal,
    commands.Advance: arranging.advance,
    commands.Cancel: arranging.cancel,
    commands.Join: queueing.join,
    commands.Leave: queueing.leave,
    commands.Lapse: queueing.lapse,
    commands.Serve: queueing.serve,
}
