"""From a wish to units: what is free all the way first, then room made by moving others, else why not."""

from __future__ import annotations

from typing import final

from msgspec import Struct

from shike.reserve.model import NOWHERE, Move, Reason, Refusal, Together, Want
from shike.reserve.pools import PoolState, mask_of
from shike.reserve.seats import best, by_name, check_want, group, wished
from shike.reserve.state import Plan, State
from shike.reserve.swap import make_room


@final
class Placed(Struct, frozen=True, gc=False):
    """Units for the takes of one order, after `moves` of others."""

    units: tuple[int, ...]
    moves: tuple[Move, ...] = ()
    pinned: bool = False


def find(state: State, plan: Plan, at: int, count: int, people: tuple[str, ...], want: Want | None) -> Placed | Refusal:
    """Units for `count` takes on the plan's section, all or none, within the rules, for people who are not elsewhere.

    The first lines are the hot path: what is sold out is refused after a few ANDs, a single take without a wish is
    placed by a few more.
    """
    pool = plan.pool
    if pool.counted:
        units = 0
        if min(pool.left[plan.start : plan.end]) < count:
            return _too_few_left(pool, plan)
    else:
        free = pool.free
        units = free[plan.start]
        for mask in free[plan.start + 1 : plan.end]:
            units &= mask
        if not (units or pool.fluid):
            return why_not(pool, plan.start, plan.end, units, count)
    least, least_of = count, None
    for rule, start, end in plan.rules:
        left = rule.limit - rule.tickets
        if left < least and rule.since <= at < rule.until:
            if start >= 0:
                left = rule.limit - max(rule.thick[start:end])
            if left < least:
                least, least_of = left, rule
    if least_of is not None:
        return Refusal(Reason.QUOTA, max(0, least), least_of.rule.name)
    if people:
        elsewhere = state.people
        for who in people:
            if who in elsewhere and elsewhere[who] & plan.mask:
                return Refusal(Reason.PERSON, who=who)
    if units and count == 1 and want is None:
        return Placed((best(pool, units, plan.start, plan.end).bit_length() - 1,))
    return _place(state, plan, units, count, want)


def _place(state: State, plan: Plan, units: int, count: int, want: Want | None) -> Placed | Refusal:
    pool, start, end = plan.pool, plan.start, plan.end
    if pool.counted:
        if want is not None:
            check_want(pool, want, count)
            if want.hard:  # there is no unit yet that could be promised
                return Refusal(Reason.WISH, min(pool.left[start:end]))
        return Placed((NOWHERE,) * count)
    if want is not None:
        return _as_wanted(state, plan, units, count, want)
    if count <= units.bit_count():
        return Placed(group(pool, units, start, end, count, Together.ROW)[0])
    return _squeezed(state, plan, units, count)


def _too_few_left(pool: PoolState, plan: Plan) -> Refusal:
    left = pool.left[plan.start : plan.end]
    return Refusal(Reason.FULL, min(left), segment=plan.start + left.index(min(left)))


def _as_wanted(state: State, plan: Plan, units: int, count: int, want: Want) -> Placed | Refusal:
    pool, start, end = plan.pool, plan.start, plan.end
    if want.units:
        numbers = by_name(pool, want.units, count)
        named = mask_of(numbers)
        if named & units == named:
            return Placed(numbers, pinned=want.hard)
    else:
        named = 0
    fitting = units & wished(pool, want)
    if named or fitting.bit_count() < count:
        if want.hard:
            return _not_as_wished(pool, start, end, units, count)
        fitting = units
    if fitting.bit_count() < count:
        return _squeezed(state, plan, units, count)
    chosen, near = group(pool, fitting, start, end, count, want.together)
    if want.hard and not near and count > 1:
        return _not_as_wished(pool, start, end, units, count)
    return Placed(chosen, pinned=want.hard)


def _not_as_wished(pool: PoolState, start: int, end: int, units: int, count: int) -> Refusal:
    if units.bit_count() < count:
        return why_not(pool, start, end, units, count)
    return Refusal(Reason.WISH, units.bit_count())


def _squeezed(state: State, plan: Plan, units: int, count: int) -> Placed | Refusal:
    """Too few are free all the way. Where takes may be moved, as many as the counters allow still fit."""
    pool, start, end = plan.pool, plan.start, plan.end
    refusal = why_not(pool, start, end, units, count)
    if refusal.reason is Reason.FULL or not pool.fluid or pool.stuck.get((start, end)) == pool.gains:
        return refusal
    made = make_room(state, pool, start, end, count)
    if made is None:
        if count == 1:
            pool.stuck[start, end] = pool.gains
        return refusal
    return Placed(*made)


def why_not(pool: PoolState, start: int, end: int, units: int, count: int) -> Refusal:
    """Too few are free all the way: because a segment is full, or only because they are free here and there."""
    free = pool.free
    left = units.bit_count()
    if count == 1:
        full = 0 in free[start:end]
        return Refusal(Reason.FULL if full else Reason.FRAGMENTED, left)
    for segment in range(start, end):
        if free[segment].bit_count() < count:
            return Refusal(Reason.FULL, left, segment=segment)
    return Refusal(Reason.FRAGMENTED, left)
