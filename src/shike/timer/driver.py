"""A thread that wakes when timers are due: the moving part around two structures, one for each clock.

Delays are counted by the monotonic clock, which nobody sets; dates by the wall clock, which somebody may. A step of the
wall clock changes when dates are due, and nothing else: the structure is not touched, only `now` is another.
"""

from __future__ import annotations

import logging
import math
import os
import threading
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Generic, NamedTuple

from shike.clock import MICROS, Clock, SystemClock
from shike.errors import BadInput, BadSetting, TimersClosed
from shike.timer.base import T, TimerQueue, Token
from shike.timer.build import calendar_queue
from shike.timer.sleeper import Sleeper, sleeper

log = logging.getLogger("shike.timer")

SLACK_NANOS_MAX = 1_000_000_000  # a second: who allows more of it has no use for precision
SPIN_MICROS_MAX = 1_000  # it holds the interpreter's lock: beyond some 300 nothing is won
_PR_SET_TIMERSLACK = 29
_IDLE_BUDGET = 2_000  # items that are put in order before going to sleep


class Domain(StrEnum):
    """Which clock a timer follows."""

    MONOTONIC = "monotonic"  # delays, time-outs
    WALL = "wall"  # dates


class Ticket(NamedTuple):
    """Names a timer of a driver."""

    domain: Domain
    token: Token


@dataclass(frozen=True, slots=True)
class Precision:
    """What a driver's thread may do to be on time; nothing of it is done unless it is asked for here."""

    slack_nanos: int | None = None
    """How far Linux may put off the thread's wake-ups to save power; None: as it is (50 µs)."""
    spin_micros: int = 0
    """Wake so much earlier, and watch the clock until it is time: 200 bring the median to about 5 µs, as
    sleeping is late by some 100."""
    fifo_priority: int = 0
    """Real-time class SCHED_FIFO with this priority, 1 to 99; needs CAP_SYS_NICE. Only this one helps against p99."""

    def __post_init__(self) -> None:
        if self.slack_nanos is not None and not 1 <= self.slack_nanos <= SLACK_NANOS_MAX:
            raise BadInput(f"slack_nanos is {self.slack_nanos}; it must be within 1 and {SLACK_NANOS_MAX}, or None")
        if not 0 <= self.spin_micros <= SPIN_MICROS_MAX:
            raise BadInput(f"spin_micros is {self.spin_micros}; it must be within 0 and {SPIN_MICROS_MAX}")
        if not 0 <= self.fifo_priority <= 99:
            raise BadInput(f"fifo_priority is {self.fifo_priority}; it must be within 0 and 99")


USUAL = Precision()
PRECISE = Precision(slack_nanos=1, spin_micros=200)


