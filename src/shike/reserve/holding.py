"""How takes come to stand on a line, and leave it: pool, rules and people always together."""

from __future__ import annotations

from shike.reserve import quotas
from shike.reserve.model import NOWHERE, Move, Order, OrderState
from shike.reserve.pools import INDEX_BITS, UNIT_SHIFT, PoolState, mask_of
from shike.reserve.state import Plan, State


def put(state: State, order: Order, plan: Plan) -> None:
    """The takes of a live order stand in its pool, its rules and its people's segments."""
    pool, start, end = plan.pool, plan.start, plan.end
    if pool.counted:
        pool.count(start, end, -order.count)
    else:
        units = order.units
        pool.occupy(
            1 << units[0] if len(units) == 1 else mask_of(units[index] for index in staying(order)),
            order.count,
            start,
            end,
        )
        if pool.fluid:
            note(pool, order)
    if plan.rules:
        quotas.count(plan.rules, order.count)
    if order.people:
        people, mask = state.people, plan.mask
        for who in order.people if not order.gone else [order.people[index] for index in staying(order)]:
            people[who] = people.get(who, 0) | mask


def note(pool: PoolState, order: Order) -> None:
    """Where the takes of an order are, in a pool whose takes may be moved."""
    for index in staying(order):
        pool.placed[order.units[index] << UNIT_SHIFT | order.start] = order.number << INDEX_BITS | index
    if order.pinned:
        pool.pinned.add(order.number)


def lift(state: State, order: Order, plan: Plan, indices: tuple[int, ...]) -> None:
    """Takes of a live order stand there no longer. `put` after it is as if nothing had been."""
    pool, start, end = plan.pool, plan.start, plan.end
    if pool.counted:
        pool.count(start, end, len(indices))
    else:
        pool.vacate(mask_of(order.units[index] for index in indices), len(indices), start, end)
        if pool.fluid:
            for index in indices:
                del pool.placed[order.units[index] << UNIT_SHIFT | order.start]
        pool.pinned.discard(order.number)
    pool.gains += 1
    if plan.rules:
        quotas.count(plan.rules, -len(indices))
    if order.people:
        people = state.people
        for index in indices:
            who = order.people[index]
            left = people[who] & ~plan.mask
            if left:
                people[who] = left
            else:
                del people[who]


def staying(order: Order) -> tuple[int, ...]:
    """The indices of the takes that have not gone."""
    if not order.gone:
        return tuple(range(len(order.units)))
    return tuple(index for index in range(len(order.units)) if index not in order.gone)


def end_order(state: State, order: Order, how: OrderState) -> None:
    """All takes that were left go, and the order with them."""
    lift(state, order, state.plan_of(order), staying(order))
    order.state = how


def move(state: State, moves: tuple[Move, ...]) -> None:
    """All at once: takes may change places with each other."""
    for step in moves:
        order = state.orders[step.order]
        unit = order.units[step.index]
        if unit != NOWHERE:
            plan = state.plan_of(order)
            plan.pool.vacate(1 << unit, 1, plan.start, plan.end)
            plan.pool.placed.pop(unit << UNIT_SHIFT | order.start, None)
    for step in moves:
        order = state.orders[step.order]
        order.units = (*order.units[: step.index], step.unit, *order.units[step.index + 1 :])
        plan = state.plan_of(order)
        plan.pool.occupy(1 << step.unit, 1, plan.start, plan.end)
        if plan.pool.fluid:
            plan.pool.placed[step.unit << UNIT_SHIFT | order.start] = step.order << INDEX_BITS | step.index


def leave(state: State, order: Order, indices: tuple[int, ...], how: OrderState) -> None:
    """Some takes go; the order ends with the last."""
    plan = state.plan_of(order)
    lift(state, order, plan, indices)
    order.gone = (*order.gone, *indices)
    order.count -= len(indices)
    if not order.count:
        order.state = how
    elif order.pinned and plan.pool.fluid:
        plan.pool.pinned.add(order.number)
