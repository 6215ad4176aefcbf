"""From where on a lane is worth reading, so that a claim does not walk over what was claimed before it.

PostgreSQL keeps an entry that is gone in its index until a vacuum takes it out, a minute later or, while somebody reads
one state of the database for long, much later. Whoever reads a lane from its front walks over all of them: a backlog of
a million would be claimed more slowly with each batch. So a process remembers how far it has claimed.

A floor is a hint. What comes in below it (a commit that took long, a rescued run, a claim that was taken back) is found
by the next look from the very front: at least one such look is made in `LOOK_SECONDS`, and nobody is ever told that
there is nothing without one.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from typing import Final

from shike.clock import MICROS
from shike.store.orders import is_ranked
from shike.store.rows import LANES_PER_QUEUE

CLAIMED_MIN: Final = 2_000  # of one lane since a vacuum may have come by: fewer are no burden
VACUUM_SECONDS: Final = 60.0  # PostgreSQL looks whether one is needed as often, if it is not set otherwise
SLACK_MICROS: Final = MICROS  # a floor stays so far behind the clock: commits come in the order of their run_at, nearly
LOOK_SECONDS: Final = (0.25, 30.0)  # between two looks from the front: at least, and at most
LOOK_SHARE: Final = 0.05  # of the time that may be spent on these looks

Place = tuple[int, int]  # run_at, id


class Floors:
    """How far this process has claimed in each lane. Any thread may ask and tell."""

    def __init__(self, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._monotonic = monotonic
        self._since = monotonic()
        self._claimed: dict[int, int] = {}  # lane -> how many since then
        self._floors: dict[int, Place] = {}
        self._look_at = 0.0

    def of(self, queues: Iterable[int]) -> dict[int, Place]:
        """The floors of all lanes of these queues (named by their first lanes); none where it is time for a look from
        the front."""
        floors = self._floors  # other threads change them
        if not floors or self._monotonic() >= self._look_at:
            return {}
        lanes = (lane for first in queues for lane in range(first, first + LANES_PER_QUEUE))
        return {lane: place for lane in lanes if (place := floors.get(lane)) is not None}

    def looked(self, seconds: float) -> None:
        """A look from the front was made, and took so long."""
        self._look_at = self._monotonic() + min(max(seconds / LOOK_SHARE, LOOK_SECONDS[0]), LOOK_SECONDS[1])

    def look_next(self) -> None:
        """Let the next claim read from the front."""
        self._look_at = 0.0

    def took(self, lane: int, last: Place, count: int, now: int) -> None:
        """So many were claimed, up to this place, at `now` by the store's clock."""
        if self._monotonic() - self._since > VACUUM_SECONDS:
            self.forget()
        self._claimed[lane] = claimed = self._claimed.get(lane, 0) + count
        if claimed >= CLAIMED_MIN and not is_ranked(last[0]):  # what is ranked comes in before what was claimed
            self._floors[lane] = min(last, (now - SLACK_MICROS, 0))

    def forget(self) -> None:
        """Read from the front from here on."""
        self._since = self._monotonic()
        self._claimed, self._floors = {}, {}


def ranges(firsts: Iterable[int], floors: Iterable[int]) -> list[tuple[int, int]]:
    """The lanes of these queues but for those that have a floor, as (first, last) of each stretch."""
    apart = set(floors)
    found: list[tuple[int, int]] = []
    for first in firsts:
        start = first
        for lane in [lane for lane in range(first, first + LANES_PER_QUEUE) if lane in apart] + [
            first + LANES_PER_QUEUE
        ]:
            if start < lane:
                found.append((start, lane - 1))
            start = lane + 1
    return found
