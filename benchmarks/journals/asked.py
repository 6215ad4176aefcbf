"""What both children are asked, and how they tell what it took. Imports nothing but the standard library."""

from __future__ import annotations

import json
import random
import sys
import time
from collections.abc import Callable

SEGMENTS = 16
UNITS = 1_200
EVENTS_PER_STREAM = 1_000  # so that no line is ever sold out: a hold takes 6 segments on average
TOGETHER = 100  # events that are committed at once, where events are
Section = tuple[int, int]


def sections(count: int, seed: int = 1) -> list[Section]:
    """Any two places of the line, the same for everybody."""
    draw = random.Random(seed)
    found = []
    for _ in range(count):
        start, end = sorted(draw.sample(range(SEGMENTS + 1), 2))
        found.append((start, end))
    return found


class Clock:
    """Seconds on the wall and of this process's CPU, by what was done in them."""

    def __init__(self) -> None:
        self.figures: dict[str, float] = {}

    def tell(self, name: str, count: int, began: tuple[float, float]) -> None:
        self.figures[f"{name}_per_second"] = count / (time.perf_counter() - began[0])
        self.figures[f"{name}_cpu_micros"] = (time.process_time() - began[1]) / count * 1e6


def now() -> tuple[float, float]:
    return time.perf_counter(), time.process_time()


def main(play: Callable[[str, int, int], dict[str, float]]) -> None:
    """`WHERE SINGLE TOGETHER`: a URL, and how many events one by one, and a hundred at a time."""
    where, single, together = sys.argv[1:4]
    print(json.dumps(play(where, int(single), int(together))))
