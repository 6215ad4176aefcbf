"""Every structure against a sorted list: any sequence of calls, one answer."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule
from tests.unit.timer.builds import BUILDS

from shike.timer import TIMER_NAMES, TimerQueue, timer_queue
from shike.timer.calendar_wheel import CalendarWheel
from shike.timer.hashed_wheel import HashedWheel
from shike.timer.hierarchical_wheel import HierarchicalWheel
from shike.timer.rounds_wheel import RoundsWheel
from shike.timer.slot_wheel import SlotWheel
from shike.timer.tickless_wheel import TicklessWheel

# Around the edges of every level of a calendar with buckets of 8 and of 2**20 ticks, and far beyond.
EDGES = [0, 1, 2, 7, 8, 9, 63, 64, 65, 511, 512, 513, 4_095, 4_096, 32_767, 32_768, 32_769]
EDGES += [2**k + d for k in (14, 20, 26, 32, 40, 62) for d in (-1, 0, 1)]
DELTAS = st.one_of(st.sampled_from(EDGES + [-edge for edge in EDGES]), st.integers(-20, 600))
EIGHTY_MINUTES = [4_800, 4_800_000, 4_800_000_000]  # of seconds, milliseconds, microseconds
STEPS = [0, 1, 7, 8, 9, 512, 4_096, 32_768, 2**20, 2**33, *EIGHTY_MINUTES, -1, -9, -5_000, -4_800_000]
BATCHES = st.lists(st.integers(0, 40), max_size=12)


class Model(RuleBasedStateMachine):
    """The list `live` holds (when, place in line, item, token) of all that waits."""

    make: Callable[[], TimerQueue[int]]
    slack: int | None = 0  # how early next_due may be; None: any time
    precision = 1  # a time counts as the next multiple of this

    def __init__(self) -> None:
        super().__init__()
        self.queue = self.make()
        self.now = 1_000_000
        self.live: list[tuple[int, int, int, int]] = []
        self.dead: list[int] = [-1, 2**70, -(2**70)]
        self.tokens: set[int] = set()
        self.inserted = 0

    def due_at(self, when: int) -> int:
        return -(-when // self.precision) * self.precision

    def remember(self, when: int, token: int, item: int | None = None) -> None:
        assert token not in self.tokens
        self.tokens.add(token)
        self.live.append((when, self.inserted, self.inserted if item is None else item, token))
        self.inserted += 1

    @rule(delta=DELTAS)
    def insert(self, delta: int) -> None:
        self.remember(self.now + delta, self.queue.insert(self.now + delta, self.inserted))

    @rule(start=DELTAS, steps=BATCHES, ascending=st.booleans(), repeat=st.sampled_from([1, 1, 1, 30]))
    def insert_many(self, start: int, steps: list[int], ascending: bool, repeat: int) -> None:
        whens = [self.now + start + step for step in steps] * repeat
        if ascending:
            whens.sort()
        items = list(range(self.inserted, self.inserted + len(whens)))
        tokens = self.queue.insert_many(whens, items, ascending=ascending)
        assert len(tokens) == len(whens)
        for when, token in zip(whens, tokens, strict=True):
            self.remember(when, token)

    @precondition(lambda self: self.live)
    @rule(data=st.data())
    def cancel(self, data: Any) -> None:
        entry = self.live.pop(data.draw(st.integers(0, len(self.live) - 1)))
        assert self.queue.cancel(entry[-1])
        self.dead.append(entry[-1])

    @rule(keep=st.integers(2, 9))
    def cancel_most(self, keep: int) -> None:
        gone = [entry for place, entry in enumerate(self.live) if place % keep]
        assert self.queue.cancel_many([entry[-1] for entry in gone] + self.dead[:5]) == len(gone)
        self.live = [entry for place, entry in enumerate(self.live) if not place % keep]
        self.dead += [entry[-1] for entry in gone]

    @rule(data=st.data())
    def cancel_dead_or_foreign(self, data: Any) -> None:
        token = data.draw(st.sampled_from(self.dead))
        if token not in {entry[-1] for entry in self.live}:
            assert not self.queue.cancel(token)
            assert self.queue.move(token, self.now) is None

    @precondition(lambda self: self.live)
    @rule(data=st.data(), delta=DELTAS)
    def move(self, data: Any, delta: int) -> None:
        when, _, name, token = self.live.pop(data.draw(st.integers(0, len(self.live) - 1)))
        moved = self.queue.move(token, when + delta)
        assert moved is not None
        self.dead.append(token)
        self.remember(when + delta, moved, name)

    @rule(step=st.sampled_from(STEPS))
    def time_passes_or_is_set_back(self, step: int) -> None:
        self.now += step

    @rule(limit=st.one_of(st.none(), st.integers(0, 5)))
    def pop(self, limit: int | None) -> None:
        come = [entry for entry in self.live if self.due_at(entry[0]) <= self.now]
        due = sorted(come, key=lambda entry: (self.due_at(entry[0]), entry[1]))[:limit]
        assert self.queue.pop_due(self.now, limit) == [entry[2] for entry in due]
        self.live = [entry for entry in self.live if entry not in due]
        self.dead += [entry[-1] for entry in due]

    @precondition(lambda self: self.live)
    @rule()
    def wait_for_the_next(self) -> None:
        due = self.queue.next_due()
        assert due is not None
        self.now = max(self.now, due)

    @rule(budget=st.integers(1, 5_000))
    def maintain(self, budget: int) -> None:
        for _ in range(100_000):
            if not self.queue.maintain(budget):
                return
        raise AssertionError("maintain never ends")

    @rule()
    def drain(self) -> None:
        assert self.queue.drain() == [(when, name) for when, _, name, _ in sorted(self.live)]
        self.dead += [entry[-1] for entry in self.live]
        self.live = []

    @invariant()
    def counts_and_next_due_are_right(self) -> None:
        assert len(self.queue) == len(self.live) == self.queue.stats().live
        next_due = self.queue.next_due()
        if not self.live:
            assert next_due is None
        else:
            first = self.due_at(min(self.live)[0])
            assert next_due is not None
            assert next_due <= first
            assert self.slack is None or first - self.slack <= next_due


def machine(name: str, make: Callable[[], TimerQueue[int]], slack: int | None, precision: int = 1) -> type[Model]:
    return type(name, (Model,), {"make": staticmethod(make), "slack": slack, "precision": precision})


def by_name(name: str) -> type[Model]:
    """As the scheduler would get it: in microseconds. How early the wheels look is seen in the smaller ones below."""
    return machine(name, lambda: timer_queue(name), SLACK.get(name), PRECISION.get(name, 1))


def calendars(build: str, calendar: type[Any]) -> list[type[Model]]:
    """One build in all widths."""
    return [
        machine(f"calendar-{build}", calendar, (1 << 20) - 1),
        machine(f"narrow-calendar-{build}", lambda: calendar(8, crowd=4), 7),
        machine(f"one-tick-calendar-{build}", lambda: calendar(1, crowd=3), 0),
        machine(f"roomy-calendar-{build}", lambda: calendar(500), 511),
        machine(f"crowded-calendar-{build}", lambda: calendar(1 << 20, crowd=5), (1 << 20) - 1),
        machine(f"widest-calendar-{build}", lambda: calendar(1 << 40, crowd=6), (1 << 40) - 1),
    ]


EXACT = ("heap", "lazy-heap", "sleep-loop", "linked-list", "sorted-array", "b-plus-tree", "skip-list")
SLACK = dict.fromkeys(EXACT, 0) | {"calendar": (1 << 20) - 1, "slot-wheel": 999, "tickless-wheel": 999}
PRECISION = {"hashed-wheel": 1_000}
MACHINES = [
    *map(by_name, TIMER_NAMES),
    *(made for build, calendar in BUILDS.items() for made in calendars(build, calendar)),
    machine("fine-slot-wheel", lambda: SlotWheel(1, 8), 0),
    machine("slot-wheel-of-seven", lambda: SlotWheel(7, 16), 6),
    machine("fine-rounds-wheel", lambda: RoundsWheel(1, 8), None),
    machine("rounds-wheel-of-eight", lambda: RoundsWheel(8, 5), None),
    machine("fine-tickless-wheel", lambda: TicklessWheel(1, 8), 0),
    machine("tickless-wheel-of-eight", lambda: TicklessWheel(8, 5), 7),
    machine("fine-hashed-wheel", lambda: HashedWheel(1, 8), None),
    machine("hashed-wheel-of-eight", lambda: HashedWheel(8, 16), None, 8),
    machine("two-wheels", lambda: HierarchicalWheel(1, 2), None),
    machine("wheels-of-ten", lambda: HierarchicalWheel(10, 3), None),
    machine("calendar-wheel-of-seconds", lambda: CalendarWheel(1), None),
]


@pytest.mark.parametrize("model", MACHINES, ids=lambda model: model.__name__)
def test_a_structure_does_what_a_sorted_list_does(model: type[Model]) -> None:
    budget = settings(stateful_step_count=40, deadline=None, suppress_health_check=list(HealthCheck))
    case = type(f"{model.__name__}Case", (model.TestCase,), {"settings": budget})
    case("runTest").runTest()
