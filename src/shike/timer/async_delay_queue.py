"""A delay queue for asyncio: many coroutines wait, and the event loop holds one timer for all of them.

As `delay_queue`, with futures in place of threads: see there for the pattern.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable

from shike.errors import TimersClosed, WaitTimeout
from shike.timer.base import T, TimerQueue
from shike.timer.waiting import R, Waiting


class AsyncDelayQueue(Waiting[T]):
    """A `TimerQueue` for the coroutines of one event loop, with `take` to wait for what is due next.

    Only for the loop's own thread. A clock that is set is noticed within a second, or at once after `look`.
    """

    def __init__(self, queue: TimerQueue[T] | None = None, *, now: Callable[[], int] | None = None) -> None:
        super().__init__(queue, now=now)
        self._leader: asyncio.Future[None] | None = None
        self._armed: int | None = None  # what the leader waits for
        self._followers: deque[asyncio.Future[None]] = deque()
        self._closed = False

    async def take(self, timeout: float | None = None) -> T:
        """Wait until an item is due and take it out; of several, the first.

        Raises `WaitTimeout` if none was within `timeout` seconds, `TimersClosed` once the queue is closed, and
        `BadInput` if the timeout is NaN. A cancelled wait takes nothing out, and passes the lead on.
        """
        self._refuse_nan(timeout)
        loop = asyncio.get_running_loop()
        end = None if timeout is None else loop.time() + timeout
        try:
            while True:
                if self._closed:
                    raise TimersClosed("the delay queue is closed")
                for item in self._queue.pop_due(self._now(), 1):
                    return item
                left = None if end is None else end - loop.time()
                if left is not None and left <= 0:
                    raise WaitTimeout(f"nothing was due within {timeout} s")
                await self._wait(loop, left)
        finally:
            if self._leader is None and len(self._queue):
                self._tell_one()  # the lead is free

    async def _wait(self, loop: asyncio.AbstractEventLoop, left: float | None) -> None:
        """As the leader, if nobody leads and there is something to wait for; else until told."""
        me: asyncio.Future[None] = loop.create_future()
        until = self._seconds_left()
        if self._leader is None and until is not None:
            self._leader, self._armed = me, self._queue.next_due()
            left = until if left is None else min(until, left)
        else:
            self._followers.append(me)
        bell = None if left is None else loop.call_later(left, _tell, me)
        try:
            await me
        finally:
            if bell is not None:
                bell.cancel()
            if self._leader is me:
                self._leader = self._armed = None
            elif me in self._followers:
                self._followers.remove(me)

    def _depose(self) -> None:
        if self._leader is not None:
            self._followers.append(self._leader)
        self._leader = self._armed = None

    def _tell_one(self) -> None:
        while self._followers:
            if _tell(self._followers.popleft()):
                return

    def _changing(self, change: Callable[[], R]) -> R:
        result = change()
        if self._leader is not None or self._followers:
            due = self._queue.next_due()
            if due is not None and (self._armed is None or due < self._armed):
                self._depose()
                self._tell_one()
        return result

    def look(self) -> None:
        """Have all who wait look at the clock again: it was set."""
        self._depose()
        for follower in self._followers:
            _tell(follower)

    def close(self) -> None:
        """Wake all who wait, to be told so. What was not taken can still be drained."""
        self._closed = True
        self.look()

    def waiting(self) -> tuple[int, bool]:
        """How many coroutines wait in `take`, and whether one of them leads."""
        return len(self._followers) + (self._leader is not None), self._leader is not None


def _tell(future: asyncio.Future[None]) -> bool:
    """False: nobody waits there any more, for it was told already, or its loop was closed under it."""
    if future.done() or future.get_loop().is_closed():
        return False
    future.set_result(None)
    return True
