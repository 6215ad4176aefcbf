"""Every store that has to keep the contract. A new one joins by one line."""

from __future__ import annotations

from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from shike.clock import Clock
from shike.store.base import Store

Maker = Callable[..., Store]


def memory(folder: Path, clock: Clock, **options: Any) -> Store:
    from shike.store.memory import MemoryStore

    return MemoryStore(clock, **options)


def sqlite(folder: Path, clock: Clock, **options: Any) -> Store:
    from shike.store.sqlite import SQLiteStore

    return SQLiteStore(folder / "shike.db", clock=clock, **options)


STORES: dict[str, Maker] = {"memory": memory}
if find_spec("shike.store.sqlite.store") is not None:
    STORES["sqlite"] = sqlite
