"""Where a call's run waits for its limits: as its task says; or, of a task that a program knows by name alone, as those
that have it told the store.

Safety does not hang on it: a run that comes without having stood at its gate is put there by whoever is granted it
(`shike.limit.strays`).
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping

from shike.limit.bounds import DEFINITION_SECONDS
from shike.limit.declared import Limits
from shike.limit.rows import told
from shike.store.base import Store
from shike.task import Definition


class Told:
    """What is known of other programs' tasks: a cache, believed for `DEFINITION_SECONDS`."""

    def __init__(self, monotonic: Callable[[], float]) -> None:
        self._monotonic = monotonic
        self._read_at: float | None = None
        self._limits: Mapping[str, Limits] = {}

    async def learn(self, store: Store, tasks: Iterable[Definition]) -> None:
        """Read the limits of those that are known by name alone, if that was long ago."""
        if all(task.handler is not None for task in tasks):
            return
        now = self._monotonic()
        if self._read_at is None or not 0 <= now - self._read_at < DEFINITION_SECONDS:
            self._limits, self._read_at = await told(store), now

    def gate(self, task: Definition, payload: bytes, unknown: Collection[str] = ()) -> str:
        """The gate for these arguments; empty: the task has no limits that are known here, or they go by an argument
        whose value is not known yet."""
        limits = task.limits or (self._limits.get(task.name) if task.handler is None else None)
        return "" if limits is None or any(name in unknown for name in limits.args) else limits.gate(payload)