class Driver(Generic[T]):
    """Calls `fire` with what is due, in order, on a thread of its own. Never early by the clock of the timer.

    `fire` should be quick; while it runs, others wait. `stepped` is called when the wall clock was set. If one of them
    raises, that is logged, and the next are fired all the same. Any thread may set and cancel timers, `fire` too.
    A child made by `fork` has no such thread: let it make a driver of its own.
    """

    def __init__(
        self,
        fire: Callable[[list[T]], None],
        *,
        precision: Precision = USUAL,
        stepped: Callable[[], None] | None = None,
        clock: Clock | None = None,
        sleeps: Sleeper | None = None,
    ) -> None:
        self._fire = fire
        self._precision = precision
        self._stepped = stepped
        self._clock = SystemClock() if clock is None else clock
        self._sleeper = sleeper(self._clock) if sleeps is None else sleeps
        self._lock = threading.Lock()
        self._queues: dict[Domain, TimerQueue[T]] = {domain: calendar_queue() for domain in Domain}
        self._armed: dict[Domain, int | None] = dict.fromkeys(Domain)  # what the thread sleeps for
        self._thread = threading.Thread(target=self._run, name="shike-timer", daemon=True)
        self._tuned = threading.Event()
        self._refusal: Exception | None = None
        self._closed = False
        self.wakes = 0
        """How often the thread woke up."""

    # From any thread.

    def start(self) -> None:
        """Raises `BadSetting` if the system refuses the precision that was asked for; then the driver is closed."""
        self._thread.start()
        self._tuned.wait()
        if self._refusal is not None:
            self.close()
            raise BadSetting(f"{self._precision} is refused by this system: {self._refusal}") from self._refusal

    def after(self, seconds: float, item: T) -> Ticket:
        """Fire after so long; a negative delay is none. Raises `BadInput` unless it is finite."""
        micros = seconds * MICROS
        if not -math.inf < micros < math.inf:
            raise BadInput(f"a delay of {seconds} s; give a number that is finite")
        return self._insert(Domain.MONOTONIC, self._now(Domain.MONOTONIC) + 1 + max(round(micros), 0), item)

    def at(self, when: int, item: T) -> Ticket:
        """Fire at a date, in UTC microseconds; one in the past is now."""
        return self._insert(Domain.WALL, when, item)

    def _insert(self, domain: Domain, when: int, item: T) -> Ticket:
        with self._lock:
            if self._closed:
                raise TimersClosed("the driver is closed")
            armed = self._armed[domain]
            if armed is None or when < armed:  # else it wakes early enough: the usual case costs no system call
                self._sleeper.tell()
            return Ticket(domain, self._queues[domain].insert(when, item))

    def cancel(self, ticket: Ticket) -> bool:
        """False: it was fired or cancelled."""
        with self._lock:
            return self._queues[ticket.domain].cancel(ticket.token)

    def close(self) -> list[T]:
        """Stop, wait for a `fire` under way, and give back what did not fire, dates last. Not for `fire` to call.

        Idempotent. From now on setting a timer raises `TimersClosed`.
        """
        with self._lock:
            if not self._closed:
                self._closed = True
                self._sleeper.tell()
        if self._thread.is_alive():
            self._thread.join()
        with self._lock:
            self._sleeper.close()
        return [item for queue in self._queues.values() for _, item in queue.drain()]

    # On its own thread.

    def _run(self) -> None:
        try:
            _tune(self._precision)
        except (OSError, AttributeError, TypeError) as error:  # the last two: a system that has no such thing
            self._refusal = error
            return
        finally:
            self._tuned.set()
        while not self._closed:
            due = self._take_due() or self._spun()
            if due:
                _call(self._fire, due)
            elif self._sleep():
                log.warning("the wall clock was set; dates are looked at again")
                if self._stepped is not None:
                    _call(self._stepped)

    def _now(self, domain: Domain) -> int:
        return self._clock.wall() if domain is Domain.WALL else int(self._clock.monotonic() * MICROS)

    def _take_due(self) -> list[T]:
        due: list[T] = []
        with self._lock:
            for domain, queue in self._queues.items():
                due += queue.pop_due(self._now(domain))
                if not due:
                    queue.maintain(_IDLE_BUDGET)
                self._armed[domain] = queue.next_due()
        return due

    def _spun(self) -> list[T]:
        """Where the first is only some microseconds away: look again and again. That the whole way is walked each time
        keeps it in the processor's caches; to watch only the clock would end in a cold start."""
        spin = self._precision.spin_micros
        for domain in Domain if spin else ():
            due = self._armed[domain]
            while due is not None and not self._closed and due - spin <= (now := self._now(domain)):
                with self._lock:
                    queue = self._queues[domain]
                    taken = queue.pop_due(now)
                    due = self._armed[domain] = queue.next_due()
                if taken:
                    return taken
        return []

    def _sleep(self) -> bool:
        """Until the first of both, or until it is near enough to be watched."""
        spin = self._precision.spin_micros
        early = {domain: None if due is None else due - spin for domain, due in self._armed.items()}
        stepped = self._sleeper.sleep(early[Domain.MONOTONIC], early[Domain.WALL])
        self.wakes += 1
        return stepped


def _call(what: Callable[..., object], *arguments: object) -> None:
    try:
        what(*arguments)
    except Exception:
        log.exception("what a timer fired failed; the next ones are fired all the same")


def _tune(precision: Precision) -> None:
    """The calling thread; raises `OSError` for what the system refuses."""
    if precision.slack_nanos is not None:
        import ctypes

        prctl = getattr(ctypes.CDLL(None, use_errno=True), "prctl", None)
        if prctl is None or prctl(_PR_SET_TIMERSLACK, ctypes.c_ulong(precision.slack_nanos), 0, 0, 0):
            raise OSError(ctypes.get_errno(), "the timer slack cannot be set")
    if precision.fifo_priority:
        os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(precision.fifo_priority))
        log.info("the timer's thread runs in the real-time class SCHED_FIFO, priority %d", precision.fifo_priority)
