"""Hints on their way: told once at the store, then to each process late, twice, or not at all."""

from __future__ import annotations

from collections.abc import Callable
from random import Random

from shike.store.hints import Hint
from shike.store.memory import MemoryStore
from tests.sim.loop import Process, SimLoop

LOST = 0.1
DOUBLED = 0.02
TRAVEL_SECONDS = 0.003
ECHO_SECONDS = 3.0

Callback = Callable[[Hint], None]


class Ear:
    """What one process listens with. `deaf` while it is cut off."""

    def __init__(self, loop: SimLoop, owner: Process, draw: Random) -> None:
        self.deaf = False
        self._loop = loop
        self._owner = owner
        self._draw = draw
        self._callbacks: dict[int, Callback] = {}
        self._number = 0
        self._heard: list[Hint] = []

    def add(self, callback: Callback) -> Callable[[], None]:
        self._number += 1
        number = self._number
        self._callbacks[number] = callback
        return lambda: self._drop(number)

    def _drop(self, number: int) -> None:
        self._callbacks.pop(number, None)

    def hear(self, hint: Hint, calm: bool) -> None:
        """One hint sets out. Those of the same few milliseconds arrive together."""
        luck = 1.0 if calm else self._draw.random()
        if self.deaf or luck < LOST:
            return
        if not self._heard:
            self._loop.call_later(TRAVEL_SECONDS * self._draw.random(), self._arrive, context=self._owner.context)
        self._heard.append(hint)
        if luck < LOST + DOUBLED:
            self._loop.call_later(ECHO_SECONDS * self._draw.random(), self._tell, [hint], context=self._owner.context)

    def _arrive(self) -> None:
        heard, self._heard = self._heard, []
        self._tell(heard)

    def _tell(self, hints: list[Hint]) -> None:
        for hint in hints:
            for callback in list(self._callbacks.values()):
                callback(hint)


class Rumours:
    """The one listener at the store, and the ears of all living processes."""

    def __init__(self, loop: SimLoop) -> None:
        self.calm = False
        self._loop = loop
        self._ears: dict[Ear, None] = {}
        self._silent_at = -1.0

    def attend(self, store: MemoryStore) -> None:
        """Begin to listen; called in the store's own process."""
        store.listen(self._spread)

    def silence(self) -> None:
        """What is committed at this instant is heard by nobody."""
        self._silent_at = self._loop.time()

    def join(self, ear: Ear) -> None:
        self._ears[ear] = None

    def leave(self, ear: Ear) -> None:
        self._ears.pop(ear, None)

    def _spread(self, hint: Hint) -> None:
        if self._silent_at != self._loop.time():
            for ear in self._ears:
                ear.hear(hint, self.calm)
