"""Whether a state keeps its promises (P9): what is counted is counted again from the orders, by other code."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from shike.reserve.model import Measure, Order, Rule, RuleKind, WaitState
from shike.reserve.pools import INDEX_BITS, UNIT_SHIFT, PoolState
from shike.reserve.state import State

LIVE = ("held", "confirmed")


def violations(state: State) -> list[str]:
    """What is wrong, a sentence each; [] where all is well. Costs a walk over all orders."""
    found: list[str] = []
    for pool in state.pools.values():
        found += _counted(state, pool) if pool.counted else _named(state, pool)
    found += _rules(state)
    found += _people(state)
    found += _orders(state)
    found += _queues(state)
    return found


def _spans(state: State, order: Order) -> range:
    return range(order.start - state.origin, order.end - state.origin)


def _live(state: State, pool: str) -> Iterator[Order]:
    return (order for order in state.orders.values() if order.pool == pool and order.state.value in LIVE)


def _named(state: State, pool: PoolState) -> Iterator[str]:
    """Taken, free and blocked are all units, on each segment, and no unit is two of them."""
    name = pool.pool.name
    taken = [0] * state.segments
    placed = {}
    for order in _live(state, name):
        for index, unit in enumerate(order.units):
            if index in order.gone:
                continue
            placed[unit << UNIT_SHIFT | order.start] = order.number << INDEX_BITS | index
            for segment in _spans(state, order):
                if taken[segment] >> unit & 1:
                    yield f"unit {unit} of {name!r} is taken twice on segment {segment + state.origin}"
                taken[segment] |= 1 << unit
    touched = 0
    for segment, mask in enumerate(taken):
        where = f"of {name!r} on segment {segment + state.origin}"
        if mask & pool.blocked[segment]:
            yield f"a blocked unit {where} is taken"
        if mask & pool.free[segment] or pool.free[segment] & pool.blocked[segment]:
            yield f"a unit {where} is free and not free"
        if mask | pool.free[segment] | pool.blocked[segment] != (1 << pool.size) - 1:
            yield f"a unit {where} is neither free nor taken nor blocked"
        touched |= mask | pool.blocked[segment]
    if pool.untouched != pool.all & ~touched:
        yield f"the untouched units of {name!r} are not those without any take"
    if pool.taken != sum(mask.bit_count() for mask in taken):
        yield f"the taken unit-segments of {name!r} are miscounted"
    if pool.fluid and pool.placed != placed:
        yield f"the places of {name!r} are not those of its orders"
    if pool.fluid and pool.pinned != {order.number for order in _live(state, name) if order.pinned}:
        yield f"the pinned orders of {name!r} are not those that are pinned"


def _counted(state: State, pool: PoolState) -> Iterator[str]:
    taken = [0] * state.segments
    for order in _live(state, pool.pool.name):
        for segment in _spans(state, order):
            taken[segment] += len(order.units) - len(order.gone)
    for segment, count in enumerate(taken):
        left = pool.left[segment]
        if left < 0 or left + count + pool.blocked[segment].bit_count() != pool.size:
            where = f"of {pool.size} of {pool.pool.name!r} on segment {segment + state.origin}"
            yield f"{left} left and {count} taken {where}"


def _rules(state: State) -> Iterator[str]:
    for name, rule in state.rules.items():
        tickets, thick = 0, [0] * state.segments
        asked = rule.rule
        for order in state.orders.values():
            if order.state.value not in LIVE or not _counts(asked, order):
                continue
            left = len(order.units) - len(order.gone)
            tickets += left
            if asked.measure is Measure.THICKNESS and asked.kind in (RuleKind.MAX, RuleKind.MIN):
                for segment in range(max(order.start, asked.start), min(order.end, asked.end)):
                    thick[segment - state.origin] += left
        if (tickets, thick) != (rule.tickets, rule.thick):
            yield f"what counts against rule {name!r} is miscounted"


def _counts(rule: Rule, order: Order) -> bool:
    if (rule.pools and order.pool not in rule.pools) or (rule.channels and order.channel not in rule.channels):
        return False
    if rule.kind is RuleKind.BOARD:
        return order.start == rule.start
    if rule.kind is RuleKind.ALIGHT:
        return order.end == rule.start
    inside = rule.start <= order.start and order.end <= rule.end
    if rule.kind is RuleKind.MAX:
        return inside
    meets = not (order.end <= rule.start or rule.end <= order.start)
    return meets and not (order.start <= rule.start and rule.end <= order.end)


def _people(state: State) -> Iterator[str]:
    seen: Counter[tuple[str, int]] = Counter()
    for order in state.orders.values():
        if order.state.value in LIVE:
            for index, who in enumerate(order.people):
                if index not in order.gone:
                    seen.update((who, segment) for segment in _spans(state, order))
    for (who, segment), times in seen.items():
        if times > 1:
            yield f"{who!r} has {times} takes on segment {segment + state.origin}"
    masks: dict[str, int] = {}
    for who, segment in seen:
        masks[who] = masks.get(who, 0) | 1 << segment
    if masks != state.people:
        yield "the segments of people are not those of their takes"


def _orders(state: State) -> Iterator[str]:
    for number, order in state.orders.items():
        if number > state.orders_made or number != order.number:
            yield f"order {number} was never made"
        if order.count != len(order.units) - len(order.gone):
            yield f"order {number} miscounts its takes"
        if order.state.value in LIVE and not order.count:
            yield f"order {number} lives without takes"


def _queues(state: State) -> Iterator[str]:
    waiting = {number for number, wait in state.waits.items() if wait.state is WaitState.WAITING}
    queued = [number for queue in state.queues.values() for number in queue]
    if sorted(queued) != sorted(waiting):
        yield "the queues are not those that wait"
