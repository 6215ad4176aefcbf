"""What can be asked of a state without changing it: what is left, why not, what else, fewest changes of unit."""

from __future__ import annotations

from collections.abc import Iterator

from msgspec import Struct

from shike.reserve import commands
from shike.reserve.bounds import CHANGES_MAX
from shike.reserve.deciding import decide
from shike.reserve.model import NEVER, NOWHERE, OrderState, Refusal
from shike.reserve.pools import PoolState
from shike.reserve.quotas import room
from shike.reserve.state import State


class Leg(Struct, frozen=True, array_like=True):
    """One unit from `start` to `end`, of an itinerary that changes units."""

    unit: int
    start: int
    end: int


class Alternative(Struct, frozen=True):
    """What could be had instead: another pool, a section a position shorter or longer, fewer takes, or legs."""

    pool: str
    start: int
    end: int
    count: int
    legs: tuple[Leg, ...] = ()


def available(state: State, pool: str, start: int, end: int, *, at: int, channel: str = "") -> int:
    """How many takes of the section can be had at that time, within the rules: never more than a hold would get.

    0 where nothing is on sale. Raises `BadCommand` for a pool or section that does not exist.
    """
    plan = state.plans.get((pool, start, end, channel)) or state.plan(pool, start, end, channel)
    if not plan.opens_at <= at < plan.closes_at:
        return 0
    left = plan.pool.open_to(plan.start, plan.end)
    if plan.rules and left:
        return room(plan.rules, at, left)
    return left


def table(state: State, pool: str) -> list[list[int]]:
    """Units left for every section, rules aside: row i, column j is the section from origin + i to origin + i + 1 + j.

    Each row is one pass of ANDs, so the 136 sections of 17 positions cost 136 of them.
    """
    found = state.pools[pool]
    segments = range(state.segments)
    if found.counted or (found.fluid and not found.pinned and not any(found.blocked)):
        left = found.left if found.counted else [mask.bit_count() for mask in found.free]
        return [_least(left[start:]) for start in segments]
    return [_free(found, start) for start in segments]


def _least(left: list[int]) -> list[int]:
    row, least = [], left[0]
    for here in left:
        least = min(least, here)
        row.append(least)
    return row


def _free(pool: PoolState, start: int) -> list[int]:
    row, units = [], pool.all
    for mask in pool.free[start:]:
        units &= mask
        row.append(units.bit_count())
    return row


def earliest(state: State, pool: str, count: int, length: int, *, after: int = 0) -> int:
    """The first position from which `count` units are left for `length` segments, rules aside; NOWHERE if none."""
    found = state.pools[pool]
    start = max(after, state.position, state.origin)
    while start + length <= state.origin + state.segments:
        first = start - state.origin
        if found.open_to(first, first + length) >= count:
            return start
        start += 1
    return NOWHERE


def changes(state: State, pool: str, start: int, end: int) -> tuple[Leg, ...]:
    """The section with as few changes of unit as can be, () where a segment is full or it takes too many.

    Farthest reach from each change is optimal: the textbook covering of an interval by intervals.
    """
    plan = state.plan(pool, start, end, "")
    if plan.pool.counted:
        return ()
    legs: list[Leg] = []
    at = plan.start
    while at < plan.end:
        units, far = plan.pool.all, at
        while far < plan.end and units & plan.pool.free[far]:
            units &= plan.pool.free[far]
            far += 1
        if far == at or len(legs) > CHANGES_MAX:
            return ()
        legs.append(Leg((units & -units).bit_length() - 1, at + state.origin, far + state.origin))
        at = far
    return tuple(legs)


def alarms(state: State) -> Iterator[tuple[int, commands.AnyCommand]]:
    """What the ledger wants to be told, and when: holds and waits that end, rules and sales by which time gives
    something to those who wait. A scheduler keeps these; each command's id is the same whenever this is asked, so that
    what is told twice is done once. A late, early or repeated one does no harm."""
    for order in state.live_orders():
        if order.state is OrderState.HELD:
            at = order.expires_at
            yield at, commands.Expire(f"expire {order.number} {at}", at, order.number)
    for queue in state.queues.values():
        for wait in queue.values():
            if wait.deadline != NEVER:
                yield wait.deadline, commands.Lapse(f"lapse {wait.number}", wait.deadline, wait.number)
    lapses = {rule.rule.until for rule in state.rules.values()} | {sale.opens_at for sale in state.sales.values()}
    for at in sorted(lapses - {NEVER}):
        yield at, commands.Serve(f"serve {at}", at)


def why(state: State, command: commands.Hold) -> Refusal | None:
    """Why the hold would be refused, or None where it would not."""
    decided = decide(state, command)
    return decided if isinstance(decided, Refusal) else None


def alternatives(state: State, command: commands.Hold, most: int = 6) -> tuple[Alternative, ...]:
    """What could be had instead of a refused hold, at the same time and through the same channel."""
    plan = state.plan(command.pool, command.start, command.end, command.channel)
    if not plan.opens_at <= command.at < plan.closes_at:
        return ()
    found: list[Alternative] = []

    def offer(pool: str, start: int, end: int) -> None:
        if (
            len(found) < most
            and state.origin <= start < end <= state.origin + state.segments
            and start >= state.position
        ):
            left = available(state, pool, start, end, at=command.at, channel=command.channel)
            if left >= command.count:
                found.append(Alternative(pool, start, end, command.count))

    left = available(state, command.pool, command.start, command.end, at=command.at, channel=command.channel)
    if 0 < left < command.count:
        found.append(Alternative(command.pool, command.start, command.end, left))
    for pool in state.pools:
        if pool != command.pool:
            offer(pool, command.start, command.end)
    for start, end in ((0, 1), (-1, 0), (1, 0), (0, -1)):
        offer(command.pool, command.start + start, command.end + end)
    if command.count == 1 and len(found) < most and (legs := changes(state, command.pool, command.start, command.end)):
        found.append(Alternative(command.pool, command.start, command.end, 1, legs))
    return tuple(found)
