"""A delay queue: many threads wait for one queue of timers, and only one of them sleeps with an eye on the clock.

Leader and followers (Schmidt et al., "Leader/Followers", PLoP 2000; `DelayQueue` of java.util.concurrent): the leader
sleeps until the next item is due, the followers until they are told. Whoever takes an item passes the lead on. An
earlier insertion takes the lead away and wakes a follower, who finds the new time and leads.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

from shike.errors import TimersClosed, WaitTimeout
from shike.timer.base import T, TimerQueue
from shike.timer.waiting import R, Waiting


class DelayQueue(Waiting[T]):
    """A `TimerQueue` for any number of threads, with `take` to wait for what is due next.

    No waiting thread is woken for nothing: an insertion wakes one only if it is earlier than what the leader waits
    for. A clock that is set is noticed within a second, or at once after `look`.
    """

    def __init__(self, queue: TimerQueue[T] | None = None, *, now: Callable[[], int] | None = None) -> None:
        super().__init__(queue, now=now)
        self._lock = threading.RLock()  # an item's finaliser may come back while we hold it
        self._told = threading.Condition(self._lock)
        self._leader: int | None = None
        self._armed: int | None = None  # what the leader waits for
        self._waiting = 0
        self._closed = False

    def take(self, timeout: float | None = None) -> T:
        """Wait until an item is due and take it out; of several, the first.

        Raises `WaitTimeout` if none was within `timeout` seconds, `TimersClosed` once the queue is closed, and
        `BadInput` if the timeout is NaN.
        """
        self._refuse_nan(timeout)
        end = None if timeout is None else time.monotonic() + timeout
        with self._lock:
            try:
                while True:
                    if self._closed:
                        raise TimersClosed("the delay queue is closed")
                    for item in self._queue.pop_due(self._now(), 1):
                        return item
                    left = None if end is None else end - time.monotonic()
                    if left is not None and left <= 0:
                        raise WaitTimeout(f"nothing was due within {timeout} s")
                    self._wait(left)
            finally:
                if self._leader is None and len(self._queue):
                    self._told.notify()  # the lead is free

    def _wait(self, left: float | None) -> None:
        """As the leader, if nobody leads and there is something to wait for; else until told."""
        me, until = threading.get_ident(), self._seconds_left()
        leads = self._leader is None and until is not None
        if leads:
            assert until is not None
            self._leader, self._armed = me, self._queue.next_due()
            left = until if left is None else min(until, left)
        self._waiting += 1
        try:
            self._told.wait(None if left is None else min(left, threading.TIMEOUT_MAX))
        finally:
            self._waiting -= 1
            if leads and self._leader == me:
                self._leader = self._armed = None

    def _changing(self, change: Callable[[], R]) -> R:
        with self._lock:
            result = change()
            if self._waiting and not self._closed:
                due = self._queue.next_due()
                if due is not None and (self._armed is None or due < self._armed):
                    self._leader = self._armed = None
                    self._told.notify()
            return result

    def look(self) -> None:
        """Have all who wait look at the clock again: it was set."""
        with self._lock:
            self._leader = self._armed = None
            self._told.notify_all()

    def close(self) -> None:
        """Wake all who wait, to be told so. What was not taken can still be drained."""
        with self._lock:
            self._closed = True
            self._told.notify_all()

    def waiting(self) -> tuple[int, bool]:
        """How many threads wait in `take`, and whether one of them leads."""
        with self._lock:
            return self._waiting, self._leader is not None
