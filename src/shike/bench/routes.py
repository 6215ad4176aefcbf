"""Routes compared in a simulated fleet: one of four workers is four times slower than the others.

The same decisions as in a cluster, made by `shike.route.chooser`, with what a router knows there: lanes as they stand,
the rest as of the last beat. Only time, workers and arrivals are simulated, so a day takes seconds, and a seed says
what happens.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Iterator
from heapq import heappop, heappush
from random import Random
from typing import Final, NamedTuple

from msgspec.structs import replace

from shike.bench.svg import BLUE, ORANGE, PALE, Drawing
from shike.model import Route
from shike.route.bounds import LOOK_SECONDS
from shike.route.chooser import Chooser
from shike.route.nouns import Ask, Candidate, Snapshot, pack
from shike.route.registry import names
from shike.route.tags import ANY

RUNS: Final = 10_000
RUN_SECONDS: Final = 0.010
SPEEDS: Final = (1.0, 1.0, 1.0, 0.25)
SLOTS: Final = 4
BEAT_SECONDS: Final = 1.0
ROUND_SECONDS: Final = 0.002  # between two looks of a router that is woken by every commit
LOADS: Final = (0.25, 0.6)  # of what the fleet can do
LATE_SECONDS: Final = 0.100
WORKERS: Final = 100  # of the fleet in which decisions are timed
DECISIONS: Final = 2_000
ROUNDS: Final = 5
WIDTH, LEFT, RIGHT, BAR, GAP, HEAD = 860, 190, 90, 11, 8, 84


class Waits(NamedTuple):
    """How long runs waited from when they were due until they began, in ms; and how many of them too long."""

    route: str
    load: float
    p50: float
    p99: float
    most: float
    late_percent: float


class _Worker:
    """A worker: slots, a lane, and what its last beat told."""

    def __init__(self, number: int, speed: float) -> None:
        self.speed = speed
        self.busy = 0
        self.lane: deque[int] = deque()
        self.done = 0
        self.busy_seconds = 0.0
        self.told = Candidate(session=f"{number:032x}", number=number, name=f"worker-{number}", host=f"h{number}")
        self._marks: deque[tuple[float, int, float]] = deque([(0.0, 0, 0.0)], maxlen=6)

    def beat(self, now: float) -> None:
        since, done, busy = self._marks[0]
        passed = max(now - since, 1e-9)
        self.told = replace(
            self.told,
            slots=SLOTS,
            busy=self.busy,
            cpu=min((self.busy_seconds - busy) / passed / SLOTS, 1.0),
            runs_per_second=(self.done - done) / passed,
            answer_ms=1.0 / self.speed,
        )
        self._marks.append((now, self.done, self.busy_seconds))


class Fleet:
    """Events in order: arrivals, ends, beats, looks."""

    def __init__(self, route: str, load: float, seed: int = 7) -> None:
        self._route = route
        self._dice = Random(seed)
        self._workers = [_Worker(number, speed) for number, speed in enumerate(SPEEDS, 1)]
        self._by_session = {worker.told.session: worker for worker in self._workers}
        self._chooser = Chooser(Random(seed + 1).random)
        self._hall: deque[int] = deque()
        self._due: list[float] = []
        self.waits: list[float] = []
        self._events: list[tuple[float, int, str, int]] = []
        self._count = 0
        self._look_at = 0.0
        rate = load * sum(SPEEDS) * SLOTS / RUN_SECONDS
        at = BEAT_SECONDS
        for run in range(RUNS):
            at += self._dice.expovariate(rate)
            self._due.append(at)
            self._at(at, "due", run)
        self._at(0.0, "beat", 0)

    def _at(self, when: float, what: str, which: int) -> None:
        self._count += 1
        heappush(self._events, (when, self._count, what, which))

    def run(self) -> list[float]:
        """The waits of all runs, in the order in which they began."""
        while len(self.waits) < RUNS:
            now, _, what, which = heappop(self._events)
            if what == "due":
                self._hall.append(which)
                self._look_soon(now)
            elif what == "end":
                self._end(now, self._workers[which])
            elif what == "look":
                self._look(now)
            else:
                for worker in self._workers:
                    worker.beat(now)
                self._at(now + BEAT_SECONDS, "beat", 0)
        return self.waits

    def _look_soon(self, now: float) -> None:
        if self._look_at <= now:
            self._look_at = now + ROUND_SECONDS
            self._at(self._look_at, "look", 0)

    def _look(self, now: float) -> None:
        """One round of the router; of the shared lane whoever is free takes what is there."""
        self._chooser.look(Snapshot(id="", at=0, workers=self._seen()))
        left: deque[int] = deque()
        while self._hall:
            run = self._hall.popleft()
            worker = self._free() if self._route == ANY else self._chosen(run)
            if worker is None:
                left.append(run)
                if self._route == ANY:
                    break
                continue
            worker.lane.append(run)
            self._begin(now, worker)
        self._hall.extendleft(reversed(left))
        if self._hall:
            self._look_at = now + LOOK_SECONDS
            self._at(self._look_at, "look", 0)

    def _seen(self) -> tuple[Candidate, ...]:
        return tuple([replace(worker.told, lane=len(worker.lane)) for worker in self._workers])

    def _free(self) -> _Worker | None:
        free = [worker for worker in self._workers if worker.busy < SLOTS]
        return self._dice.choice(free) if free else None

    def _chosen(self, run: int) -> _Worker | None:
        ask = Ask(run, "t", "default>", Route(by=self._route), f"key-{run}")
        decision = self._chooser.decide(ask)
        return None if decision is None else self._by_session[decision.to]

    def _begin(self, now: float, worker: _Worker) -> None:
        while worker.lane and worker.busy < SLOTS:
            self.waits.append(now - self._due[worker.lane.popleft()])
            worker.busy += 1
            seconds = RUN_SECONDS / worker.speed
            worker.busy_seconds += seconds
            self._at(now + seconds, "end", worker.told.number - 1)

    def _end(self, now: float, worker: _Worker) -> None:
        worker.busy -= 1
        worker.done += 1
        self._begin(now, worker)
        if self._route == ANY and self._hall:
            self._look(now)


def skewed() -> Iterator[Waits]:
    """Every route at every load."""
    for load in LOADS:
        for route in names():
            waits = sorted(1000 * wait for wait in Fleet(route, load).run())
            late = sum(wait > 1000 * LATE_SECONDS for wait in waits)
            p50, p99 = waits[len(waits) // 2], waits[len(waits) * 99 // 100]
            yield Waits(route, load, p50, p99, waits[-1], 100 * late / len(waits))


def costs() -> dict[str, float]:
    """CPU µs of one decision with its record, by route, with 100 workers: the best of ROUNDS."""
    workers = tuple(
        Candidate(
            session=f"{number:032x}", number=number, name=f"worker-{number}", slots=8, busy=number % 5,
            cpu=number % 10 / 10, memory=0.3, io=0.1, answer_ms=1.0 + number % 7, runs_per_second=1e6,
        )
        for number in range(1, WORKERS + 1)
    )  # fmt: skip
    found = {}
    for route in names()[1:]:
        chooser, asked = Chooser(Random(7).random), Route(by=route)
        asks = [Ask(run, "t", "default>", asked, f"key-{run}") for run in range(DECISIONS)]
        found[route] = min(_timed(chooser, workers, asks) for _ in range(ROUNDS))
    return found


def _timed(chooser: Chooser, workers: tuple[Candidate, ...], asks: list[Ask]) -> float:
    chooser.look(Snapshot(id="1", at=0, workers=workers))
    began = time.process_time()
    for ask in asks:
        decision = chooser.decide(ask)
        assert decision is not None, "there is room for all of them"
        pack(decision)
    return (time.process_time() - began) / len(asks) * 1e6


def plot(waits: list[Waits], conditions: str) -> str:
    """Two bars for each route, one panel for each load; as long as the p99 is, on a logarithmic scale."""
    from math import log10

    panel = HEAD + len(names()) * (2 * BAR + GAP)
    drawing = Drawing(WIDTH, panel * len(LOADS) + 30, "Routes in a skewed fleet")
    top = max(wait.p99 for wait in waits)
    scale = (WIDTH - LEFT - RIGHT) / (log10(top) + 1)
    for index, load in enumerate(LOADS):
        y = panel * index
        drawing.text(16, y + 26, f"{load:.0%} of what the fleet can do; one of four workers 4x slower", size=16)
        for place, (words, colour) in enumerate((("p50, ms", BLUE), ("p99, ms", ORANGE))):
            drawing.bar(16 + place * 120, y + 38, 12, 12, colour)
            drawing.text(34 + place * 120, y + 49, f"{words} of waiting")
        for power in range(-1, int(log10(top)) + 1):
            x = LEFT + (power + 1) * scale
            drawing.line(x, y + HEAD - 12, x, y + panel - 4, fill=PALE)
            drawing.text(x, y + HEAD - 14, f"{10.0**power:g}", size=10, anchor="middle")
        at = y + HEAD
        for one in (wait for wait in waits if wait.load == load):
            drawing.text(LEFT - 8, at + BAR + 4, one.route.replace("_", " "), size=12, anchor="end")
            for place, (value, colour) in enumerate(((one.p50, BLUE), (one.p99, ORANGE))):
                length = (log10(max(value, 0.1)) + 1) * scale
                drawing.bar(LEFT, at + place * BAR, length, BAR - 1, colour)
                drawing.text(LEFT + length + 4, at + place * BAR + 9, f"{value:,.1f}", size=10)
            at += 2 * BAR + GAP
    drawing.text(16, panel * len(LOADS) + 14, conditions, size=11)
    return str(drawing)
