"""The thread that wakes for timers, and the bell of a loop: on time, never early, told of a clock that is set."""

from __future__ import annotations

import asyncio
import ctypes
import errno
import os
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from shike.clock import SystemClock
from shike.errors import BadInput, BadSetting, TimersClosed
from shike.testing.loop import VirtualLoop
from shike.timer import driver as driver_module
from shike.timer.bell import Bell
from shike.timer.driver import PRECISE, USUAL, Domain, Driver, Precision
from shike.timer.sleeper import FileSleeper, PlainSleeper, Sleeper
from shike.timer.timerfd import TimerFd, available

BOUND = 60.0  # seconds; a test that is right needs none of them
HOUR = 3_600_000_000

needs_timerfd = pytest.mark.skipif(not available(), reason="only Linux has timerfd")


class SetClock(SystemClock):
    """The machine's clocks, and a wall clock that a test sets, for itself alone."""

    def __init__(self) -> None:
        self.ahead = 0

    def wall(self) -> int:
        return super().wall() + self.ahead


class Fired:
    """What a driver fired, with the times at which it did."""

    def __init__(self) -> None:
        self.items: list[Any] = []
        self.times: list[int] = []
        self._changed = threading.Condition()

    def __call__(self, items: list[Any]) -> None:
        with self._changed:
            self.items += items
            self.times += [time.monotonic_ns()] * len(items)
            self._changed.notify_all()

    def wait_for(self, count: int) -> list[Any]:
        with self._changed:
            assert self._changed.wait_for(lambda: len(self.items) >= count, BOUND)
            return self.items[:count]


SLEEPERS = [pytest.param(FileSleeper, marks=needs_timerfd), lambda: PlainSleeper(SystemClock())]


@contextmanager
def driving(fired: Any, sleeps: Sleeper | None = None, **options: Any) -> Iterator[Driver[Any]]:
    driver: Driver[Any] = Driver(fired, sleeps=sleeps, **options)
    driver.start()
    try:
        yield driver
    finally:
        driver.close()


@pytest.mark.parametrize("make", SLEEPERS, ids=["timerfd", "plain"])
@pytest.mark.parametrize("precision", [USUAL, PRECISE], ids=["usual", "precise"])
class TestDriver:
    def test_timers_fire_in_order_and_never_early(self, make: Any, precision: Precision) -> None:
        fired = Fired()
        with driving(fired, make(), precision=precision) as driver:
            began = time.monotonic_ns()
            for milliseconds in (9, 3, 6, 0, 12):
                driver.after(milliseconds / 1000, milliseconds)
            assert fired.wait_for(5) == [0, 3, 6, 9, 12]
            for milliseconds, at in zip(fired.items, fired.times, strict=True):
                assert at - began >= milliseconds * 1_000_000

    def test_an_earlier_timer_wakes_a_thread_that_sleeps_for_a_later_one(self, make: Any, precision: Precision) -> None:
        fired = Fired()
        with driving(fired, make(), precision=precision) as driver:
            driver.after(3_600, "in an hour")
            driver.at(SystemClock().wall() + HOUR, "at that date")
            driver.after(0, "now")
            driver.at(0, "long ago")
            assert sorted(fired.wait_for(2)) == ["long ago", "now"]
            assert driver.close() == ["in an hour", "at that date"]

    def test_what_was_cancelled_does_not_fire(self, make: Any, precision: Precision) -> None:
        fired = Fired()
        with driving(fired, make(), precision=precision) as driver:
            ticket = driver.after(3_600, "cancelled")
            assert ticket.domain is Domain.MONOTONIC
            assert driver.cancel(ticket)
            assert not driver.cancel(ticket)
            driver.after(0, "fired")
            assert fired.wait_for(1) == ["fired"]
            assert driver.close() == []


def test_what_fails_is_logged_and_disturbs_nothing_else(caplog: pytest.LogCaptureFixture) -> None:
    fired = Fired()

    def fire(items: list[str]) -> None:
        fired(items)
        if items == ["bad"]:
            raise RuntimeError("as always")

    with driving(fire) as driver:
        driver.after(0, "bad")
        fired.wait_for(1)
        driver.after(0, "good")
        assert fired.wait_for(2) == ["bad", "good"]
    assert "as always" in caplog.text


def test_a_timer_may_set_timers_and_close_gives_back_the_rest() -> None:
    fired = Fired()

    def fire(items: list[int]) -> None:
        for item in items:
            if item:
                driver.after(0, item - 1)
        fired(items)

    with driving(fire) as driver:
        driver.after(0, 5)
        assert fired.wait_for(6) == [5, 4, 3, 2, 1, 0]
        driver.after(3_600, 7)
        assert driver.close() == [7]
        assert driver.close() == []
        with pytest.raises(TimersClosed):
            driver.after(0, 1)


