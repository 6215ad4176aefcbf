"""From a forecast of demand to prices and rules: what an operator may set, and what it is expected to earn."""

from __future__ import annotations

from collections.abc import Mapping

from msgspec import Struct

from shike.errors import BadCommand
from shike.reserve.flow import Section, optimum
from shike.reserve.model import Measure, Rule, RuleKind
from shike.reserve.state import State

RULES = 6  # advised at most: people have to understand them


class Advice(Struct, frozen=True):
    """`prices` for `SetPrices`, or `rules` where people want rules; `value` is what the forecast would earn with
    perfect foresight, `plain` what first come, first served would, if demand arrived evenly."""

    value: float
    plain: float
    prices: tuple[int, ...]
    rules: tuple[Rule, ...]


def advise(state: State, pool: str, demand: Mapping[Section, float], fares: Mapping[Section, int]) -> Advice:
    """For what is left of the pool, and the demand that is still to come (sections from the line's origin).

    A price per segment refuses what earns less than the units are worth to others; it is near to the best there is. The
    rules say the same more coarsely: of the sections inside these, no more than the best plan would sell.
    """
    found = state.pools.get(pool)
    if found is None:
        raise BadCommand(f"there is no pool {pool!r} here; there are {', '.join(state.pools) or 'none'}")
    units = found.left if found.counted else [mask.bit_count() for mask in found.free]
    best = optimum(units, demand, fares)
    return Advice(
        best.value,
        _evenly(units, demand, fares),
        tuple(round(price) for price in best.prices),
        _rules(state, pool, demand, best.sold, fares, best.prices),
    )


def _evenly(units: list[int], demand: Mapping[Section, float], fares: Mapping[Section, int]) -> float:
    """First come, first served, as a fluid: all sections flow in at their rates until a segment of theirs is full."""
    left = [float(count) for count in units]
    open_ = {section: wanted for section, wanted in demand.items() if wanted > 0}
    value, remaining = 0.0, 1.0
    while open_ and remaining > 1e-12:
        rate = [0.0] * len(left)
        for (start, end), wanted in open_.items():
            for segment in range(start, end):
                rate[segment] += wanted
        step = min([remaining, *(room / flow for room, flow in zip(left, rate, strict=True) if flow > 0)])
        remaining -= step
        value += step * sum(wanted * fares[section] for section, wanted in open_.items())
        left = [room - step * flow for room, flow in zip(left, rate, strict=True)]
        full = {segment for segment, room in enumerate(left) if room < 1e-9}
        open_ = {section: wanted for section, wanted in open_.items() if full.isdisjoint(range(*section))}
    return value


def _rules(
    state: State,
    pool: str,
    demand: Mapping[Section, float],
    sold: Mapping[Section, float],
    fares: Mapping[Section, int],
    prices: tuple[float, ...],
) -> tuple[Rule, ...]:
    """Those sections first where a refusal is worth the most. A rule counts what was sold before it, too."""
    origin = state.origin
    worth: list[tuple[float, Section]] = []
    for section, wanted in demand.items():
        refused = wanted - sold.get(section, 0.0)
        gain = refused * (sum(prices[section[0] : section[1]]) - fares[section])
        if refused > 0.5 and gain > 0:
            worth.append((gain, section))
    rules = []
    for _, (start, end) in sorted(worth, reverse=True)[:RULES]:
        at = (start + origin, end + origin)
        inside = sum(count for (first, last), count in sold.items() if start <= first and last <= end)
        inside += sum(order.count for order in state.live_orders(pool) if at[0] <= order.start and order.end <= at[1])
        name = f"advice {pool} {at[0]}-{at[1]}"
        rules.append(Rule(name, RuleKind.MAX, round(inside), *at, Measure.TICKETS, (pool,)))
    return tuple(rules)
