"""The ring of consistent hashing: points of workers, in order, rebuilt only when membership changes."""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from collections.abc import Iterator, Sequence
from functools import lru_cache
from hashlib import md5
from typing import Final

from shike.route.bounds import RING_KEPT, VIRTUAL_NODES
from shike.route.nouns import Candidate

SIZE: Final = 1 << 32
PER_DIGEST: Final = 4  # points of 32 bits in an MD5 of 128


def place_of_key(key: str) -> int:
    """Where a key stands."""
    return int.from_bytes(md5(key.encode(), usedforsecurity=False).digest()[:4])


@lru_cache(RING_KEPT)
def points_of(name: str) -> tuple[int, ...]:
    """The points of a worker, in order."""
    points = set[int]()
    for number in range(VIRTUAL_NODES // PER_DIGEST):
        digest = md5(f"{name}#{number}".encode(), usedforsecurity=False).digest()
        points.update(int.from_bytes(digest[at : at + 4]) for at in range(0, len(digest), 4))
    return tuple(sorted(points))


def identities(workers: Sequence[Candidate]) -> tuple[str, ...]:
    """A name for each that outlives its process: its own, told apart from others of the same name by their order."""
    seen: Counter[str] = Counter()
    names = []
    for worker in workers:
        seen[worker.name] += 1
        names.append(worker.name if seen[worker.name] == 1 else f"{worker.name}/{seen[worker.name]}")
    return tuple(names)


class Ring:
    """All points of some workers. `rebuilt` counts how often it had to be made anew."""

    def __init__(self) -> None:
        self._names: tuple[str, ...] | None = None
        self._points: list[int] = []
        self._owners: list[int] = []
        self.rebuilt = 0

    def of(self, names: tuple[str, ...]) -> None:
        """Be the ring of these workers, which are the same as before most of the time."""
        if names is self._names or names == self._names:
            return
        pairs = sorted((point, owner) for owner, name in enumerate(names) for point in points_of(name))
        self._points = [point for point, _ in pairs]
        self._owners = [owner for _, owner in pairs]
        self._names = names
        self.rebuilt += 1

    def onward(self, place: int, count: int) -> Iterator[tuple[int, int]]:
        """The next points of so many different owners, from a place on."""
        start, seen = bisect_left(self._points, place), set[int]()
        total = len(self._points)
        for step in range(total):
            at = (start + step) % total
            owner = self._owners[at]
            if owner not in seen:
                seen.add(owner)
                yield self._points[at], owner
                if len(seen) == count:
                    return
