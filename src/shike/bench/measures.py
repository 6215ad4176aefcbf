"""What is measured. Each takes a new contestant through one pattern of use and returns figures by name.

Rates are nanoseconds of CPU per operation, the loop around it with them; pauses are milliseconds of CPU. CPU time, so
that neighbours on the machine count little. A phase that uses up its `seconds` ends early: the rate is over what was
done, and `cut` says so.
"""

from __future__ import annotations

import gc
import random
from collections.abc import Callable, Iterator, Sequence
from itertools import islice, pairwise
from pathlib import Path
from time import process_time
from typing import Any

from shike.bench.contestants import Timers

Figures = dict[str, float]

SPAN = 1_800_000  # half an hour of milliseconds: over so long the deadlines are spread
CHUNK = 250  # calls timed together, so that the clock costs little
BATCH = 10_000
WINDOW = 5_000  # one read ahead
STEADY = 60_000
SECOND_MAX = 500_000
PREREADS_MAX = 20
LIMIT = 1_000
_PAGE_BYTES = 4_096


def _clock_seconds() -> float:
    """What reading the clock costs: subtracted where every call is timed for itself."""
    reads = [process_time() for _ in range(2_001)]
    return sorted(after - before for before, after in pairwise(reads))[1_000]


class _Collector:
    """Adds up the time of the garbage collector: it strikes any call, so it is told apart from the longest one."""

    def __init__(self) -> None:
        self.seconds = 0.0
        self._began = 0.0
        gc.callbacks.append(self._called)

    def _called(self, phase: str, _: dict[str, int]) -> None:
        if phase == "start":
            self._began = process_time()
        else:
            self.seconds += process_time() - self._began


COLLECTOR = _Collector()


