"""Permits: who holds one, who waits for one, and which permits a run holds."""

from __future__ import annotations

from dataclasses import dataclass, field

from shike.model import Live
from shike.store.memory.lanes import Lane


@dataclass(slots=True)
class Gate:
    """One permit key. Holders are in the order in which they got it."""

    holders: dict[int, None] = field(default_factory=dict)
    waiters: Lane = field(default_factory=Lane)


class Gates:
    """All permit keys that somebody holds or waits for."""

    def __init__(self) -> None:
        self.by_key: dict[str, Gate] = {}
        self._held: dict[int, list[str]] = {}

    def wait(self, live: Live) -> None:
        self.by_key.setdefault(live.run.gate, Gate()).waiters.add(live)

    def stop_waiting(self, live: Live) -> None:
        self.by_key[live.run.gate].waiters.remove(live)
        self._tidy(live.run.gate)

    def admits(self, key: str, cap: int, run_id: int) -> bool:
        """Whether the run holds the permit, or fewer than `cap` do."""
        gate = self.by_key.get(key)
        return cap > 0 if gate is None else run_id in gate.holders or len(gate.holders) < cap

    def grant(self, key: str, run_id: int) -> None:
        holders = self.by_key.setdefault(key, Gate()).holders
        if run_id not in holders:
            holders[run_id] = None
            self._held.setdefault(run_id, []).append(key)

    def release(self, run_id: int) -> list[str]:
        """The run is over: the permits that are free again."""
        keys = self._held.pop(run_id, [])
        for key in keys:
            del self.by_key[key].holders[run_id]
            self._tidy(key)
        return keys

    def holders(self, key: str) -> list[int]:
        gate = self.by_key.get(key)
        return list(gate.holders) if gate is not None else []

    def waiters(self, key: str, count: int) -> list[Live]:
        """The first so many."""
        gate = self.by_key.get(key)
        return gate.waiters.earliest(count) if gate is not None else []

    def _tidy(self, key: str) -> None:
        gate = self.by_key[key]
        if not gate.holders and not gate.waiters:
            del self.by_key[key]
