"""An event loop on a thread of its own, for code that has none."""

from __future__ import annotations

import asyncio
import threading
from typing import Final

RETIRE_LOOK_SECONDS: Final = 0.05


class Background:
    """Runs until it is told to retire, and then until nothing is under way on it."""

    def __init__(self) -> None:
        self.loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._serve, name="shike:client", daemon=True)
        self._thread.start()

    def retire(self) -> None:
        """End once nothing waits on it any more."""
        self.loop.call_soon_threadsafe(self._end_if_idle)

    def join(self) -> None:
        self._thread.join()

    def _serve(self) -> None:
        asyncio.set_event_loop(self.loop)
        try:
            self.loop.run_forever()
            self.loop.run_until_complete(self.loop.shutdown_asyncgens())  # with which stores close what is this loop's
            self.loop.run_until_complete(asyncio.sleep(0))  # connections that were dropped close in the next round
        finally:
            self.loop.close()

    def _end_if_idle(self) -> None:
        if asyncio.all_tasks(self.loop):
            self.loop.call_later(RETIRE_LOOK_SECONDS, self._end_if_idle)
        else:
            self.loop.stop()


async def running_loop() -> asyncio.AbstractEventLoop:
    """The loop that this is awaited on."""
    return asyncio.get_running_loop()


def in_loop() -> bool:
    """Whether this is async code."""
    return asyncio._get_running_loop() is not None
