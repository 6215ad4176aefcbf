"""Quotas: one type of rule, counted as takes come and go, looked at before each hold.

`MIN` is the rule that protects long sections: of the units on its section, `count` stay for takes that cover all of
it, so the others share what is left. Measured by thickness that is per segment: two short takes on one reused unit
take one unit away, not two (by tickets they would count twice, and the rule refuses more than it has to).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from shike.reserve.model import Measure, Rule, RuleKind
from shike.reserve.pools import PoolState

EVER = 1 << 62  # later than any instant


class RuleState:
    """A rule and what counts against it. `limit` is what the count may reach, `thick` counts takes per segment; they
    are nowhere thicker than all `tickets` together, which spares most looks at them."""

    __slots__ = ("limit", "rule", "since", "thick", "tickets", "until")

    def __init__(self, rule: Rule, segments: int) -> None:
        self.rule = rule
        self.since = rule.since
        self.until = rule.until or EVER
        self.limit = rule.count
        self.tickets = 0
        self.thick: list[int] = [0] * segments

    def fits(self, origin: int, pools: Iterable[PoolState]) -> None:
        """Learn what the rule means on the units that can be used now."""
        rule = self.rule
        if rule.kind is RuleKind.MIN:
            start, end = max(0, rule.start - origin), max(0, rule.end - origin)
            usable = [
                sum(_usable(state, segment) for state in pools if not rule.pools or state.pool.name in rule.pools)
                for segment in range(start, end)
            ]
            self.limit = max(0, min(usable, default=0) - rule.count)

    def touches(self, pool: str, start: int, end: int, channel: str) -> bool:
        """Whether takes of this section (absolute positions) count against the rule."""
        rule = self.rule
        if (rule.pools and pool not in rule.pools) or (rule.channels and channel not in rule.channels):
            return False
        return TOUCHES[rule.kind](rule, start, end)

    def part(self, start: int, end: int, origin: int) -> tuple[int, int]:
        """The segments (from the origin) that count, or (−1, −1) where tickets do."""
        rule = self.rule
        if rule.kind in (RuleKind.BOARD, RuleKind.ALIGHT) or rule.measure is Measure.TICKETS:
            return -1, -1
        return max(start, rule.start) - origin, min(end, rule.end) - origin


Part = tuple[RuleState, int, int]  # a rule that a section counts against, and the segments that count


def room(parts: Iterable[Part], at: int, most: int) -> int:
    """How many takes, up to `most`, the rules leave at that time; below 0 never."""
    for rule, start, end in parts:
        left = rule.limit - rule.tickets
        if left < most and rule.since <= at < rule.until:
            most = min(most, left if start < 0 else rule.limit - max(rule.thick[start:end]))
    return max(0, most)


def count(parts: Iterable[Part], change: int) -> None:
    """`change` more takes count (less, where it is negative)."""
    for rule, start, end in parts:
        rule.tickets += change
        if start >= 0:
            thick = rule.thick
            for segment in range(start, end):
                thick[segment] += change


def _usable(state: PoolState, segment: int) -> int:
    return state.size - state.blocked[segment].bit_count()


def _inside(rule: Rule, start: int, end: int) -> bool:
    return rule.start <= start and end <= rule.end


def _shares(rule: Rule, start: int, end: int) -> bool:
    """Touches the section, and does not cover it."""
    return start < rule.end and rule.start < end and not (start <= rule.start and rule.end <= end)


def _begins(rule: Rule, start: int, _end: int) -> bool:
    return start == rule.start


def _ends(rule: Rule, _start: int, end: int) -> bool:
    return end == rule.start


TOUCHES: dict[RuleKind, Callable[[Rule, int, int], bool]] = {
    RuleKind.MAX: _inside,
    RuleKind.MIN: _shares,
    RuleKind.BOARD: _begins,
    RuleKind.ALIGHT: _ends,
}
