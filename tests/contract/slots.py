"""Moving the slots of a Redis cluster from node to node, step by step, as an administrator's tool does it."""

from __future__ import annotations

import time
from collections.abc import Sequence
from urllib.parse import urlsplit

from tests.contract.namespaces import Line

KEYS_ASKED = 100
MIGRATE_MILLIS = 5_000


class Mover:
    """Moves one slot after the other to the node behind the one that has it."""

    def __init__(self, nodes: Sequence[str]) -> None:
        self._ports = [urlsplit(node).port or 0 for node in nodes]
        self._lines = [Line(node) for node in nodes]
        self._ids = [line.ask("CLUSTER", "MYID") for line in self._lines]
        self._slot = self._source = self._target = 0
        self.keys = 0

    def begin(self, slot: int) -> None:
        """From now on both nodes know of it, and no key has moved yet."""
        self._slot, self._source = slot, self._owner(slot)
        self._target = (self._source + 1) % len(self._lines)
        self._lines[self._target].ask("CLUSTER", "SETSLOT", slot, "IMPORTING", self._ids[self._source])
        self._lines[self._source].ask("CLUSTER", "SETSLOT", slot, "MIGRATING", self._ids[self._target])

    def at_target(self) -> list[bytes]:
        """The keys of the slot that are where it moves to."""
        keys: list[bytes] = self._lines[self._target].ask("CLUSTER", "GETKEYSINSLOT", self._slot, KEYS_ASKED)
        return keys

    def end(self, key_seconds: float = 0.0) -> None:
        """Key by key, with a rest after each; then the slot is the other node's."""
        source, where = self._lines[self._source], ("127.0.0.1", self._ports[self._target])
        while keys := source.ask("CLUSTER", "GETKEYSINSLOT", self._slot, KEYS_ASKED):
            for key in keys:
                source.ask("MIGRATE", *where, key, 0, MIGRATE_MILLIS)
                self.keys += 1
                time.sleep(key_seconds)
        for number in (self._target, self._source, *range(len(self._lines))):
            self._lines[number].ask("CLUSTER", "SETSLOT", self._slot, "NODE", self._ids[self._target])

    def _owner(self, slot: int) -> int:
        for first, last, (_, port, *_), *_ in self._lines[0].ask("CLUSTER", "SLOTS"):
            if first <= slot <= last:
                return self._ports.index(port)
        raise AssertionError(f"nobody has slot {slot}")
