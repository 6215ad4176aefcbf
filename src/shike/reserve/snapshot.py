"""A state as bytes, and back: what orders, waits and rules tell is not written twice, it is counted again."""

from __future__ import annotations

from typing import Final

from msgspec import DecodeError, Struct, ValidationError, json

from shike.errors import DamagedJournal
from shike.reserve import quotas
from shike.reserve.events import AnyEvent
from shike.reserve.holding import note, staying
from shike.reserve.model import RECORD_VERSION, Order, Pool, Rule, Sale, Wait, WaitPolicy, WaitState
from shike.reserve.pools import PoolState, bits, mask_of
from shike.reserve.quotas import RuleState
from shike.reserve.state import Plan, State


class PoolRecord(Struct, frozen=True, array_like=True):
    """A pool; `blocked` has the numbers of the blocked units for each segment."""

    pool: Pool
    sealed: bool
    prices: tuple[int, ...]
    blocked: list[list[int]]


class Snapshot(Struct, frozen=True, array_like=True):
    """A ledger after `version` events."""

    record: int
    version: int
    opened_at: int
    labels: tuple[str, ...]
    times: tuple[int, ...]
    origin: int
    position: int
    policy: WaitPolicy
    cancelled: bool
    pools: list[PoolRecord]
    rules: list[Rule]
    sales: list[Sale]
    orders_made: int
    orders: list[Order]
    waits_made: int
    waits: list[Wait]
    orphans: dict[str, int]
    done: list[AnyEvent]


_ENCODER: Final = json.Encoder()
_DECODER: Final = json.Decoder(Snapshot)


def encode(state: State) -> bytes:
    """Two states are the same exactly if these bytes are."""
    return _ENCODER.encode(
        Snapshot(
            RECORD_VERSION,
            state.version,
            state.opened_at,
            state.labels,
            state.times,
            state.origin,
            state.position,
            state.policy,
            state.cancelled,
            [
                PoolRecord(pool.pool, pool.sealed, pool.prices, [list(bits(mask)) for mask in pool.blocked])
                for pool in state.pools.values()
            ],
            [rule.rule for rule in state.rules.values()],
            list(state.sales.values()),
            state.orders_made,
            list(state.orders.values()),
            state.waits_made,
            list(state.waits.values()),
            state.orphans,
            list(state.done.values()),
        )
    )


def decode(data: bytes, ledger: str = "") -> State:
    """Raises `DamagedJournal` for bytes that `encode` has not made."""
    try:
        read = _DECODER.decode(data)
    except (DecodeError, ValidationError) as error:
        raise DamagedJournal(f"the snapshot of ledger {ledger!r} cannot be read: {error}", ledger=ledger) from error
    if read.record > RECORD_VERSION:
        raise DamagedJournal(f"the snapshot of {ledger!r} is of a newer version; use that program", ledger=ledger)
    return _state(read)


def _state(read: Snapshot) -> State:
    state = State()
    state.version, state.opened_at = read.version, read.opened_at
    state.labels, state.times, state.origin, state.position = read.labels, read.times, read.origin, read.position
    state.policy, state.cancelled = read.policy, read.cancelled
    state.pools = {record.pool.name: _pool(record, len(read.labels) - 1) for record in read.pools}
    state.rules = {rule.name: RuleState(rule, state.segments) for rule in read.rules}
    state.sales = {sale.channel: sale for sale in read.sales}
    state.learn_rules()
    state.orders_made, state.orders = read.orders_made, {order.number: order for order in read.orders}
    _seat(state)
    state.waits_made, state.waits = read.waits_made, {wait.number: wait for wait in read.waits}
    for wait in read.waits:
        if wait.state is WaitState.WAITING:
            state.queues.setdefault((wait.pool, wait.start, wait.end), {})[wait.number] = wait
    state.orphans = read.orphans
    state.done = {event.command: event for event in read.done}
    return state


def _seat(state: State) -> None:
    """As `put` of every live order, but those of one section at once."""
    sections: dict[Plan, tuple[int, int]] = {}
    people = state.people
    for order in state.live_orders():
        plan = state.plan_of(order)
        units, count = sections.get(plan, (0, 0))
        if not plan.pool.counted:
            units |= 1 << order.units[0] if len(order.units) == 1 else mask_of(order.units[i] for i in staying(order))
        sections[plan] = units, count + order.count
        if plan.pool.fluid:
            note(plan.pool, order)
        if order.people:
            for index in staying(order):
                people[order.people[index]] = people.get(order.people[index], 0) | plan.mask
    for plan, (units, count) in sections.items():
        if plan.pool.counted:
            plan.pool.count(plan.start, plan.end, -count)
        else:
            plan.pool.occupy(units, count, plan.start, plan.end)
        quotas.count(plan.rules, count)


def _pool(record: PoolRecord, segments: int) -> PoolState:
    pool = PoolState(record.pool, segments)
    pool.sealed, pool.prices = record.sealed, record.prices
    pool.bind()
    masks = [sum(1 << unit for unit in units) for units in record.blocked]
    pool.blocked = masks
    pool.left = [pool.size - mask.bit_count() for mask in masks] if pool.counted else []
    pool.free = [] if pool.counted else [pool.all & ~mask for mask in masks]
    pool.untouched = pool.all if pool.counted else pool.fit(0, segments)
    return pool
