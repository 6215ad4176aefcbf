"""Every store that has to keep the contract. A new one joins by one line."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from shike.clock import Clock
from shike.store.base import Store

Maker = Callable[..., Store]


def memory(folder: Path, clock: Clock, **options: Any) -> Store:
    from shike.store.memory import MemoryStore

    return MemoryStore(clock, **options)


def sqlite(folder: Path, clock: Clock, **options: Any) -> Store:
    """Without an fsync per commit: what a power loss does is no part of this suite, and its time is."""
    from shike.store.sqlite import SQLiteStore

    return SQLiteStore(f"sqlite:///{folder / 'shike.db'}?synchronous=normal", clock=clock, **options)


STORES: dict[str, Maker] = {"memory": memory, "sqlite": sqlite}
