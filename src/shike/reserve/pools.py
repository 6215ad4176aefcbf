"""A pool as it stands: one big-int bitset of free units per segment, or a counter per segment where none is named.

A bit is set where its unit is free: neither taken nor blocked. So the units that are free all the way are the AND over
the segments, and how many are left is a count of bits; no second structure has to be kept in step.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from shike.reserve.model import Binding, Pool, Unit

UNIT_SHIFT = 32  # `placed` is keyed by unit << 32 | start …
INDEX_BITS = 7  # … and tells order << 7 | index


class PoolState:
    """Segments are counted from the line's origin. `counted` pools use `left`, the others `free`."""

    __slots__ = (
        "all",
        "areas",
        "attributes",
        "blocked",
        "counted",
        "fill",
        "fluid",
        "free",
        "gains",
        "left",
        "numbers",
        "pinned",
        "placed",
        "pool",
        "prices",
        "row_follows",
        "sealed",
        "size",
        "spread",
        "stuck",
        "taken",
        "untouched",
    )

    def __init__(self, pool: Pool, segments: int) -> None:
        self.pool = pool
        self.sealed = False
        self.prices: tuple[int, ...] = ()
        self.free: list[int] = []
        self.left: list[int] = []
        self.blocked: list[int] = [0] * segments
        self.placed: dict[int, int] = {}
        self.pinned: set[int] = set()  # live orders that nothing moves, of a fluid pool
        self.taken = 0  # unit-segments
        self.gains = 0  # how often something came free: what was hopeless stays so until then
        self.stuck: dict[tuple[int, int], int] = {}  # sections found hopeless, and `gains` then
        self.describe(pool)
        self.left = [self.size] * segments if self.counted else []
        self.free = [] if self.counted else [self.all] * segments
        self.untouched = self.all

    def describe(self, pool: Pool) -> None:
        """Learn what does not change with takes: masks of attributes, rows and areas."""
        self.pool = pool
        self.size = pool.size
        self.fill = pool.fill
        self.spread = pool.spread_until * pool.size  # of units, on each segment
        self.all = (1 << len(pool.units)) - 1
        self.attributes: dict[str, int] = {}
        self.areas: dict[str, int] = {}
        self.numbers: dict[str, int] = {}
        self.row_follows = 0  # units whose right-hand neighbour sits in the same row
        for number, unit in enumerate(pool.units):
            bit = 1 << number
            self.numbers[unit.name] = number
            self.areas[unit.area] = self.areas.get(unit.area, 0) | bit
            for attribute in unit.attributes:
                self.attributes[attribute] = self.attributes.get(attribute, 0) | bit
            if number and _adjacent(pool.units[number - 1], unit):
                self.row_follows |= bit >> 1
        self.bind()

    def bind(self) -> None:
        """What the binding means as long as the pool is not sealed, and after."""
        binding = self.pool.binding
        self.counted = binding is Binding.NEVER or (binding is Binding.AT_SEAL and not self.sealed)
        self.fluid = binding is Binding.ON_DEMAND and not self.sealed  # takes may still be moved

    def fit(self, start: int, end: int) -> int:
        """The units that are free all the way."""
        free = self.free
        units = free[start]
        for mask in free[start + 1 : end]:
            units &= mask
        return units

    def least(self, start: int, end: int) -> int:
        """How many are free on the fullest segment: never less than are free all the way."""
        if self.counted:
            return min(self.left[start:end])
        return min(mask.bit_count() for mask in self.free[start:end])

    def open_to(self, start: int, end: int) -> int:
        """How many takes of the section the pool has left: exact, except that pins of a fluid pool make it a bound
        from below (never told more than is there)."""
        if self.counted or (self.fluid and not self.pinned and not any(self.blocked)):
            return self.least(start, end)
        return self.fit(start, end).bit_count()

    def occupy(self, units: int, count: int, start: int, end: int) -> None:
        """`count` units, as a mask, are free all the way, and are not any more."""
        free = self.free
        for segment in range(start, end):
            free[segment] ^= units
        self.untouched &= ~units
        self.taken += count * (end - start)

    def vacate(self, units: int, count: int, start: int, end: int) -> None:
        """`count` units, as a mask, are free again (a take never lies where its unit is blocked)."""
        free = self.free
        for segment in range(start, end):
            free[segment] |= units
        self.taken -= count * (end - start)
        for mask in free:
            units &= mask
        self.untouched |= units

    def count(self, start: int, end: int, change: int) -> None:
        """`change` more (or less) are left of a counted pool."""
        left = self.left
        for segment in range(start, end):
            left[segment] += change
        self.taken -= change * (end - start)


def _adjacent(one: Unit, other: Unit) -> bool:
    return bool(one.row) and one.row == other.row and one.area == other.area


def bits(mask: int) -> Iterator[int]:
    """The numbers of the set bits, lowest first."""
    while mask:
        low = mask & -mask
        yield low.bit_length() - 1
        mask ^= low


def mask_of(units: Iterable[int]) -> int:
    mask = 0
    for unit in units:
        mask |= 1 << unit
    return mask
