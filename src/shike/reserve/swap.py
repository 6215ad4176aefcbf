"""Make room by moving takes that may still be moved: tail swaps, and full recolouring where pins block those.

Each segment has a unit to spare, but no unit is free all the way. Then there is a chain of units, each free where the
one before stops being so. At such a border nobody spans it on either of the two, so all that begins after it can be
exchanged between them; then the first unit is free as far as the second was. Greedy by farthest reach, which takes the
fewest (interval covering). About two takes are moved. Without pins it always succeeds, because interval graphs are
perfect: as many units are enough as lie over the fullest segment. With pins it is a hard problem (precolouring
extension), and this a heuristic.
"""

from __future__ import annotations

from shike.reserve.colour import colour
from shike.reserve.model import Move
from shike.reserve.pools import INDEX_BITS, UNIT_SHIFT, PoolState
from shike.reserve.state import State

INDEX_MASK = (1 << INDEX_BITS) - 1
START_MASK = (1 << UNIT_SHIFT) - 1

Room = tuple[tuple[int, ...], tuple[Move, ...]]  # units for the new takes, and what has to be moved before


class Sketch:
    """A copy of a pool's units, to try moves on."""

    def __init__(self, state: State, pool: PoolState) -> None:
        self.free = list(pool.free)
        self.fixed = fixed(state, pool)
        self._state = state
        self._placed = pool.placed
        self._over: dict[int, int | None] = {}  # `placed` as it would be, where it would be different
        self._units: dict[int, int] = {}  # where each moved take ends up

    def take(self, unit: int, start: int, end: int) -> None:
        """`unit` is a new take's, which stays where it is."""
        for segment in range(start, end):
            self.free[segment] ^= 1 << unit
            self.fixed[segment] |= 1 << unit

    def free_one(self, start: int, end: int) -> int | None:
        """Make one unit free all the way; None where what is fixed blocks every chain."""
        loose = self._loose()
        first, at = self._reach(-1, start, end, loose)
        if not first:
            return None
        unit = (first & -first).bit_length() - 1
        while at < end:
            others, far = self._reach(loose[at], at, end, loose)
            if not others:
                return None
            self._swap(unit, (others & -others).bit_length() - 1, at)
            at = far
        return unit

    def _loose(self) -> list[int]:
        """Per border: the units on which nothing after it is fixed."""
        held, loose = 0, [-1]
        for mask in reversed(self.fixed):
            held |= mask
            loose.append(~held)
        return loose[::-1]

    def _reach(self, units: int, start: int, end: int, loose: list[int]) -> tuple[int, int]:
        """Those of `units` that are free from `start` the farthest and may be cut there; how far (at most `end`)."""
        found, far = 0, start
        for segment in range(start, end):
            units &= self.free[segment]
            if not units:
                break
            here = units if segment + 1 == end else units & loose[segment + 1]
            if here:
                found, far = here, segment + 1
        return found, far

    def _swap(self, one: int, other: int, border: int) -> None:
        """Exchange all that begins at or after the border between two units; nothing spans it on either."""
        tails = self._tail(one, border), self._tail(other, border)
        for key, _ in (*tails[0], *tails[1]):
            self._over[key] = None
        for unit, tail in ((other, tails[0]), (one, tails[1])):
            for key, take in tail:
                self._over[unit << UNIT_SHIFT | key & START_MASK] = take
                self._units[take] = unit
        both = 1 << one | 1 << other
        for segment in range(border, len(self.free)):
            if self.free[segment] & both not in (0, both):
                self.free[segment] ^= both

    def _tail(self, unit: int, border: int) -> list[tuple[int, int]]:
        origin, found = self._state.origin, []
        for key in range(unit << UNIT_SHIFT | origin + border, unit << UNIT_SHIFT | origin + len(self.free)):
            take = self._over[key] if key in self._over else self._placed.get(key)
            if take is not None:
                found.append((key, take))
        return found

    def moves(self) -> tuple[Move, ...]:
        """What of all that comes to another unit than it has."""
        orders = self._state.orders
        wanted = ((take >> INDEX_BITS, take & INDEX_MASK, unit) for take, unit in self._units.items())
        return tuple(Move(*move) for move in wanted if orders[move[0]].units[move[1]] != move[2])


def make_room(state: State, pool: PoolState, start: int, end: int, count: int) -> Room | None:
    """Units for `count` takes on the section, and the moves that free them; None where none were found."""
    sketch = Sketch(state, pool)
    chosen: list[int] = []
    for _ in range(count):
        unit = sketch.free_one(start, end)
        if unit is None:
            return recolour(state, pool, start, end, count)
        sketch.take(unit, start, end)
        chosen.append(unit)
    return tuple(chosen), sketch.moves()


def fixed(state: State, pool: PoolState) -> list[int]:
    """Per segment: the units that are blocked, or taken by what must not be moved (pinned, or under way)."""
    held = list(pool.blocked)
    under_way = state.position > state.origin
    orders = state.live_orders(pool.pool.name) if under_way else (state.orders[number] for number in pool.pinned)
    for order in orders:
        if order.pinned or order.start < state.position:
            for take in state.takes(order):
                for segment in range(take.start - state.origin, take.end - state.origin):
                    held[segment] |= 1 << take.unit
    return held


def recolour(state: State, pool: PoolState, start: int, end: int, count: int) -> Room | None:
    """Seat everybody anew, but what is fixed: renumbers many, and is asked only where tail swaps are blocked."""
    held, origin = fixed(state, pool), state.origin
    items = [(start, end, -index) for index in range(1, count + 1)]
    for order in state.live_orders(pool.pool.name):
        if not order.pinned and order.start >= state.position:
            for take in state.takes(order):
                items.append((take.start - origin, take.end - origin, take.order << INDEX_BITS | take.index))
    seated = colour([pool.all & ~mask for mask in held], items)
    if seated is None:
        return None
    moves = []
    for key, unit in seated.items():
        if key > 0 and state.orders[key >> INDEX_BITS].units[key & INDEX_MASK] != unit:
            moves.append(Move(key >> INDEX_BITS, key & INDEX_MASK, unit))
    return tuple(seated[-index] for index in range(1, count + 1)), tuple(moves)
