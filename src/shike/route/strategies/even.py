"""Divided work in stretches: of `total` parts each worker has as many as the others, side by side.

`Route.key` says which part it is, "3/12"; any other key stands for the part that its hash names. When workers come or
go, parts that have not begun are divided anew (`Strategy.divides`).
"""

from __future__ import annotations

import re
import zlib
from collections.abc import Sequence
from typing import ClassVar, Final

from shike.route.fitness import Field
from shike.route.nouns import Ask, Candidate, Choice
from shike.route.strategy import Strategy, distances, in_order

PART: Final = re.compile(r"(\d{1,9})/(\d{1,9})")
HASHED: Final = 1 << 16  # as many parts have keys that are no parts


class Even(Strategy):
    """Part i of n goes to the worker at place i x workers ÷ n."""

    divides: ClassVar[bool] = True

    def choose(self, ask: Ask, field: Field) -> Choice:
        place = place_of(ask.key, len(field))
        return Choice(place, (), in_order(len(field), place))

    def scores(self, ask: Ask, workers: Sequence[Candidate], view: Sequence[float]) -> list[float]:
        return distances(len(workers), place_of(ask.key, len(workers)))


def place_of(key: str, workers: int) -> int:
    """At which of so many workers this part is at home."""
    found = PART.fullmatch(key)
    index, total = (int(found[1]), int(found[2])) if found else (zlib.crc32(key.encode()) % HASHED, HASHED)
    return min(index * workers // total, workers - 1) if total else 0


strategy = Even