class Phase:
    """Counts the time of one kind of call, and the longest of them."""

    def __init__(self, figures: Figures, seconds: float) -> None:
        self._figures = figures
        self._seconds = seconds
        self._clock = _clock_seconds()
        self.done = 0
        self.spent = 0.0

    def chunks(self, name: str, items: Sequence[Any], size: int, call: Callable[[Sequence[Any]], object]) -> None:
        """Hand over the items in chunks, small ones first: what is slow is found out early. The longest pause is what a
        chunk took beyond what is usual for as many."""
        taken: list[tuple[float, int]] = []
        self.done, self.spent, step = 0, 0.0, min(16, size)
        while self.done < len(items) and self.spent <= self._seconds:
            chunk = items[self.done : self.done + step]
            began, collected = process_time(), COLLECTOR.seconds
            call(chunk)
            took = process_time() - began
            self.spent += took
            self.done += len(chunk)
            taken.append((took - (COLLECTOR.seconds - collected), len(chunk)))
            step = min(2 * step, size)
        usual = sorted(took / count for took, count in taken)[len(taken) // 2]
        self.pause(max(took - usual * (count - 1) for took, count in taken))
        self._end(name, self.done < len(items))

    def calls(self, name: str, calls: Iterator[Callable[[], int]]) -> None:
        """Make the calls, each timed for itself; a call says how many timers it handled."""
        self.done, self.spent, is_cut = 0, 0.0, False
        for call in calls:
            if self.spent > self._seconds:
                is_cut = True
                break
            began, collected = process_time(), COLLECTOR.seconds
            self.done += call()
            took = max(process_time() - began - self._clock, 0.0)
            self.spent += took
            self.pause(took - (COLLECTOR.seconds - collected))
        self._end(name, is_cut)

    def _end(self, name: str, is_cut: bool) -> None:
        self._figures[name] = self.spent / max(self.done, 1) * 1e9
        if is_cut:
            self._figures["cut"] = 1

    def pause(self, seconds: float) -> None:
        self._figures["longest"] = max(self._figures.get("longest", 0.0), seconds * 1e3)


def whens(pending: int, start: int, rng: random.Random) -> list[int]:
    return [start + rng.randrange(SPAN) for _ in range(pending)]


def resident_bytes() -> int:
    """Of this process; 0 where the system does not say."""
    statm = Path("/proc/self/statm")
    return int(statm.read_text().split()[1]) * _PAGE_BYTES if statm.exists() else 0


def _collected() -> float:
    """Seconds of one full garbage collection, with nothing to collect."""
    gc.collect()
    began = process_time()
    gc.collect()
    return process_time() - began


def life(timers: Timers, pending: int, seconds: float) -> Figures:
    """The order time-out: insert all one by one, cancel 80 % at random, pop the others at their own moments."""
    figures: Figures = {}
    phase, rng, now = Phase(figures, seconds), random.Random(1), SPAN
    timers.pop_due(now)
    times = whens(pending, now, rng)
    tokens: list[Any] = [None] * pending  # there before the memory is measured: it is the caller's own
    alone, before = _collected(), resident_bytes()

    def insert(chunk: Sequence[int]) -> None:
        insert = timers.insert
        for place, when in enumerate(chunk, phase.done):
            tokens[place] = insert(when, when)

    phase.chunks("insert", times, CHUNK, insert)
    del tokens[phase.done :]
    if phase.done == pending:
        figures["bytes"] = (resident_bytes() - before) / pending
    figures["gc"] = max(_collected() - alone, 0.0) * 1e3
    rng.shuffle(tokens)

    def cancel(chunk: Sequence[Any]) -> None:
        cancel = timers.cancel
        for token in chunk:
            cancel(token)

    phase.chunks("cancel", tokens[: len(tokens) * 4 // 5], CHUNK, cancel)
    tokens.clear()

    phase.calls("pop", _tickless(timers))
    return figures


def _tickless(timers: Timers) -> Iterator[Callable[[], int]]:
    """From each moment to the next one with something due, as a driver sleeps."""
    due = timers.next_due()

    def one() -> int:
        nonlocal due
        assert due is not None
        popped = len(timers.pop_due(due))
        due = timers.next_due()
        return popped

    while due is not None:
        yield one


def batch(timers: Timers, pending: int, seconds: float) -> Figures:
    """In batches of 10,000: insert, cancel 80 % at random, pop every 100 ms."""
    figures: Figures = {}
    phase, rng, now = Phase(figures, seconds), random.Random(2), SPAN
    timers.pop_due(now)
    tokens: list[Any] = []
    phase.chunks(
        "insert", whens(pending, now, rng), BATCH, lambda chunk: tokens.extend(timers.insert_many(chunk, chunk))
    )
    rng.shuffle(tokens)
    phase.chunks("cancel", tokens[: len(tokens) * 4 // 5], BATCH, timers.cancel_many)
    looks = range(now, now + SPAN + 100, 100)
    phase.calls("pop", (lambda at=at: len(timers.pop_due(at)) for at in looks))  # type: ignore[misc]
    return figures


def preread(timers: Timers, pending: int, seconds: float) -> Figures:
    """As the scheduler works: every 5 s take in 10,000 rows in order, look every millisecond."""
    figures: Figures = {}
    rng, now = random.Random(3), SPAN
    timers.pop_due(now)
    fills, looks = Phase({}, seconds), Phase(figures, seconds)
    sums = {"insert": 0.0, "pop": 0.0}
    inserted = popped = 0
    for start in range(now, now + min(max(pending // BATCH, 1), PREREADS_MAX) * WINDOW, WINDOW):
        times = sorted(start + rng.randrange(WINDOW) for _ in range(min(BATCH, pending)))
        fills.calls("insert", iter([lambda times=times: len(timers.insert_many(times, times, ascending=True))]))  # type: ignore[misc]
        looks.calls("pop", (lambda at=at: len(timers.pop_due(at)) for at in range(start, start + WINDOW)))  # type: ignore[misc]
        inserted, popped = inserted + fills.done, popped + looks.done
        sums["insert"] += fills.spent
        sums["pop"] += looks.spent
        if sum(sums.values()) > seconds:
            figures["cut"] = 1
            break
    figures["insert"] = sums["insert"] / inserted * 1e9
    figures["pop"] = sums["pop"] / max(popped, 1) * 1e9
    return figures


def steady(timers: Timers, pending: int, seconds: float) -> Figures:
    """A server under load: each millisecond 20 new time-outs of 1 to 5,000 ms, 16 cancelled, and a look."""
    figures: Figures = {}
    phase, rng, now = Phase(figures, seconds), random.Random(4), SPAN
    timers.pop_due(now)
    tokens: list[Any] = []

    def millisecond(at: int) -> int:
        for _ in range(20):
            tokens.append(timers.insert(at + 1 + int(rng.random() * WINDOW), at))
        for _ in range(16):
            place = int(rng.random() * len(tokens))
            tokens[place], tokens[-1] = tokens[-1], tokens[place]
            timers.cancel(tokens.pop())
        timers.pop_due(at)
        if len(tokens) > STEADY:
            del tokens[: STEADY // 2]
        return 20

    steps = min(max(pending // 20, 500), 10_000)
    phase.calls("turn", (lambda at=at: millisecond(at) for at in range(now, now + steps)))  # type: ignore[misc]
    return figures


def second(timers: Timers, pending: int, seconds: float) -> Figures:
    """Midnight: up to 500,000 timers in one second, half of them on one millisecond; popped by the thousand."""
    figures: Figures = {}
    phase, rng, now = Phase(figures, seconds), random.Random(5), SPAN
    timers.pop_due(now)
    size = min(pending, SECOND_MAX)
    times = [now + 60_000 + (500 if place % 2 else rng.randrange(1_000)) for place in range(size)]
    phase.chunks("insert", times, BATCH, lambda chunk: timers.insert_many(chunk, chunk))
    looks = islice(iter(lambda: now + 61_000, None), -(-phase.done // LIMIT) + 1)
    phase.calls("pop", (lambda at=at: len(timers.pop_due(at, LIMIT)) for at in looks))  # type: ignore[misc]
    return figures


def scan(timers: Timers, pending: int, seconds: float) -> Figures:
    """The range scan "all due by now", once a second for a minute, over all that is pending."""
    figures: Figures = {}
    phase, rng, now = Phase(figures, seconds), random.Random(6), SPAN
    timers.pop_due(now)
    phase.chunks("fill", whens(pending, now, rng), BATCH, lambda chunk: timers.insert_many(chunk, chunk))
    del figures["fill"], figures["longest"]
    scans = range(now + 1_000, now + 61_000, 1_000)
    phase.calls("scan", (lambda at=at: bool(timers.pop_due(at)) or 1 for at in scans))  # type: ignore[misc]
    figures["scan"] /= 1e6  # milliseconds of one scan
    return figures


MEASURES: dict[str, Callable[[Timers, int, float], Figures]] = {
    "life": life,
    "batch": batch,
    "preread": preread,
    "steady": steady,
    "second": second,
    "scan": scan,
}
