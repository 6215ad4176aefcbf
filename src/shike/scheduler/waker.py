"""The port through which something outside, a delay broker, may wake a node. `shike.connect.waking` implements it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol


class Waker(Protocol):
    """Says when a moment has come that it was asked for. A hint and no more: its word may come late, early, twice, or
    never; the node's own timer, a little later, and the sweep make sure."""

    answers: bool
    """Whether it is worth waiting for: connected, as far as it knows. While it is not, nobody asks it."""

    def ask(self, at: int, seconds: float) -> None:
        """Have `woken(at)` called in `seconds`, when the store's clock shows `at`. Never blocks; may forget it."""
        ...

    async def run(self, woken: Callable[[int], None]) -> None:
        """The role: until it is cancelled. `woken` is to be called on the event loop that this is awaited on."""
        ...
