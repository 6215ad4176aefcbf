"""One wake-up of an asyncio event loop, to a tenth of a millisecond where the system can."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from shike.timer.timerfd import TimerFd


class Bell:
    """Calls `ring` once, `seconds` after it was last set; setting it again replaces what was set.

    A loop's own timers wait in epoll, whose time-out is rounded up to a millisecond: 0.65 ms late at the median. This
    one is a timerfd that the loop watches, 0.1 ms late. A loop that watches no files (a simulated one, Windows) and a
    system without timerfd get a timer of the loop. Never early.
    """

    def __init__(self, ring: Callable[[], None]) -> None:
        self._ring = ring
        self._loop: asyncio.AbstractEventLoop | None = None
        self._file: TimerFd | None = None
        self._call: asyncio.TimerHandle | None = None

    def set(self, seconds: float) -> None:
        """To be called on a running loop; another one than before is fine once that is closed."""
        loop = asyncio.get_running_loop()
        if loop is not self._loop:
            self.close()
            self._loop, self._file = loop, _watched(loop, self._rang)
        if self._file is not None:
            self._file.arm_in(round(seconds * 1e9))
            return
        if self._call is not None:
            self._call.cancel()
        self._call = loop.call_later(seconds, self._ring)

    def _rang(self) -> None:
        # It may have been set again since the loop saw that it rang: then it has not rung yet.
        if self._file is not None and self._file.rang():
            self._ring()

    def close(self) -> None:
        """Ring no more, until it is set again. Idempotent."""
        if self._call is not None:
            self._call.cancel()
        if self._file is not None:
            if self._loop is not None and not self._loop.is_closed():
                self._loop.remove_reader(self._file)
            self._file.close()
        self._loop = self._file = self._call = None


def _watched(loop: asyncio.AbstractEventLoop, rang: Callable[[], None]) -> TimerFd | None:
    """A timer file that the loop watches; None where one of the two cannot be had."""
    from shike.timer.timerfd import TimerFd, available

    if not available():
        return None
    try:
        file = TimerFd()
    except OSError:  # no file is left, or a sandbox forbids it
        return None
    try:
        loop.add_reader(file, rang)
    except NotImplementedError:
        file.close()
        return None
    return file
