"""What one process tells the others goes out in the background, a message for each turn of the event loop."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final

from shike.store.hints import Hint

TELLING_MAX: Final = 1_000  # hints on their way; of more, the oldest were lost anyway


class Telling:
    """Gathers hints and has them published. A hint that is lost is nobody's loss; that later ones are, would be."""

    def __init__(self, publish: Callable[[list[Hint]], Awaitable[None]]) -> None:
        self._publish = publish
        self._tasks: set[asyncio.Task[None]] = set()
        self.forget()

    def forget(self) -> None:
        """In a forked child, whose parent publishes what is its own."""
        self._hints: list[Hint] = []
        self._next: asyncio.Task[None] | None = None  # has not begun: it takes along what is told until then

    def tell(self, hint: Hint) -> None:
        """Never waits."""
        self._hints.append(hint)
        if not self._is_coming():
            self._next = asyncio.get_running_loop().create_task(self._go(), name="shike:tell")
            self._tasks.add(self._next)
            self._next.add_done_callback(self._tasks.discard)

    def _is_coming(self) -> bool:
        """Whether a task will take the hints. One that was cancelled before its first step never does."""
        task = self._next
        return task is not None and not (task.done() or task.cancelling() or task.get_loop().is_closed())

    async def _go(self) -> None:
        hints, self._hints, self._next = self._hints[-TELLING_MAX:], [], None
        await self._publish(hints)
