"""Figures in the words of Prometheus (text exposition format 0.0.4): one renderer for server, worker and scheduler.

Label values are escaped; how many there may be is the caller's to bound: `Labels` does it.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Mapping
from enum import StrEnum
from typing import Final

MEDIA_TYPE: Final = "text/plain; version=0.0.4; charset=utf-8"
OTHER: Final = "other"  # the label of all that came after LABELS_MAX
SECONDS: Final = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 60.0, 600.0)
_ESCAPES: Final = str.maketrans({"\\": "\\\\", '"': '\\"', "\n": "\\n"})


class Kind(StrEnum):
    """What a figure does."""

    GAUGE = "gauge"  # goes up and down
    COUNTER = "counter"  # only goes up, but for a new process


class Labels:
    """The values of one label: the first so many by name, all others together under `other`."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._known: set[str] = set()

    def of(self, value: str) -> str:
        """The label under which a value is counted."""
        if value in self._known:
            return value
        if len(self._known) < self._most:
            self._known.add(value)
            return value
        return OTHER


class Histogram:
    """How many were at most so long."""

    __slots__ = ("_bounds", "counts", "total")

    def __init__(self, bounds: tuple[float, ...] = SECONDS) -> None:
        self._bounds = bounds
        self.counts = [0] * (len(bounds) + 1)
        self.total = 0.0

    def note(self, value: float) -> None:
        """One more."""
        self.counts[bisect_left(self._bounds, value)] += 1
        self.total += value

    def lines(self, name: str, labels: str) -> Iterable[str]:
        """Its samples; `labels` as `labelled` writes them."""
        before, seen = f"{labels}," if labels else "", 0
        for bound, count in zip((*self._bounds, float("inf")), self.counts, strict=True):
            seen += count
            at = "+Inf" if bound == float("inf") else f"{bound:g}"
            yield f'{name}_bucket{{{before}le="{at}"}} {seen}'
        around = f"{{{labels}}}" if labels else ""
        yield f"{name}_sum{around} {self.total:.6g}"
        yield f"{name}_count{around} {seen}"


def label(name: str, value: str) -> str:
    """One label, as it stands between the braces."""
    return f'{name}="{value.translate(_ESCAPES)}"'


def labelled(name: str, values: Mapping[str, float]) -> dict[str, float]:
    """Values under one label, by its value."""
    return {label(name, value): number for value, number in sorted(values.items())}


def metric(name: str, words: str, values: Mapping[str, float], kind: Kind = Kind.GAUGE) -> list[str]:
    """The lines of one figure; the keys are its labels, as `labelled` writes them, or empty."""
    lines = [f"# HELP {name} {words}", f"# TYPE {name} {kind}"]
    return lines + [f"{name}{{{labels}}} {_number(value)}".replace("{}", "") for labels, value in values.items()]


def histogram(name: str, words: str, values: Mapping[str, Histogram]) -> list[str]:
    """The lines of a histogram, for each set of labels."""
    lines = [f"# HELP {name} {words}", f"# TYPE {name} histogram"]
    return lines + [line for labels, one in sorted(values.items()) for line in one.lines(name, labels)]


def text(lines: Iterable[str]) -> str:
    """The whole page."""
    return "\n".join(lines) + "\n"


def _number(value: float) -> str:
    """Counts in full: `g` would round a seventh digit away."""
    return str(int(value)) if value == int(value) else f"{value:g}"
