"""What operators decide of a ledger: opening, blocks, rules, sale, prices, sealing, how far the line has come."""

from __future__ import annotations

from shike.errors import BadCommand
from shike.reserve import commands, events
from shike.reserve.bounds import RULES_MAX, SEGMENTS_MAX
from shike.reserve.checks import check_line, check_pools, check_rules, check_sale, check_times, check_units
from shike.reserve.colour import colour, tightest
from shike.reserve.model import Binding, Move, Reason, Refusal
from shike.reserve.pools import INDEX_BITS, PoolState, mask_of
from shike.reserve.state import State

INDEX_MASK = (1 << INDEX_BITS) - 1

Decision = events.AnyEvent | Refusal


def open_ledger(state: State, command: commands.Open) -> Decision:
    if state.version:
        return Refusal(Reason.OPEN)
    line = command.line
    check_line(line)
    check_pools(command.pools)
    check_rules(command.rules, line.origin, line.origin + line.segments, (pool.name for pool in command.pools))
    for sale in command.sales:
        check_sale(sale)
    return events.Opened(command.at, command.id, line, command.pools, command.rules, command.sales, command.policy)


def pool_of(state: State, name: str) -> PoolState:
    """Raises `BadCommand` for one that is not here."""
    pool = state.pools.get(name)
    if pool is None:
        raise BadCommand(f"there is no pool {name!r} here; there are {', '.join(state.pools) or 'none'}")
    return pool


def _check_units(pool: PoolState, units: tuple[int, ...]) -> int:
    if pool.pool.binding is Binding.NEVER:
        raise BadCommand(f"the units of pool {pool.pool.name!r} have no names; bound it by a rule instead")
    if not units or not all(0 <= unit < pool.size for unit in units):
        raise BadCommand(f"pool {pool.pool.name!r} has units 0 … {pool.size - 1}; name some of them")
    return mask_of(units)


def block(state: State, command: commands.Block) -> Decision:
    """Everybody on the units is seated elsewhere in the pool, as far as there is room; the others are displaced."""
    pool = pool_of(state, command.pool)
    mask = _check_units(pool, command.units)
    state.check_section(command.start, command.end)
    find = _displaced_of_counted if pool.counted else _reseated
    moves, displaced = find(state, pool, mask, command.start - state.origin, command.end - state.origin)
    return events.Blocked(
        command.at,
        command.id,
        command.pool,
        command.units,
        command.start,
        command.end,
        command.note,
        tuple(moves),
        tuple(displaced),
    )


Reseated = tuple[list[Move], list[tuple[int, int]]]


def _reseated(state: State, pool: PoolState, mask: int, start: int, end: int) -> Reseated:
    free, origin = list(pool.free), state.origin
    homeless = [
        take
        for order in state.live_orders(pool.pool.name)
        if order.start - origin < end and start < order.end - origin
        for take in state.takes(order)
        if mask >> take.unit & 1
    ]
    for take in homeless:
        for segment in range(take.start - origin, take.end - origin):
            free[segment] |= 1 << take.unit & ~pool.blocked[segment]
    for segment in range(start, end):
        free[segment] &= ~mask
    moves, displaced = [], []
    for take in sorted(homeless, key=lambda take: (take.start - take.end, take.order, take.index)):
        first, last = take.start - origin, take.end - origin
        units = free[first]
        for other in free[first + 1 : last]:
            units &= other
        if not units:
            displaced.append((take.order, take.index))
            continue
        bit = tightest(free, units, first, last)
        for segment in range(first, last):
            free[segment] ^= bit
        moves.append(Move(take.order, take.index, bit.bit_length() - 1))
    return moves, displaced


def _displaced_of_counted(state: State, pool: PoolState, mask: int, start: int, end: int) -> Reseated:
    """Those that came last give way, on each segment where fewer units are left than have been given."""
    left, origin = list(pool.left), state.origin
    for segment in range(start, end):
        left[segment] -= (mask & ~pool.blocked[segment]).bit_count()
    displaced = []
    for order in reversed(list(state.live_orders(pool.pool.name))):
        first, last = order.start - origin, order.end - origin
        for take in reversed(list(state.takes(order))):
            if min(left[first:last]) < 0:
                displaced.append((take.order, take.index))
                for segment in range(first, last):
                    left[segment] += 1
    return [], displaced


