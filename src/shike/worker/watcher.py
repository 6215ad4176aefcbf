"""The port of exporters: what is told of each attempt of a worker. An implementation is a file of `shike.export`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Protocol

from shike.model import Run
from shike.store.verbs import Ack
from shike.worker.context import Context


class Watcher(Protocol):
    """Told on the event loop of the worker, but for `begin`. Each call must be quick and wait for nothing; what it
    raises is logged, and no run suffers of it."""

    begins: bool  # whether `begin` is to be called at all

    async def open(self, figures: Callable[[], Mapping[str, float]]) -> None:
        """The process begins to work; `figures` tells how it does, by name, whenever it is asked."""
        ...

    def begin(self, context: Context) -> None:
        """The handler is about to be called: in its own context (variables set here are seen by it), and in its thread
        where it has one. Not for processes, programs and calls: they are elsewhere."""
        ...

    def started(self, context: Context) -> None:
        """An attempt begins."""
        ...

    def ended(self, run: Run, ack: Ack) -> None:
        """The store took the report of an attempt. `ack.trace` is the packed `Attempt`, where one was made."""
        ...

    async def rest(self) -> None:
        """Hand over what is still here: the process ends. Bounded in time."""
        ...
