"""The wake-ups of one node: a timer with a bound, and the one bell that it needs."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from shike.bounds import READ_AHEAD_RUNS, SLEEP_SECONDS_MAX, WAKER_PATIENCE_SECONDS
from shike.clock import MICROS, WALL_MIN
from shike.scheduler.waker import Waker
from shike.store.hints import HintKind
from shike.timer import TimerQueue, timer_queue
from shike.timer.bell import Bell

ARMED_MAX = 4 * READ_AHEAD_RUNS  # wake-ups held at once: two reads' worth of each kind

Wake = tuple[HintKind, str]  # (DUE, queue) or (GATED, gate)
Armed = tuple[int, Wake]


class Alarm:
    """Says each wake-up once, when its moment has come by `now`, however many runs are behind it.

    Where there is a `waker` that answers, its word is waited for, and the bell rings WAKER_PATIENCE_SECONDS later.
    """

    def __init__(self, now: Callable[[], int], say: Callable[[Wake, int], None], waker: Waker | None = None) -> None:
        self._now = now
        self._say = say
        self._waker = waker
        self._told_until = WALL_MIN  # the latest moment that the waker spoke of
        self._timer: TimerQueue[Armed] = timer_queue()
        self._armed: dict[Armed, None] = {}  # what the timer holds, each once
        self._bell = Bell(self._fire)
        self._set_for: float | None = None  # the loop's time at which the bell rings

    def hold(self, at: int, wake: Wake) -> bool:
        """Take one wake-up in; False: there is no place. The waker is asked at once, the bell not before `arm`."""
        key = (at, wake)
        if key in self._armed:
            return True
        if len(self._armed) >= ARMED_MAX:
            return False
        self._armed[key] = None
        self._timer.insert(at, key)
        waker, ahead = self._waker, at - self._now()
        if waker is not None and waker.answers and ahead > 0:
            waker.ask(at, ahead / MICROS)
        return True

    def arm(self) -> None:
        """Have the bell ring at the earliest wake-up."""
        next_due = self._timer.next_due()
        if next_due is None:
            return
        ahead = next_due - self._now()
        patience = WAKER_PATIENCE_SECONDS if ahead > 0 and self._awaits_word(next_due) else 0.0
        self._ring_in(ahead / MICROS + patience)

    def woken(self, at: int) -> None:
        """The waker says that `at` has come. Where that is early, the rest of the wait is the bell's."""
        self._told_until = max(self._told_until, at)
        if at <= self._now():
            self._fire()
        else:
            self.arm()

    def _awaits_word(self, at: int) -> bool:
        return self._waker is not None and self._waker.answers and at > self._told_until

    def _ring_in(self, seconds: float) -> None:
        """… unless it rings before anyway."""
        seconds = min(max(seconds, 0.0), SLEEP_SECONDS_MAX)
        at = asyncio.get_running_loop().time() + seconds
        if self._set_for is None or at < self._set_for:
            self._set_for = at
            self._bell.set(seconds)

    def close(self) -> None:
        """Ring no more, until it is armed again."""
        self._bell.close()
        self._set_for = None

    def _fire(self) -> None:
        """It is time: one word per queue or gate."""
        self._set_for = None
        now = self._now()
        due = self._timer.pop_due(now)
        for key in due:
            self._armed.pop(key, None)
        for wake in dict.fromkeys(wake for _, wake in due):
            self._say(wake, now)
        self._timer.maintain(READ_AHEAD_RUNS)  # or the call, early by a bucket, would come back at once for nothing
        self.arm()
