"""Who is measured. A `System` is one library with one configuration, hidden behind a few verbs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path
from typing import Any, Protocol


class System(Protocol):
    """One open library. Each verb returns when what it was asked for is durable in the library's own sense."""

    def submit(self, body: str, numbers: Sequence[int], due: Sequence[float] | None) -> None:
        """Submit one by one; `due` is UTC seconds, None: at once."""

    def submit_bulk(self, body: str, numbers: Sequence[int]) -> None:
        """Submit all with the library's bulk call."""

    def submit_crowd(self, body: str, numbers: Sequence[int]) -> None:
        """Submit from a hundred concurrent callers, each waiting for its own."""

    def preload(self, count: int, due: float) -> None:
        """Put `count` runs due from `due` on into the store, by the fastest way there is: this is not measured."""

    def work(self) -> None:
        """Work until the process is killed."""


@dataclass(frozen=True)
class Spec:
    """A system by name, and how much of it to ask. `together`: submits and works in one process only."""

    title: str
    module: str
    group: str  # what it is fairly compared with: "memory" or "sqlite"
    ours: bool = False
    together: bool = False
    bulk: bool = False
    crowd: bool = False
    settings: dict[str, Any] = field(default_factory=dict)
    drain_runs: int = 3_000
    submit_runs: int = 1_000
    delayed_per_second: int = 500  # at most so fast are delayed runs submitted
    pending_runs: int = 100_000

    def open(self, folder: Path) -> System:
        """The system with its files in `folder`."""
        module = import_module(f"benchmarks.systems.{self.module}")
        system: System = module.open_system(folder, **self.settings)
        return system


SYSTEMS: dict[str, Spec] = {
    "shike-memory": Spec(
        title="Shike, memory",
        module="shike_app",
        group="memory",
        ours=True,
        together=True,
        bulk=True,
        crowd=True,
        settings={"store": "memory", "embedded": True},
        drain_runs=100_000,
        submit_runs=5_000,
        delayed_per_second=2_000,
    ),
    "shike-sqlite": Spec(
        title="Shike, SQLite FULL",
        module="shike_app",
        group="sqlite",
        ours=True,
        bulk=True,
        crowd=True,
        settings={"store": "full"},
        drain_runs=40_000,
        submit_runs=1_000,
    ),
    "shike-sqlite-normal": Spec(
        title="Shike, SQLite NORMAL",
        module="shike_app",
        group="sqlite",
        ours=True,
        bulk=True,
        crowd=True,
        settings={"store": "normal"},
        drain_runs=40_000,
        submit_runs=1_000,
    ),
    "shike-sqlite-threads": Spec(
        title="Shike, SQLite FULL, handlers on threads",
        module="shike_app",
        group="sqlite",
        ours=True,
        bulk=True,
        settings={"store": "full", "threads": True},
        drain_runs=10_000,
    ),
    "shike-sqlite-embedded": Spec(
        title="Shike, SQLite FULL, client in the worker",
        module="shike_app",
        group="sqlite",
        ours=True,
        together=True,
        bulk=True,
        settings={"store": "full", "embedded": True},
    ),
    "huey-w1": Spec(
        title="huey SQLite, 1 thread, poll 0.01 s",
        module="huey_sqlite",
        group="sqlite",
        settings={"workers": 1, "poll_seconds": 0.01},
    ),
    "huey-w4": Spec(
        title="huey SQLite, 4 threads, poll 0.1 s",
        module="huey_sqlite",
        group="sqlite",
        settings={"workers": 4, "poll_seconds": 0.1},
    ),
    "apscheduler-sqlite": Spec(
        title="APScheduler 3, SQLite store, 10 threads",
        module="apscheduler3",
        group="sqlite",
        settings={"durable": True},
        drain_runs=500,
        submit_runs=300,
        delayed_per_second=150,
        pending_runs=4_000,
    ),
    "apscheduler-memory": Spec(
        title="APScheduler 3, memory, 10 threads",
        module="apscheduler3",
        group="memory",
        together=True,
        settings={"durable": False},
        drain_runs=5_000,
        submit_runs=5_000,
        delayed_per_second=1_500,
        pending_runs=30_000,
    ),
    "asyncio": Spec(
        title="the floor: asyncio.call_at alone",
        module="asyncio_floor",
        group="floor",
        together=True,
        bulk=True,
        drain_runs=100_000,
        submit_runs=100_000,
        delayed_per_second=20_000,
    ),
}
