"""What a line, pools and rules must be before a ledger takes them. Each raises `BadCommand` that says what to do."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import pairwise

from shike.errors import BadCommand
from shike.reserve.bounds import (
    CAPACITY_MAX,
    COUNT_MAX,
    NAME_CHARS_MAX,
    PEOPLE_CHARS_MAX,
    POOLS_MAX,
    SEGMENTS_MAX,
    TTL_SECONDS_MAX,
    UNITS_MAX,
)
from shike.reserve.commands import Hold, Join
from shike.reserve.model import NEVER, Binding, Line, Pool, Rule, RuleKind, Sale, Unit


def check_order(command: Hold | Join) -> None:
    """An order that can be meant."""
    count, people = command.count, command.people
    if not 0 < count <= COUNT_MAX:
        raise BadCommand(f"an order has 1 … {COUNT_MAX} takes, not {count}")
    if not 0 < command.ttl_seconds <= TTL_SECONDS_MAX:
        raise BadCommand(f"a hold lasts more than 0 and at most {TTL_SECONDS_MAX:.0f} seconds")
    if people:
        if len(people) != count:
            raise BadCommand(f"name as many people as takes: {count}, not {len(people)}")
        if count > 1 and len(set(people)) != count:
            raise BadCommand("one person is named twice in the order")
        for who in people:
            if not 0 < len(who) <= PEOPLE_CHARS_MAX:
                raise BadCommand(f"a person is named by 1 … {PEOPLE_CHARS_MAX} characters")


def check_line(line: Line) -> None:
    """At least one segment; instants that do not go back."""
    if not 1 <= line.segments <= SEGMENTS_MAX:
        raise BadCommand(f"a line has 2 … {SEGMENTS_MAX + 1} positions, not {len(line.labels)}")
    if line.origin < 0:
        raise BadCommand("a line begins at position 0 or later")
    check_times(line.times, len(line.labels))


def check_times(times: Sequence[int], positions: int) -> None:
    if times and len(times) != positions:
        raise BadCommand(f"give an instant for each of the {positions} positions, or none; there are {len(times)}")
    if any(later < earlier for earlier, later in pairwise(times)):
        raise BadCommand("the instants of a line must not go back")


def check_pools(pools: Sequence[Pool]) -> None:
    """1 … 64 pools of different names."""
    if not 1 <= len(pools) <= POOLS_MAX:
        raise BadCommand(f"a ledger has 1 … {POOLS_MAX} pools, not {len(pools)}")
    _unique("pool", [pool.name for pool in pools])
    for pool in pools:
        _check_pool(pool)


def _check_pool(pool: Pool) -> None:
    if pool.binding is Binding.NEVER:
        if pool.units or not 0 < pool.capacity <= CAPACITY_MAX:
            raise BadCommand(f"pool {pool.name!r} without units has a capacity of 1 … {CAPACITY_MAX}, and no units")
    elif pool.capacity:
        raise BadCommand(f"pool {pool.name!r} has units with names: leave out its capacity, or bind it never")
    else:
        check_units(pool.name, pool.units)
    if not 0 <= pool.spread_until <= 1:
        raise BadCommand(f"spread_until of pool {pool.name!r} is a share, 0 … 1")


def check_units(pool: str, units: Sequence[Unit]) -> None:
    if not 1 <= len(units) <= UNITS_MAX:
        raise BadCommand(f"pool {pool!r} has 1 … {UNITS_MAX} units, not {len(units)}")
    _unique(f"unit of pool {pool!r}", [unit.name for unit in units])


def check_sale(sale: Sale) -> None:
    if sale.closes_at != NEVER and sale.closes_at <= sale.opens_at:
        raise BadCommand("a sale closes after it opens")


def check_rules(rules: Sequence[Rule], first: int, last: int, pools: Iterable[str]) -> None:
    """Rules for a line of positions `first` … `last`."""
    _unique("rule", [rule.name for rule in rules])
    known = set(pools)
    for rule in rules:
        _check_rule(rule, first, last)
        strange = sorted(set(rule.pools) - known)
        if strange:
            raise BadCommand(f"rule {rule.name!r} is for pool {strange[0]!r}, which is not here")


def _check_rule(rule: Rule, first: int, last: int) -> None:
    if rule.count < 0:
        raise BadCommand(f"the count of rule {rule.name!r} is negative")
    if rule.kind in (RuleKind.BOARD, RuleKind.ALIGHT):
        if not first <= rule.start <= last:
            raise BadCommand(f"rule {rule.name!r} is for position {rule.start}; the line has {first} … {last}")
    elif not first <= rule.start < rule.end <= last:
        raise BadCommand(f"the section of rule {rule.name!r} must go forward within {first} … {last}")
    if rule.until != NEVER and rule.until <= rule.since:
        raise BadCommand(f"rule {rule.name!r} ends before it begins")


def _unique(what: str, names: Sequence[str]) -> None:
    seen: set[str] = set()
    for name in names:
        if not 0 < len(name) <= NAME_CHARS_MAX:
            raise BadCommand(f"a {what} has a name of 1 … {NAME_CHARS_MAX} characters")
        if name in seen:
            raise BadCommand(f"there are two {what}s called {name!r}")
        seen.add(name)
