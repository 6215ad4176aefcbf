"""An event loop whose time is a number: when nothing is ready it jumps to the next timer."""

from __future__ import annotations

import asyncio
from typing import Any


class Stalled(RuntimeError):
    """Nothing is ready and no timer is set: what is awaited can never happen."""


class _Jump:
    """Stands where a loop has its selector: instead of waiting it lets time pass."""

    def __init__(self, loop: VirtualLoop) -> None:
        self._loop = loop

    def select(self, timeout: float | None) -> list[Any]:
        if timeout is None:
            raise Stalled("everything waits, and no timer is set; real sockets and threads do not exist here")
        self._loop.pass_(timeout)
        return []


class VirtualLoop(asyncio.BaseEventLoop):
    """For one thread, without sockets, threads or subprocesses."""

    def __init__(self) -> None:
        super().__init__()
        self._virtual = 0.0
        self.turns = 0
        self._selector = _Jump(self)
        self._clock_resolution = 1e-9

    def time(self) -> float:
        return self._virtual

    def pass_(self, seconds: float) -> None:
        """Let time pass without running anything."""
        self._virtual += max(seconds, 0.0)
        self.turns += 1

    def _process_events(self, event_list: list[Any]) -> None:
        """There are none."""

    def _write_to_self(self) -> None:
        """Nobody sleeps in a selector, so nobody has to be woken."""
