"""What is measured: a `System` is one library with one configuration, hidden behind a few verbs."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path
from typing import Any, Protocol

OUT = Path(__file__).parent.parent.parent / "out"


class System(Protocol):
    """One open library. Each verb returns when what it was asked for is durable in the library's own sense."""

    def submit(self, body: str, numbers: Sequence[int], due: Sequence[float] | None) -> None:
        """Submit one by one; `due` is UTC seconds, None: at once."""

    def submit_bulk(self, body: str, numbers: Sequence[int]) -> None:
        """Submit all with the library's bulk call."""

    def submit_crowd(self, body: str, numbers: Sequence[int]) -> None:
        """Submit from a hundred concurrent callers, each waiting for its own."""

    def ask(self, body: str, numbers: Sequence[int]) -> list[float]:
        """Submit one after another, waiting for the result of each; how many seconds each took."""

    async def whole(self, number: int) -> None:
        """Submit one run of `mark_result` and wait for its result, among many others on this event loop."""

    def preload(self, count: int, due: float) -> None:
        """Put `count` runs due from `due` on into the store, by the fastest way there is: this is not measured."""

    def plan(self, first: int, count: int, start: float, per_second: float) -> None:
        """Submit `count` runs of `mark`, numbered from `first`, due from `start` on, so many a second; in bulk."""

    def work(self) -> None:
        """Work until the process is killed."""

    def submit_known(self, key: str) -> None:
        """Submit one `doze` to ask about later (`benchmarks.zombie`); not every adapter can."""

    def kept(self, key: str) -> str:
        """What the library says became of it: the kept result as text, else a state."""


@dataclass(frozen=True)
class Spec:
    """A system by name, and how much of it to ask. `together`: submits and works in one process only."""

    title: str
    module: str
    group: str  # what it is fairly compared with: "memory", "sqlite", "redis", "postgres" or "mysql"
    ours: bool = False
    together: bool = False
    bulk: bool = False
    crowd: bool = False
    settings: dict[str, Any] = field(default_factory=dict)
    design: bool = False  # takes part in measures of dispatch alone
    once: bool = False  # so slow that one repeat has to do
    drain_runs: int = 3_000
    submit_runs: int = 1_000
    crowd_runs: int = 1_000
    bulk_runs: int = 20_000
    pending_runs: int = 100_000
    whole_seconds: bool = False  # its timetable is of whole seconds: due times are rounded up to them
    venv: str = ""  # the folder in `out/` with the packages of a peer that does not get along with ours (make peers)
    patience_seconds: float = 10.0  # how long a crash of it is watched

    @property
    def service(self) -> str:
        """The server it needs, emptied before each row; none for what lives in memory or in a file."""
        return self.group if self.group in ("redis", "postgres", "mysql") else ""

    @property
    def python(self) -> str:
        """The interpreter that has its packages."""
        return str(OUT / self.venv / "bin" / "python") if self.venv else sys.executable

    def open(self, folder: Path) -> System:
        """The system with its files in `folder`."""
        module = import_module(f"benchmarks.systems.{self.module}")
        system: System = module.open_system(folder, **self.settings)
        return system
