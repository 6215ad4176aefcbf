"""All structures side by side, doing the same at random: `python -m tests.unit.timer.differential 1000000 --seed 7`.

`--builds` compares only the builds of the default with a heap, with more that is pending. Every answer of every
structure is compared with the first one's; what a seed found is found again by that seed.
"""

from __future__ import annotations

import argparse
import random
import time
from collections.abc import Callable
from functools import partial
from typing import Any

from tests.unit.timer.builds import BUILDS

from shike.timer import TIMER_NAMES, TimerQueue, timer_queue

Makers = dict[str, Callable[[], TimerQueue[Any]]]
TICKS_PER_SECOND = 1_000  # in which the hashed wheel is exact too
MAKERS_OF_BUILDS: Makers = {f"calendar, {name}": partial(make, TICKS_PER_SECOND) for name, make in BUILDS.items()}
NARROW: Makers = {f"narrow calendar, {name}": partial(make, 64, crowd=60) for name, make in BUILDS.items()}
OTHERS: Makers = {
    name: partial(timer_queue, name, ticks_per_second=TICKS_PER_SECOND) for name in TIMER_NAMES if name != "calendar"
}
EXACT = "lazy-heap"  # its `next_due` is
EVERYTHING = MAKERS_OF_BUILDS | OTHERS
BUILDS_ALONE = MAKERS_OF_BUILDS | NARROW | {EXACT: OTHERS[EXACT]}
PENDING_MAX = 400  # the slowest go through all of them at each look
PENDING_MAX_BUILDS = 10_000
FAR = [0, 1, 7, 64, 1_000, 4_096, 60_000, 4_800_000, 2**33, 2**62]
EIGHTY_MINUTES = 4_800_000  # milliseconds
WORDS = 200  # of an answer, in a message


class Side:
    """All structures, told the same; times are milliseconds."""

    def __init__(self, seed: int, makers: Makers, pending_max: int) -> None:
        self.rng = random.Random(seed)
        self.names = list(makers)
        self.pending_max = pending_max
        self.queues: list[TimerQueue[int]] = [make() for make in makers.values()]
        self.tokens: list[tuple[int, ...]] = []
        self.now = 1_700_000_000_000
        self.items = 0

    def same(self, answers: list[Any], what: str) -> Any:
        for name, answer in zip(self.names, answers, strict=True):
            if answer == answers[0]:
                continue
            words = f"{what}: {name} says {repr(answer)[:WORDS]}, {self.names[0]} says {repr(answers[0])[:WORDS]}"
            raise AssertionError(words)
        return answers[0]

    def when(self) -> int:
        span = self.rng.choice(FAR) if self.rng.random() < 0.3 else 3_000
        return self.now + self.rng.randint(-span // 20, span)

    def insert(self) -> None:
        when = self.when()
        self.tokens.append(tuple(queue.insert(when, self.items) for queue in self.queues))
        self.items += 1

    def insert_many(self) -> None:
        whens = [self.when() for _ in range(self.rng.randrange(self.pending_max // 10))]
        ascending = self.rng.random() < 0.5
        if ascending:
            whens.sort()
        items = range(self.items, self.items + len(whens))
        self.items += len(whens)
        self.tokens += zip(*(q.insert_many(whens, items, ascending=ascending) for q in self.queues), strict=True)

    def one(self) -> tuple[int, ...] | None:
        return self.tokens.pop(self.rng.randrange(len(self.tokens))) if self.tokens else None

    def cancel(self) -> None:
        row = self.one()
        if row is not None:
            self.same([queue.cancel(token) for queue, token in zip(self.queues, row, strict=True)], "cancel")

    def cancel_many(self) -> None:
        self.cancel_some(self.rng.randrange(60))

    def cancel_most(self) -> None:
        self.cancel_some(len(self.tokens) * 3 // 4)

    def cancel_some(self, count: int) -> None:
        rows = [row for row in (self.one() for _ in range(count)) if row is not None]
        columns = zip(*rows, strict=True) if rows else [()] * len(self.queues)
        self.same([queue.cancel_many(column) for queue, column in zip(self.queues, columns, strict=True)], "cancel")

    def move(self) -> None:
        row, when = self.one(), self.when()
        if row is not None:
            moved = [queue.move(token, when) for queue, token in zip(self.queues, row, strict=True)]
            if not self.same([token is None for token in moved], "move"):
                self.tokens.append(tuple(token for token in moved if token is not None))

    def pass_time(self) -> None:
        roll = self.rng.random()
        if roll < 0.95:
            self.now += self.rng.randrange(120)
        else:
            self.now += self.rng.choice([EIGHTY_MINUTES, 60_000, 0, -200, -60_000, -EIGHTY_MINUTES])
        self.pop(self.rng.choice([None, None, 0, 1, 5]))

    def pop(self, limit: int | None) -> None:
        due = self.same([queue.pop_due(self.now, limit) for queue in self.queues], "pop_due")
        if len(due) > 100 or len(self.tokens) > 4 * self.pending_max:
            self.tokens = self.tokens[-self.pending_max :]  # mostly of what is gone

    def look(self) -> None:
        size = self.same([len(queue) for queue in self.queues], "len")
        looks = [queue.next_due() for queue in self.queues]
        self.same([look is None for look in looks], "next_due")
        exact = looks[self.names.index(EXACT)]
        assert exact is None or all(look is not None and look <= exact for look in looks), looks
        for queue in self.queues:
            queue.maintain(100)
        if size > self.pending_max:
            self.thin_out()

    def thin_out(self) -> None:
        while len(self.queues[0]) > self.pending_max // 2 and self.tokens:
            self.cancel()
        if len(self.queues[0]) > self.pending_max:  # their tokens were forgotten
            self.drain()

    def drain(self) -> None:
        self.same([queue.drain() for queue in self.queues], "drain")
        self.tokens = []


WEIGHTS = {
    Side.insert: 40,
    Side.insert_many: 1,
    Side.cancel: 22,
    Side.cancel_many: 0.3,
    Side.cancel_most: 0.02,
    Side.move: 6,
    Side.pass_time: 20,
    Side.look: 5,
    Side.drain: 0.02,
}


def compare(operations: int, seed: int, makers: Makers = EVERYTHING, pending_max: int = PENDING_MAX) -> int:
    """So many random operations; how many items went through. An `AssertionError` names who differs, and in what."""
    side = Side(seed, makers, pending_max)
    steps = side.rng.choices(list(WEIGHTS), list(WEIGHTS.values()), k=operations)
    for place, step in enumerate(steps):
        try:
            step(side)
        except AssertionError as error:
            raise AssertionError(f"seed {seed}, operation {place:,} ({step.__name__}): {error}") from error
    side.drain()
    return side.items


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("operations", type=int, nargs="?", default=1_000_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--builds", action="store_true")
    options = parser.parse_args()
    began = time.process_time()
    makers = BUILDS_ALONE if options.builds else EVERYTHING
    through = compare(options.operations, options.seed, makers, PENDING_MAX_BUILDS if options.builds else PENDING_MAX)
    words = f"{options.operations:,} operations on {', '.join(makers)}; {through:,} items: no difference"
    print(f"{words}; {time.process_time() - began:.0f} s of CPU")
