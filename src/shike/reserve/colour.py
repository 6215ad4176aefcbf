"""Give intervals units so that none overlap: greedy by start, which needs no more units than the fullest segment.

That is optimal where all units are free all the way (interval graphs are perfect). Where some are fixed in places, each
interval gets the unit whose gap ends soonest after it, and it may fail though another colouring exists (NP-complete).
"""

from __future__ import annotations

from collections.abc import Iterable

Item = tuple[int, int, int]  # start, end, a key


def colour(free: list[int], items: Iterable[Item]) -> dict[int, int] | None:
    """Units by key, on a line with these units free per segment (changed by this); None where one finds none."""
    seated: dict[int, int] = {}
    for start, end, key in sorted(items):
        units = free[start]
        for segment in range(start + 1, end):
            units &= free[segment]
        if not units:
            return None
        bit = tightest(free, units, start, end)
        for segment in range(start, end):
            free[segment] ^= bit
        seated[key] = bit.bit_length() - 1
    return seated


def tightest(free: list[int], units: int, start: int, end: int) -> int:
    """Of `units`, one whose gap ends soonest after `end`; among those one that was in use just before `start`."""
    for segment in range(end, len(free)):
        ending = units & ~free[segment]
        if ending:
            units = ending
            break
    if start:
        units = units & ~free[start - 1] or units
    return units & -units