@needs_timerfd
def test_a_step_of_the_wall_clock_is_told_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """The kernel's answer is injected: a test never sets the machine's clock."""
    fired, clock, stepped = Fired(), SetClock(), threading.Event()
    sleeps = FileSleeper()
    wall_fd, is_set, read = sleeps._wall.fileno(), threading.Event(), os.read

    def injected(fd: int, size: int) -> bytes:
        if fd == wall_fd and is_set.is_set():
            is_set.clear()
            raise OSError(errno.ECANCELED, "the clock was set")
        return read(fd, size)

    monkeypatch.setattr(os, "read", injected)
    with driving(fired, sleeps, clock=clock, stepped=stepped.set) as driver:
        driver.at(clock.wall() + HOUR, "a date")
        driver.after(3_600, "a delay")
        clock.ahead = 2 * HOUR
        is_set.set()
        sleeps._wall.arm_at(0)  # readable, as it is after a step
        assert stepped.wait(BOUND)
        assert fired.wait_for(1) == ["a date"]
        assert driver.close() == ["a delay"]


@needs_timerfd
def test_a_step_of_the_wall_clock_while_something_is_fired_is_told_too(monkeypatch: pytest.MonkeyPatch) -> None:
    """Then it is the next arming that the kernel answers with ECANCELED, and arms all the same."""
    fired, clock, stepped = Fired(), SetClock(), threading.Event()
    sleeps, is_set = FileSleeper(), threading.Event()
    settime: Any = sleeps._wall._set

    def injected(*arguments: Any) -> int:
        answer: int = settime(*arguments)
        if is_set.is_set():
            is_set.clear()
            ctypes.set_errno(errno.ECANCELED)
            return -1
        return answer

    def fire(items: list[str]) -> None:
        if items == ["set the clock"]:
            clock.ahead = 2 * HOUR
            is_set.set()
        fired(items)

    monkeypatch.setattr(sleeps._wall, "_set", injected)
    with driving(fire, sleeps, clock=clock, stepped=stepped.set) as driver:
        driver.at(clock.wall() + HOUR, "a date")
        driver.after(0, "set the clock")
        assert fired.wait_for(2) == ["set the clock", "a date"]
        assert stepped.wait(BOUND)
        driver.after(0, "it goes on")
        assert fired.wait_for(3)[-1] == "it goes on"


@needs_timerfd
def test_an_error_of_the_kernel_that_is_no_step_is_an_error() -> None:
    file = TimerFd()
    file.close()
    with pytest.raises(OSError, match="Bad file descriptor"):
        file.arm_in(1)


class StubbornClock(SystemClock):
    """Somebody sets it back by an hour while a driver watches its last microseconds."""

    def __init__(self, due: int) -> None:
        self.due = due
        self.looks = 0

    def wall(self) -> int:
        self.looks += 1
        assert self.looks < 100, "it is watched until it comes round again"
        return self.due - 50 if self.looks < 5 else self.due - HOUR


def test_a_clock_set_back_while_it_is_watched_is_watched_no_longer() -> None:
    clock = StubbornClock(HOUR)
    driver: Driver[str] = Driver(Fired(), precision=PRECISE, clock=clock, sleeps=PlainSleeper(SystemClock()))
    driver._armed[Domain.WALL] = clock.due
    driver._queues[Domain.WALL].insert(clock.due, "a date")
    assert driver._spun() == []
    assert clock.looks == 5, "it was watched, and no longer once it was an hour away"


@pytest.mark.parametrize("make", SLEEPERS, ids=["timerfd", "plain"])
def test_absurd_times_wait_for_ever_and_disturb_nothing(make: Any) -> None:
    fired = Fired()
    with driving(fired, make()) as driver:
        for seconds in (float("nan"), float("inf"), -float("inf"), 1e305):
            with pytest.raises(BadInput, match="finite"):
                driver.after(seconds, "never")
        driver.at(-(10**400), "long ago")
        assert fired.wait_for(1) == ["long ago"]
        driver.after(1e300, "far")
        driver.at(10**400, "farther")
        driver.after(0.01, "soon")
        assert fired.wait_for(2)[-1] == "soon"
        assert driver.wakes < 100, "it does not spin"
        assert driver.close() == ["far", "farther"]


