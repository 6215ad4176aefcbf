"""How a process meets its end at a chosen step: a store that kills its own process around one verb.

A doom is written `STEP:WHEN[:COUNT[:SIGNAL]]`: `plan:during:3` dies in the middle of the third plan, and
`settle:before:1:STOP` is stopped with a full batch of acknowledgements in its hands. Steps are verbs of the store, or
`handler` with the moments `begin`, `end` and `gathered` (its acknowledgement waits for the flush).
"""

from __future__ import annotations

import asyncio
import os
import random
import signal
import threading
from collections.abc import Callable
from typing import Any

ANSWER_SECONDS = 0.003  # an answer takes about so long: a call is cut at a random point of it


class Doom:
    """Counts the times a step is reached; strikes at the right one, and never again."""

    def __init__(self, words: str) -> None:
        step, when, *more = words.split(":")
        self.step = step
        self.when = when
        self._left = int(more[0]) if more else 1
        self._number = signal.Signals[f"SIG{more[1]}"] if len(more) > 1 else signal.SIGKILL
        self._lock = threading.Lock()

    def due(self) -> bool:
        """Whether this time is the one."""
        with self._lock:
            self._left -= 1
            return self._left == 0

    def strike(self) -> None:
        os.kill(os.getpid(), self._number)

    def handler(self, when: str) -> None:
        """The handler got to this point."""
        if (self.step, self.when) == ("handler", when) and self.due():
            if when == "gathered":  # the slot hands its acknowledgement over before the loop comes back to us
                asyncio.get_running_loop().call_soon(self.strike)
            else:
                self.strike()


class Doomed:
    """A store whose process ends around one of its verbs; all else is the store's."""

    def __init__(self, store: Any, doom: Doom) -> None:
        self._store = store
        self._doom = doom

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._store, name)
        return self._around(found) if name == self._doom.step else found

    def _around(self, verb: Callable[..., Any]) -> Callable[..., Any]:
        doom = self._doom

        async def called(*words: Any, **more: Any) -> Any:
            strikes = doom.due()
            if strikes and doom.when == "before":
                doom.strike()
            if strikes and doom.when == "during":
                asyncio.get_running_loop().call_later(random.uniform(0.0, ANSWER_SECONDS), doom.strike)
            answer = await verb(*words, **more)
            if strikes and doom.when == "after":
                doom.strike()
            return answer

        return called