def unblock(state: State, command: commands.Unblock) -> Decision:
    _check_units(pool_of(state, command.pool), command.units)
    state.check_section(command.start, command.end)
    return events.Unblocked(command.at, command.id, command.pool, command.units, command.start, command.end)


def add_units(state: State, command: commands.AddUnits) -> Decision:
    pool = pool_of(state, command.pool).pool
    if bool(command.units) is bool(command.capacity) or command.capacity < 0:
        raise BadCommand("add either units with names or capacity")
    if bool(command.capacity) is not (pool.binding is Binding.NEVER):
        raise BadCommand(f"add {'capacity' if pool.binding is Binding.NEVER else 'units'} to pool {pool.name!r}")
    if command.units:
        check_units(pool.name, (*pool.units, *command.units))
    return events.UnitsAdded(command.at, command.id, command.pool, command.units, command.capacity)


def set_rule(state: State, command: commands.SetRule) -> Decision:
    check_rules([command.rule], state.origin, state.origin + state.segments, state.pools)
    if len(state.rules) >= RULES_MAX and command.rule.name not in state.rules:
        raise BadCommand(f"a ledger has at most {RULES_MAX} rules; drop one first")
    return events.RuleSet(command.at, command.id, command.rule)


def drop_rule(state: State, command: commands.DropRule) -> Decision:
    if command.name not in state.rules:
        return Refusal(Reason.UNKNOWN)
    return events.RuleDropped(command.at, command.id, command.name)


def set_sale(_state: State, command: commands.SetSale) -> Decision:
    check_sale(command.sale)
    return events.SaleSet(command.at, command.id, command.sale)


def set_prices(state: State, command: commands.SetPrices) -> Decision:
    pool_of(state, command.pool)
    if command.prices and (len(command.prices) != state.segments or min(command.prices) < 0):
        raise BadCommand(f"give a price of 0 or more for each of the {state.segments} segments, or none at all")
    return events.PricesSet(command.at, command.id, command.pool, command.prices)


def seal(state: State, command: commands.Seal) -> Decision:
    """A pool that only counted seats everybody now: as few units as the fullest segment needs."""
    pool = pool_of(state, command.pool)
    if pool.pool.binding is Binding.NEVER:
        raise BadCommand(f"the units of pool {command.pool!r} have no names; there is nothing to seal")
    if pool.sealed or pool.pool.binding is Binding.AT_SALE:
        return Refusal(Reason.SEALED)
    if not pool.counted:
        return events.Sealed(command.at, command.id, command.pool, ())
    items = [
        (take.start - state.origin, take.end - state.origin, take.order << INDEX_BITS | take.index)
        for order in state.live_orders(command.pool)
        for take in state.takes(order)
    ]
    seated = colour([pool.all & ~mask for mask in pool.blocked], items)
    if seated is None:
        return Refusal(Reason.UNSEALABLE)
    moves = tuple(Move(key >> INDEX_BITS, key & INDEX_MASK, unit) for key, unit in sorted(seated.items()))
    return events.Sealed(command.at, command.id, command.pool, moves)


def advance(state: State, command: commands.Advance) -> Decision:
    last = state.origin + state.segments + len(command.labels)
    if not state.position <= command.position <= last:
        raise BadCommand(f"the line stands at {state.position} and ends at {last}; it only goes forward")
    if command.forget and command.position == last:
        raise BadCommand("a line that forgets needs at least one segment ahead; append labels")
    if state.segments + len(command.labels) > SEGMENTS_MAX + (command.position - state.origin) * command.forget:
        raise BadCommand(f"a line has at most {SEGMENTS_MAX} segments; forget those that have passed")
    if bool(command.times) is not bool(command.labels and state.times):
        raise BadCommand("new positions have instants if the line has them, and not otherwise")
    if command.times:
        if len(command.times) != len(command.labels):
            raise BadCommand("give an instant for each new position")
        check_times((state.times[-1], *command.times), len(command.labels) + 1)
    return events.Advanced(command.at, command.id, command.position, command.labels, command.times, command.forget)


def cancel(state: State, command: commands.Cancel) -> Decision:
    if state.cancelled:
        return Refusal(Reason.CLOSED)
    return events.Cancelled(command.at, command.id, command.note)
