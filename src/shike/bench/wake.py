"""How late a program wakes up: thousands of deadlines at odd moments, kept in several ways, one after the other.

`python -m shike.bench.wake WAY COUNT PRIORITY` takes one way, in a process of its own.
"""

from __future__ import annotations

import asyncio
import json
import random
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from typing import NamedTuple

from shike.clock import MICROS, SystemClock
from shike.timer.bell import Bell
from shike.timer.driver import PRECISE, USUAL, Driver, Precision
from shike.timer.sleeper import PlainSleeper

GAP_MIN, GAP_SPAN = 0.0005, 0.004  # seconds from one deadline to the next
FIRE_SECONDS_MAX = 60.0

Lateness = list[float]
"""Seconds late, one for each deadline."""


def _gaps(count: int) -> Iterator[float]:
    rng = random.Random(7)
    return (GAP_MIN + rng.random() * GAP_SPAN for _ in range(count))


def bare(count: int, _: int) -> Lateness:
    """time.sleep in a loop, the ruler: what kernel and machine allow."""
    late = []
    for gap in _gaps(count):
        due = time.monotonic() + gap
        time.sleep(gap)
        late.append(time.monotonic() - due)
    return late


def asyncio_sleep(count: int, _: int) -> Lateness:
    """asyncio.sleep"""

    async def scene() -> Lateness:
        late = []
        for gap in _gaps(count):
            due = time.monotonic() + gap
            await asyncio.sleep(gap)
            late.append(time.monotonic() - due)
        return late

    return asyncio.run(scene())


def asyncio_bell(count: int, _: int) -> Lateness:
    """asyncio with a bell (timerfd), as the scheduler wakes"""

    async def scene() -> Lateness:
        late, rung = [], asyncio.Event()
        bell = Bell(rung.set)
        for gap in _gaps(count):
            due = time.monotonic() + gap
            rung.clear()
            bell.set(gap)
            await rung.wait()
            late.append(time.monotonic() - due)
        bell.close()
        return late

    return asyncio.run(scene())


def _driven(count: int, driver_of: Callable[[Callable[[list[float]], None]], Driver[float]]) -> Lateness:
    late: Lateness = []
    over, gaps = threading.Event(), _gaps(count)

    def next_one() -> None:
        gap = next(gaps, None)
        if gap is None:
            over.set()
        else:
            due = time.time() + gap
            driver.at(round(due * MICROS), due)

    def fire(due: list[float]) -> None:
        now = time.time()
        late.extend(now - at for at in due)
        next_one()

    driver = driver_of(fire)
    driver.start()
    next_one()
    over.wait(FIRE_SECONDS_MAX + count * (GAP_MIN + GAP_SPAN))
    driver.close()
    return late


def plain_driver(count: int, _: int) -> Lateness:
    """driver without timerfd: a condition"""
    return _driven(count, lambda fire: Driver(fire, sleeps=PlainSleeper(SystemClock())))


def usual_driver(count: int, _: int) -> Lateness:
    """driver, timerfd"""
    return _driven(count, lambda fire: Driver(fire, precision=USUAL))


def precise_driver(count: int, _: int) -> Lateness:
    """driver, precise: small slack, spins the last 200 µs"""
    return _driven(count, lambda fire: Driver(fire, precision=PRECISE))


def fifo_driver(count: int, priority: int) -> Lateness:
    """driver, precise, in the real-time class SCHED_FIFO"""
    precision = Precision(PRECISE.slack_nanos, PRECISE.spin_micros, priority)
    return _driven(count, lambda fire: Driver(fire, precision=precision))


WAYS: dict[str, Callable[[int, int], Lateness]] = {
    "sleep": bare,
    "asyncio": asyncio_sleep,
    "bell": asyncio_bell,
    "plain": plain_driver,
    "timerfd": usual_driver,
    "precise": precise_driver,
    "fifo": fifo_driver,
}


class Wakes(NamedTuple):
    """One way's figures; late in microseconds, the CPU time in percent of a core."""

    p50: float
    p99: float
    p999: float
    most: float
    early: int
    cpu_percent: float


def measure(way: str, count: int, priority: int) -> Wakes:
    """Take one way. A timer of the driver counts in whole microseconds; less than that is not early."""
    began, cpu = time.monotonic(), time.process_time()
    late = sorted(WAYS[way](count, priority))
    share = 100 * (time.process_time() - cpu) / (time.monotonic() - began)
    p50, p99, p999 = (late[int(len(late) * part)] * MICROS for part in (0.5, 0.99, 0.999))
    return Wakes(p50, p99, p999, late[-1] * MICROS, sum(one < -1 / MICROS for one in late), share)


def in_child(way: str, count: int, priority: int) -> tuple[Wakes | None, str]:
    """Take one way in a process of its own; without figures, why there are none."""
    words = [sys.executable, "-m", "shike.bench.wake", way, str(count), str(priority)]
    limit = 2 * FIRE_SECONDS_MAX + count * (GAP_MIN + GAP_SPAN) * 10
    try:
        done = subprocess.run(words, capture_output=True, text=True, timeout=limit, check=False)  # noqa: S603 - ours
    except subprocess.TimeoutExpired:
        return None, f"not done in {limit:.0f} s"
    if done.returncode:
        return None, (done.stderr.strip().splitlines() or ["it failed"])[-1]
    return Wakes(**json.loads(done.stdout)), ""


if __name__ == "__main__":
    print(json.dumps(measure(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]))._asdict()))
