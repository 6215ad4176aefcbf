"""`apply(state, event)`: the one place that changes a state. It decides nothing and never refuses.

What was decided on a state is applied to that state, live and in every replay, so this code may trust its event.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from shike.reserve import events, quotas
from shike.reserve.bounds import REMEMBER_MAX, REMEMBER_SECONDS
from shike.reserve.holding import end_order, leave, lift, move, put, staying
from shike.reserve.model import NEVER, Order, OrderState, Pool, Wait, WaitState
from shike.reserve.pools import PoolState, mask_of
from shike.reserve.quotas import RuleState
from shike.reserve.state import State

REMEMBER = int(REMEMBER_SECONDS * 1_000_000)
FORGET_EVENTS = 256  # so often it is looked what can be forgotten


def apply(state: State, event: events.AnyEvent) -> None:
    """The next event of this ledger has happened."""
    APPLY[type(event)](state, event)
    state.version += 1
    if event.command:
        state.done[event.command] = event
    if not state.version % FORGET_EVENTS:
        _forget_commands(state, event.at)


def _forget_commands(state: State, at: int) -> None:
    """Those that nobody will repeat any more. It hangs on the version alone, so a replay forgets the same."""
    spare = len(state.done) - REMEMBER_MAX
    old = []
    for number, (command, event) in enumerate(state.done.items()):
        if number >= spare and event.at >= at - REMEMBER:
            break
        old.append(command)
    for command in old:
        del state.done[command]


def _opened(state: State, event: events.Opened) -> None:
    state.opened_at = event.at
    state.labels, state.times = event.line.labels, event.line.times
    state.origin = state.position = event.line.origin
    state.policy = event.policy
    for pool in event.pools:
        state.pools[pool.name] = PoolState(pool, state.segments)
    for rule in event.rules:
        state.rules[rule.name] = RuleState(rule, state.segments)
    for sale in event.sales:
        state.sales[sale.channel] = sale
    state.learn_rules()


def _held(state: State, event: events.Held) -> None:
    if event.moves:
        move(state, event.moves)
    plan = state.plan(event.pool, event.start, event.end, event.channel)
    order = Order(
        event.order,
        event.pool,
        event.start,
        event.end,
        event.units,
        event.people,
        event.expires_at,
        OrderState.HELD,
        len(event.units),
        event.channel,
        event.price,
        event.pinned,
    )
    state.orders[event.order] = order
    state.orders_made = event.order
    put(state, order, plan)


def _confirmed(state: State, event: events.Confirmed) -> None:
    order = state.orders[event.order]
    order.state = OrderState.CONFIRMED
    order.payment = event.payment


def _orphaned(state: State, event: events.PaymentOrphaned) -> None:
    state.orphans[event.payment] = event.order


def _extended(state: State, event: events.Extended) -> None:
    state.orders[event.order].expires_at = event.expires_at


def _released(state: State, event: events.Released) -> None:
    end_order(state, state.orders[event.order], OrderState.RELEASED)


def _expired(state: State, event: events.Expired) -> None:
    end_order(state, state.orders[event.order], OrderState.EXPIRED)


def _refunded(state: State, event: events.Refunded) -> None:
    leave(state, state.orders[event.order], event.indices, OrderState.REFUNDED)


def _changed(state: State, event: events.Changed) -> None:
    old = state.orders[event.order]
    indices = staying(old)
    end_order(state, old, OrderState.CHANGED)
    move(state, event.moves)
    people = tuple(old.people[index] for index in indices) if old.people else ()
    order = Order(
        event.successor,
        event.pool,
        event.start,
        event.end,
        event.units,
        people,
        NEVER,
        OrderState.CONFIRMED,
        len(event.units),
        event.channel,
        event.price,
        event.pinned,
        payment=old.payment,
        replaces=old.number,
    )
    state.orders[order.number] = order
    state.orders_made = order.number
    put(state, order, state.plan_of(order))


def _pinned(state: State, event: events.Pinned) -> None:
    order = state.orders[event.order]
    order.pinned = True
    pool = state.pools[order.pool]
    if pool.fluid:
        pool.pinned.add(order.number)


def _blocked(state: State, event: events.Blocked) -> None:
    pool = state.pools[event.pool]
    for number, index in event.displaced:
        leave(state, state.orders[number], (index,), OrderState.DISPLACED)
    move(state, event.moves)
    mask = mask_of(event.units)
    for segment in range(event.start - state.origin, event.end - state.origin):
        new = mask & ~pool.blocked[segment]
        pool.blocked[segment] |= new
        if pool.counted:
            pool.left[segment] -= new.bit_count()
        else:
            pool.free[segment] &= ~new
    pool.untouched &= ~mask
    state.learn_rules()


def _unblocked(state: State, event: events.Unblocked) -> None:
    pool = state.pools[event.pool]
    mask = mask_of(event.units)
    for segment in range(event.start - state.origin, event.end - state.origin):
        old = mask & pool.blocked[segment]
        pool.blocked[segment] ^= old
        if pool.counted:
            pool.left[segment] += old.bit_count()
        else:
            pool.free[segment] |= old
    pool.gains += 1
    _find_untouched(pool)
    state.learn_rules()


def _find_untouched(pool: PoolState) -> None:
    if not pool.counted:
        pool.untouched = pool.fit(0, len(pool.free))


def _units_added(state: State, event: events.UnitsAdded) -> None:
    pool = state.pools[event.pool]
    old, size = pool.pool, pool.size
    grown = Pool(
        old.name, (*old.units, *event.units), old.capacity + event.capacity, old.binding, old.fill, old.spread_until
    )
    pool.describe(grown)
    new = pool.all >> size << size if event.units else 0
    pool.free = [mask | new for mask in pool.free]
    pool.left = [left + pool.size - size for left in pool.left]
    pool.untouched |= new
    pool.gains += 1
    state.learn_rules()


def _rule_set(state: State, event: events.RuleSet) -> None:
    rule = RuleState(event.rule, state.segments)
    state.rules[event.rule.name] = rule
    _recount(state, rule)
    state.learn_rules()


def _recount(state: State, rule: RuleState) -> None:
    for order in state.live_orders():
        if rule.touches(order.pool, order.start, order.end, order.channel):
            quotas.count([(rule, *rule.part(order.start, order.end, state.origin))], order.count)


def _rule_dropped(state: State, event: events.RuleDropped) -> None:
    del state.rules[event.name]
    state.learn_rules()


def _sale_set(state: State, event: events.SaleSet) -> None:
    state.sales[event.sale.channel] = event.sale
    state.learn_rules()


def _prices_set(state: State, event: events.PricesSet) -> None:
    state.pools[event.pool].prices = event.prices
    state.learn_rules()


def _sealed(state: State, event: events.Sealed) -> None:
    pool = state.pools[event.pool]
    was_counted = pool.counted
    pool.sealed = True
    pool.bind()
    if was_counted:
        pool.free = [pool.all & ~mask for mask in pool.blocked]
        pool.left, pool.taken = [], 0
    pool.placed, pool.pinned, pool.stuck = {}, set(), {}
    _find_untouched(pool)
    move(state, event.moves)


def _joined(state: State, event: events.Joined) -> None:
    wait = Wait(
        event.wait,
        event.pool,
        event.start,
        event.end,
        event.count,
        event.people,
        event.deadline,
        event.want,
        event.channel,
        event.price,
        event.payment,
        event.ttl_seconds,
    )
    state.waits[event.wait] = wait
    state.waits_made = event.wait
    state.queues.setdefault((event.pool, event.start, event.end), {})[event.wait] = wait


def _end_wait(state: State, wait: Wait, how: WaitState) -> None:
    wait.state = how
    key = (wait.pool, wait.start, wait.end)
    queue = state.queues[key]
    del queue[wait.number]
    if not queue:
        del state.queues[key]


def _left(state: State, event: events.Left) -> None:
    _end_wait(state, state.waits[event.wait], WaitState.LEFT)


def _lapsed(state: State, event: events.Lapsed) -> None:
    _end_wait(state, state.waits[event.wait], WaitState.EXPIRED)


def _served(state: State, event: events.Served) -> None:
    move(state, event.moves)
    wait = state.waits[event.wait]
    _end_wait(state, wait, WaitState.FULFILLED)
    wait.order = event.order
    order = Order(
        event.order,
        wait.pool,
        wait.start,
        wait.end,
        event.units,
        wait.people,
        event.expires_at,
        OrderState.CONFIRMED if wait.payment else OrderState.HELD,
        len(event.units),
        wait.channel,
        wait.price,
        event.pinned,
        payment=wait.payment,
        wait=wait.number,
    )
    state.orders[order.number] = order
    state.orders_made = order.number
    put(state, order, state.plan_of(order))


def _advanced(state: State, event: events.Advanced) -> None:
    state.position = event.position
    state.labels = (*state.labels, *event.labels)
    state.times = (*state.times, *event.times)
    more = len(event.labels)
    for pool in state.pools.values():
        pool.blocked += [0] * more
        pool.free += [] if pool.counted else [pool.all] * more
        pool.left += [pool.size] * more if pool.counted else []
    for rule in state.rules.values():
        rule.thick += [0] * more
    if event.forget:
        _forget(state)
    for pool in state.pools.values():
        pool.gains += 1
        _find_untouched(pool)
    state.learn_rules()


def _forget(state: State) -> None:
    """Drop the segments before the position, but none that something live still reaches back to, and what has ended."""
    position = state.position
    first = min((order.start for order in state.live_orders() if order.end > position), default=position)
    first = min(first, position)
    for order in [order for order in state.orders.values() if order.end <= position or not order.live]:
        if order.live:
            lift(state, order, state.plan_of(order), staying(order))
        del state.orders[order.number]
    for wait in [wait for wait in state.waits.values() if wait.start < position]:
        if wait.state is WaitState.WAITING:
            _end_wait(state, wait, WaitState.EXPIRED)
        del state.waits[wait.number]
    drop = first - state.origin
    state.origin = first
    state.labels = state.labels[drop:]
    state.times = state.times[drop:]
    for pool in state.pools.values():
        del pool.blocked[:drop], pool.free[:drop], pool.left[:drop]
        pool.prices = pool.prices[drop:]
        pool.stuck.clear()
    for rule in state.rules.values():
        del rule.thick[:drop]
    state.people = {who: mask >> drop for who, mask in state.people.items() if mask >> drop}


def _cancelled(state: State, _event: events.Cancelled) -> None:
    state.cancelled = True
    state.learn_rules()


APPLY: dict[type[Any], Callable[[State, Any], None]] = {
    events.Opened: _opened,
    events.Held: _held,
    events.Confirmed: _confirmed,
    events.PaymentOrphaned: _orphaned,
    events.Extended: _extended,
    events.Released: _released,
    events.Expired: _expired,
    events.Refunded: _refunded,
    events.Changed: _changed,
    events.Pinned: _pinned,
    events.Blocked: _blocked,
    events.Unblocked: _unblocked,
    events.UnitsAdded: _units_added,
    events.RuleSet: _rule_set,
    events.RuleDropped: _rule_dropped,
    events.SaleSet: _sale_set,
    events.PricesSet: _prices_set,
    events.Sealed: _sealed,
    events.Joined: _joined,
    events.Left: _left,
    events.Lapsed: _lapsed,
    events.Served: _served,
    events.Advanced: _advanced,
    events.Cancelled: _cancelled,
}
