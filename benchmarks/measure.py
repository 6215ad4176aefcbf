"""The nouns of the harness: a measure, its rows and columns, and what came out."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from statistics import median

from benchmarks.systems import SYSTEMS, Spec

SERVERS = ("redis", "postgres", "mysql")
SAFE = "-safe"  # how the names of systems end that were given settings with which they recover


class Size(StrEnum):
    """How much work a run of the benchmarks does."""

    QUICK = "quick"  # everything works; the figures mean little
    STANDARD = "standard"  # the figures
    FULL = "full"  # also those with a million pending


@dataclass(frozen=True)
class Row:
    """One contestant of a measure. Rows of one group are fairly compared with each other."""

    name: str
    title: str
    group: str
    ours: bool = False
    once: bool = False  # slow: taken in the first repeat only
    service: str = ""  # the server that is emptied before it


@dataclass(frozen=True)
class Column:
    """One figure per row: `key` in what a measure returns, its heading with the unit, what is told of the repeats."""

    key: str
    heading: str
    digits: int = 0
    fold: Callable[[list[float]], float] = median
    first: bool = False  # before the ratio: what a change is judged by


@dataclass(frozen=True)
class Measure:
    """`run(row name, folder, size)` gives the figures of one repeat. `key` is the figure that ratios are made of."""

    name: str
    title: str
    about: str
    rows: tuple[Row, ...]
    columns: tuple[Column, ...]
    run: Callable[[str, Path, Size], dict[str, float]]
    repeats: int
    key: str = ""
    more_is_better: bool = True
    full_only: bool = False
    row_seconds_max: float = 90.0  # a row that takes longer hangs: it is killed, and shown as such
    picture: str = ""  # the key of the figure that is drawn as bars, in docs/bench-NAME.svg


@dataclass
class Outcome:
    """All repeats of one measure, by row; a row that failed says why."""

    measure: Measure
    repeats: dict[str, list[dict[str, float]]] = field(default_factory=dict)
    failures: dict[str, str] = field(default_factory=dict)
    conditions: str = ""

    def folded(self, row: str, key: str, fold: Callable[[list[float]], float] = median) -> float | None:
        """The median, or what else is told, of the repeats that have such a figure."""
        values = [repeat[key] for repeat in self.repeats.get(row, []) if key in repeat]
        return fold(values) if values else None

    def best_peer(self, group: str) -> str | None:
        """Of those rows of the group that are not ours, the one with the best median."""
        scored = [
            (value, row.name)
            for row in self.measure.rows
            if row.group == group and not row.ours and (value := self.folded(row.name, self.measure.key)) is not None
        ]
        if not scored:
            return None
        return (max(scored) if self.measure.more_is_better else min(scored))[1]

    def ratio(self, row: Row) -> float | None:
        """How many times better than the best peer: the median of the ratios within each repeat."""
        peer = self.best_peer(row.group)
        if peer is None or not self.measure.key:
            return None
        pairs = zip(self.repeats.get(row.name, []), self.repeats[peer], strict=False)
        key = self.measure.key
        ratios = [mine[key] / theirs[key] for mine, theirs in pairs if mine.get(key) and theirs.get(key)]
        if not ratios:
            return None
        return median(ratios) if self.measure.more_is_better else 1 / median(ratios)


def rows_of(*names: str) -> tuple[Row, ...]:
    """Rows for systems, ours first in the order given."""
    specs = [(name, SYSTEMS[name]) for name in names]
    return tuple(Row(name, spec.title, spec.group, spec.ours, spec.once, spec.service) for name, spec in specs)


def brokered_rows() -> tuple[Row, ...]:
    """Rows for the systems on a server at their fastest, by server, ours first."""
    return _on_servers(lambda name, spec: not spec.design and not name.endswith(SAFE))


def safe_rows() -> tuple[Row, ...]:
    """Rows for the peers on a server as they are made safe."""
    return _on_servers(lambda name, spec: name.endswith(SAFE))


def _on_servers(fits: Callable[[str, Spec], bool]) -> tuple[Row, ...]:
    names = [name for name, spec in SYSTEMS.items() if spec.service and fits(name, spec)]
    return rows_of(*sorted(names, key=lambda name: (SERVERS.index(SYSTEMS[name].group), not SYSTEMS[name].ours)))


def percentile(values: list[float], share: float) -> float:
    """The smallest value that at least `share` of them do not exceed."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, max(0, -int(-share * len(ordered) // 1) - 1))]
