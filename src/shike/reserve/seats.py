"""Which unit: best fit by the two neighbours, wishes, and units side by side — each a few ANDs on bitsets.

Best fit takes a touched unit before an untouched one, and among those one that leaves no hole before or after the
take (the ends of the line leave none). An exact search for the tightest gap sells nothing more and costs four times
as much; an untouched unit first sells 10 % less at exactly full demand (docs/reserve.md has the figures).
"""

from __future__ import annotations

from typing import Final

from shike.errors import BadCommand
from shike.reserve.model import Fill, Together, Want
from shike.reserve.pools import PoolState, mask_of

BEST: Final = Fill.BEST  # looked up for each take


def best(pool: PoolState, units: int, start: int, end: int) -> int:
    """The bit of the one to take, of `units` that are all free on the section."""
    choice = preferred(pool, units, start, end)
    return choice & -choice


def preferred(pool: PoolState, units: int, start: int, end: int) -> int:
    """Those of `units` that are equally good, and better than the others."""
    fill = pool.fill
    if fill is BEST:
        if pool.spread and pool.taken < pool.spread * len(pool.free):
            return _apart(pool, units, start, end)
        used = units & ~pool.untouched
        if not used:
            return units
        free = pool.free
        before = free[start - 1] if start else 0
        after = free[end] if end < len(free) else 0
        return (used & ~before & ~after) or (used & ~(before & after)) or used
    if fill is Fill.FRESH:
        return units & pool.untouched or units
    return units


def _apart(pool: PoolState, units: int, start: int, end: int) -> int:
    """Those with nobody beside them on the section, untouched ones first."""
    follows = pool.row_follows
    others = pool.all & ~pool.fit(start, end)
    crowded = ((others >> 1) & follows) | ((others & follows) << 1)
    alone = units & ~crowded or units
    return alone & pool.untouched or alone


def several(pool: PoolState, units: int, start: int, end: int, count: int) -> tuple[int, ...]:
    """So many of `units`, each the best that is left."""
    chosen = []
    for _ in range(count):
        bit = best(pool, units, start, end)
        units ^= bit
        chosen.append(bit.bit_length() - 1)
    return tuple(chosen)


def side_by_side(pool: PoolState, units: int, start: int, end: int, count: int) -> tuple[int, ...]:
    """So many neighbours in one row, or () where there are none: without holes before others, at an edge before the
    middle, so that nobody is left alone in a gap of one."""
    for some in (preferred(pool, units, start, end), units & ~pool.untouched, units):
        run = _runs(pool, some, count)
        if run:
            edges = run & ~((units & pool.row_follows) << 1)
            first = edges or run
            number = (first & -first).bit_length() - 1
            return tuple(range(number, number + count))
    return ()


def _runs(pool: PoolState, units: int, count: int) -> int:
    """The units from which on so many neighbours are in `units`."""
    run = units
    steps = units & pool.row_follows
    for _ in range(count - 1):
        run = steps & (run >> 1)
    return run


def in_one_area(pool: PoolState, units: int, start: int, end: int, count: int) -> tuple[int, ...]:
    """So many in the area with the fewest that suffices, or ()."""
    sizes = [(mask.bit_count(), mask) for mask in (units & area for area in pool.areas.values())]
    enough = min((size, mask) for size, mask in (*sizes, (1 << 62, 0)) if size >= count)
    return several(pool, enough[1], start, end, count) if enough[1] else ()


def group(
    pool: PoolState, units: int, start: int, end: int, count: int, near: Together
) -> tuple[tuple[int, ...], bool]:
    """So many units as near to each other as can be, and whether that is as near as asked. `units` has enough."""
    if near is Together.ROW:
        row = side_by_side(pool, units, start, end, count)
        if row:
            return row, True
    if near is not Together.ANY:
        area = in_one_area(pool, units, start, end, count)
        if area:
            return area, near is Together.AREA
    return several(pool, units, start, end, count), near is Together.ANY


def wished(pool: PoolState, want: Want) -> int:
    """The units that have all attributes wished for. Raises `BadCommand` for an attribute that no unit has."""
    units = pool.all
    for attribute in want.attributes:
        mask = pool.attributes.get(attribute)
        if mask is None:
            known = ", ".join(sorted(pool.attributes)) or "none"
            raise BadCommand(f"no unit of {pool.pool.name!r} is {attribute!r}; there are: {known}")
        units &= mask
    return units


def check_want(pool: PoolState, want: Want, count: int) -> None:
    """Raises `BadCommand` for a wish that no units of the pool could ever fulfil."""
    if pool.pool.units:
        wished(pool, want)
        if want.units:
            by_name(pool, want.units, count)


def by_name(pool: PoolState, names: tuple[str, ...], count: int) -> tuple[int, ...]:
    """The numbers of the units of these names. Raises `BadCommand` unless they are as many different ones as asked."""
    try:
        numbers = tuple(pool.numbers[name] for name in names)
    except KeyError as error:
        raise BadCommand(f"there is no unit {error.args[0]!r} in pool {pool.pool.name!r}") from None
    if len(numbers) != count or mask_of(numbers).bit_count() != count:
        raise BadCommand(f"{count} different units have to be named for {count} takes; there are {len(names)} names")
    return numbers
