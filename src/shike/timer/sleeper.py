"""How a thread sleeps until a moment of either clock, or until it is told: by timerfd, or by what every system has."""

from __future__ import annotations

import os
import select
import threading
import time
from typing import Protocol

from shike.bounds import SLEEP_SECONDS_MAX
from shike.clock import MICROS, Clock
from shike.timer.timerfd import Ring, TimerFd, available

_NEVER_NANOS = 1 << 62  # the year 2116
_SLEEP_MICROS_MAX = round(SLEEP_SECONDS_MAX * MICROS)
_STEP_MICROS = 20_000  # between two readings of both clocks a busy machine may well lose some milliseconds


class Sleeper(Protocol):
    """Waits for one thread; `tell` comes from any."""

    def sleep(self, monotonic: int | None, wall: int | None) -> bool:
        """Until a moment in microseconds of either clock, or until told. True: the wall clock was set meanwhile."""

    def tell(self) -> None:
        """End the sleep, or the next one if none is under way."""

    def close(self) -> None:
        """Nobody sleeps any more. Idempotent."""


def _nanos(micros: int | None) -> int:
    return _NEVER_NANOS if micros is None else min(micros * 1_000, _NEVER_NANOS)


class FileSleeper:
    """By two timerfds and an eventfd. Told of a step of the wall clock at once, and not woken at all when idle."""

    def __init__(self) -> None:
        self._monotonic = TimerFd(time.CLOCK_MONOTONIC)
        self._wall = TimerFd(time.CLOCK_REALTIME)
        self._told = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
        self._poll = select.poll()
        for file in (self._monotonic.fileno(), self._wall.fileno(), self._told):
            self._poll.register(file, select.POLLIN)

    def sleep(self, monotonic: int | None, wall: int | None) -> bool:
        self._monotonic.arm_at(_nanos(monotonic))
        if self._wall.arm_at(_nanos(wall), watch=True):
            return True  # set while nobody slept
        self._poll.poll()
        self._monotonic.clear()
        try:
            os.eventfd_read(self._told)
        except BlockingIOError:
            pass
        return self._wall.clear() is Ring.CLOCK_WAS_SET

    def tell(self) -> None:
        os.eventfd_write(self._told, 1)

    def close(self) -> None:
        self._monotonic.close()
        self._wall.close()
        if self._told >= 0:
            os.close(self._told)
            self._told = -1


class PlainSleeper:
    """By a condition. It wakes once a second to see whether the wall clock was set: by comparing both clocks."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._condition = threading.Condition()
        self._is_told = False
        self._apart = self._difference()

    def _difference(self) -> int:
        return self._clock.wall() - round(self._clock.monotonic() * MICROS)

    def sleep(self, monotonic: int | None, wall: int | None) -> bool:
        left = _SLEEP_MICROS_MAX
        if monotonic is not None:
            left = min(left, monotonic - int(self._clock.monotonic() * MICROS))
        if wall is not None:
            left = min(left, wall - self._clock.wall())
        with self._condition:
            if not self._is_told and left > 0:
                self._condition.wait(left / MICROS)
            self._is_told = False
        before, self._apart = self._apart, self._difference()
        return abs(self._apart - before) > _STEP_MICROS

    def tell(self) -> None:
        with self._condition:
            self._is_told = True
            self._condition.notify()

    def close(self) -> None:
        """There is nothing to give back."""


def sleeper(clock: Clock) -> Sleeper:
    """The best that this system has."""
    try:
        return FileSleeper() if available() else PlainSleeper(clock)
    except OSError:  # no file is left, or a sandbox forbids it
        return PlainSleeper(clock)
