"""One table and one timer for the time-outs of all slots."""

from __future__ import annotations

import asyncio
import heapq
from collections.abc import Callable


class Deadlines:
    """Calls back for what was not taken out in time. Entries are cheap; nothing is armed per handler."""

    def __init__(self) -> None:
        self._heap: list[tuple[float, int]] = []
        self._waiting: dict[int, Callable[[], None]] = {}
        self._next_ticket = 0
        self._timer: asyncio.TimerHandle | None = None

    def add(self, seconds: float, expired: Callable[[], None]) -> int:
        """Call `expired` after so many seconds unless `remove(ticket)` comes first."""
        loop = asyncio.get_running_loop()
        ticket = self._next_ticket = self._next_ticket + 1
        when = loop.time() + seconds
        self._waiting[ticket] = expired
        heapq.heappush(self._heap, (when, ticket))
        if self._timer is None or when < self._timer.when():
            self._arm(loop, when)
        return ticket

    def remove(self, ticket: int) -> None:
        """Forget an entry; unknown tickets are fine."""
        self._waiting.pop(ticket, None)
        if len(self._heap) > 64 and len(self._heap) > 2 * len(self._waiting):
            self._heap = [entry for entry in self._heap if entry[1] in self._waiting]
            heapq.heapify(self._heap)

    def close(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer = None
        self._waiting.clear()
        self._heap.clear()

    def _arm(self, loop: asyncio.AbstractEventLoop, when: float) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer = loop.call_at(when, self._fire, loop)

    def _fire(self, loop: asyncio.AbstractEventLoop) -> None:
        self._timer = None
        now = loop.time()
        while self._heap and self._heap[0][0] <= now:
            _, ticket = heapq.heappop(self._heap)
            expired = self._waiting.pop(ticket, None)
            if expired is not None:
                expired()
        if self._heap:
            self._arm(loop, self._heap[0][0])
