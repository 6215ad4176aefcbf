"""Who is told of commits, each in its own event loop."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence

from shike.store.hints import Hint

Callback = Callable[[Hint], None]


class Listeners:
    """Passes hints on; never calls anybody inside a verb."""

    def __init__(self) -> None:
        self._callbacks: dict[int, tuple[asyncio.AbstractEventLoop, Callback]] = {}
        self._next = 0

    def __bool__(self) -> bool:
        return bool(self._callbacks)

    def add(self, callback: Callback) -> Callable[[], None]:
        number = self._next
        self._next += 1
        self._callbacks[number] = (asyncio.get_running_loop(), callback)
        return lambda: self._drop(number)

    def _drop(self, number: int) -> None:
        self._callbacks.pop(number, None)

    def tell(self, hints: Sequence[Hint]) -> None:
        here = asyncio._get_running_loop()
        for number, (loop, callback) in list(self._callbacks.items()):
            if loop.is_closed():
                self._drop(number)
                continue
            later = loop.call_soon if loop is here else loop.call_soon_threadsafe
            for hint in hints:
                later(callback, hint)
