"""Results as rows of a table, and the conditions that they were taken under."""

from __future__ import annotations

import os
import platform
from collections.abc import Sequence
from pathlib import Path

from shike.bench.arena import TITLES, Result
from shike.clock import SystemClock, to_datetime
from shike.timer.build import build

RULER = "asyncio"  # what the last columns compare with
UNITS = {
    "insert": "ns",
    "cancel": "ns",
    "pop": "ns",
    "turn": "ns",
    "scan": "ms",
    "bytes": "B",
    "longest": "ms",
    "gc": "ms",
}
HEADINGS = {"turn": "insert+cancel+pop", "bytes": "a timer", "longest": "longest call", "scan": "one scan"}
COMPARED = ("insert", "pop", "turn", "scan")


def keys_of(results: Sequence[Result]) -> list[str]:
    """The figures that any of them has, in the order of `UNITS`."""
    return [key for key in UNITS if any(key in result.figures for result in results)]


def headings(results: Sequence[Result]) -> list[str]:
    """For `rows`."""
    keys = keys_of(results)
    named = [f"{HEADINGS.get(key, key)}, {UNITS[key]}" for key in keys]
    return ["structure", *named, *(f"{HEADINGS.get(key, key)} ÷ {RULER}" for key in keys if key in COMPARED), ""]


def rows(results: Sequence[Result]) -> list[list[str]]:
    """One per contestant; `cut` says that time was up before all was done."""
    keys = keys_of(results)
    ruler = next((result.figures for result in results if result.contestant == RULER), {})
    table = []
    for result in results:
        figures = result.figures
        cells = [TITLES[result.contestant], *(_figure(figures.get(key)) for key in keys)]
        cells += [_ratio(figures.get(key), ruler.get(key)) for key in keys if key in COMPARED]
        table.append([*cells, result.why or ("cut" if figures.get("cut") else "")])
    return table


def _figure(value: float | None) -> str:
    if value is None:
        return ""
    return f"{value:,.0f}" if value >= 100 else f"{value:.1f}" if value >= 1 else f"{value:.3f}"


def _ratio(value: float | None, ruler: float | None) -> str:
    if value is None or not ruler:
        return ""
    return f"{value / ruler:.2f}"


class Conditions:
    """From its making to `line()`: under which conditions figures were taken. Without them a figure is a rumour."""

    def __init__(self) -> None:
        self._before = _ticks()

    def line(self) -> str:
        """Machine, interpreter, time, load, what the hypervisor took, and which build of the default runs here."""
        total, stolen = (after - before for after, before in zip(_ticks(), self._before, strict=True))
        now = to_datetime(SystemClock().wall())
        python = f"{platform.python_implementation()} {platform.python_version()}"
        load = f"load {os.getloadavg()[0]:.1f}, " if hasattr(os, "getloadavg") else ""
        steal = f"steal {100 * stolen / total:.1f} %, " if total else ""
        machine = f"{os.cpu_count()} cores, {platform.system()}, {python}, {load}{steal}{now:%Y-%m-%d %H:%M} UTC"
        return f"{machine}; by default here: {build().about()}"


def _ticks() -> tuple[int, int]:
    """Of all cores since the machine started: total, and stolen by its host; zeros where the system does not say."""
    stat = Path("/proc/stat")
    if not stat.exists():
        return 0, 0
    fields = [int(ticks) for ticks in stat.read_text().splitlines()[0].split()[1:]]
    return sum(fields[:8]), fields[7]