def test_who_is_told_of_a_step_and_fails_stops_nothing(caplog: pytest.LogCaptureFixture) -> None:
    fired, clock = Fired(), SetClock()

    def stepped() -> None:
        raise RuntimeError("no time for this")

    with driving(fired, PlainSleeper(clock), clock=clock, stepped=stepped) as driver:
        clock.ahead = HOUR
        driver.after(0, "first")
        fired.wait_for(1)
        driver.at(clock.wall() + 1_000, "second")
        assert fired.wait_for(2) == ["first", "second"]
    assert "no time for this" in caplog.text


def test_without_timerfd_a_step_is_seen_by_comparing_both_clocks() -> None:
    clock = SetClock()
    sleeps = PlainSleeper(clock)
    sleeps.tell()
    assert not sleeps.sleep(None, None)
    for ahead in (HOUR, -HOUR):
        clock.ahead += ahead
        sleeps.tell()
        assert sleeps.sleep(None, None)
        sleeps.tell()
        assert not sleeps.sleep(None, None)


@needs_timerfd
def test_a_thread_with_nothing_to_do_is_not_woken() -> None:
    with driving(Fired()) as driver:
        driver.after(3_600, "later")
        threading.Event().wait(0.2)
        assert driver.wakes <= 3


def test_precision_that_the_system_refuses_is_an_error_and_never_silent(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise PermissionError(errno.EPERM, "Operation not permitted")

    monkeypatch.setattr(driver_module.os, "sched_setscheduler", refuse, raising=False)
    driver: Driver[str] = Driver(Fired(), precision=Precision(fifo_priority=10))
    with pytest.raises(BadSetting, match=r"fifo_priority=10.*not permitted"):
        driver.start()
    with pytest.raises(TimersClosed):
        driver.after(0, "in vain")


def test_a_system_without_such_a_thing_refuses_it_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(driver_module.os, "sched_setscheduler", raising=False)
    with pytest.raises(BadSetting, match="sched_setscheduler"):
        Driver(Fired(), precision=Precision(fifo_priority=10)).start()


@pytest.mark.parametrize(
    "fields",
    [{"slack_nanos": -1}, {"slack_nanos": 0}, {"spin_micros": -1}, {"spin_micros": 5_000}, {"fifo_priority": 100}],
)
def test_impossible_precision_is_refused(fields: dict[str, int]) -> None:
    with pytest.raises(BadInput, match="must be within"):
        Precision(**fields)


class TestBell:
    def test_it_rings_once_never_early_and_a_new_setting_replaces_the_old(self) -> None:
        async def scene() -> None:
            loop, rung = asyncio.get_running_loop(), asyncio.Event()
            bell = Bell(rung.set)
            bell.set(3_600)
            began = loop.time()
            bell.set(0.003)
            await asyncio.wait_for(rung.wait(), BOUND)
            assert loop.time() - began >= 0.003
            rung.clear()
            bell.set(0)
            await asyncio.wait_for(rung.wait(), BOUND)
            rung.clear()
            bell.set(0.001)
            bell.close()
            bell.close()
            await asyncio.sleep(0.01)
            assert not rung.is_set()

        asyncio.run(scene())

    @needs_timerfd
    def test_set_again_in_the_very_turn_in_which_it_rang_it_does_not_ring_early(self) -> None:
        async def scene() -> None:
            rung: list[str] = []
            bell = Bell(lambda: rung.append("ring"))
            bell.set(0)
            time.sleep(0.005)
            asyncio.get_running_loop().call_soon(bell.set, 3_600)
            for _ in range(5):
                await asyncio.sleep(0.001)
            assert rung == []
            bell.close()

        asyncio.run(scene())

    def test_a_loop_that_watches_no_files_gives_it_a_timer(self) -> None:
        loop, rung = VirtualLoop(), []
        bell = Bell(lambda: rung.append(loop.time()))

        async def scene() -> None:
            bell.set(7_200)
            bell.set(3_600)
            await asyncio.sleep(10_000)

        loop.run_until_complete(scene())
        assert [round(at) for at in rung] == [3_600]
        loop.close()

    def test_it_moves_to_another_loop(self) -> None:
        rung: list[str] = []
        bell = Bell(lambda: rung.append("ring"))

        async def scene() -> None:
            bell.set(0)
            while not rung:
                await asyncio.sleep(0.001)
            rung.clear()

        asyncio.run(asyncio.wait_for(scene(), BOUND))
        asyncio.run(asyncio.wait_for(scene(), BOUND))
        bell.close()

    @needs_timerfd
    def test_it_leaves_no_file_open(self) -> None:
        async def scene() -> int:
            bell = Bell(lambda: None)
            bell.set(1)
            assert isinstance(bell._file, TimerFd)
            fd = bell._file.fileno()
            bell.close()
            return fd

        fd = asyncio.run(scene())
        with pytest.raises(OSError, match="Bad file descriptor"):
            os.fstat(fd)
