"""Under which conditions figures were taken: a figure without them is a rumour."""

from __future__ import annotations

import os
import platform
import sqlite3
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

PACKAGES = ("huey", "apscheduler", "msgspec")


@dataclass(frozen=True)
class CpuTimes:
    """Ticks of all cores since the machine started."""

    total: int
    busy: int
    stolen: int

    @classmethod
    def now(cls) -> CpuTimes:
        fields = [int(ticks) for ticks in Path("/proc/stat").read_text().splitlines()[0].split()[1:]]
        idle = fields[3] + fields[4]
        return cls(sum(fields[:8]), sum(fields[:8]) - idle, fields[7])


class Watch:
    """From its making to `line()`: what the machine was doing meanwhile."""

    def __init__(self) -> None:
        self._before = CpuTimes.now()
        self._load_before = os.getloadavg()[0]

    def line(self, *, repeats: int, note: str = "") -> str:
        """One sentence to stand under a table."""
        after = CpuTimes.now()
        total = max(1, after.total - self._before.total)
        stolen = 100 * (after.stolen - self._before.stolen) / total
        busy = 100 * (after.busy - self._before.busy) / total
        parts = [
            f"Median of {repeats}, taken {datetime.now(UTC):%Y-%m-%d %H:%M} UTC",
            f"load {self._load_before:.1f} → {os.getloadavg()[0]:.1f}, cores {busy:.0f} % busy, steal {stolen:.1f} %",
        ]
        return "; ".join([*parts, note] if note else parts) + "."


def machine() -> str:
    """The machine, the interpreter and the versions, in one line."""
    packages = ", ".join(f"{name} {_version(name)}" for name in PACKAGES)
    return (
        f"{os.cpu_count()} × {_processor()}, Linux {platform.release().split('-')[0]}, "
        f"{platform.python_implementation()} {platform.python_version()}, "
        f"SQLite {sqlite3.sqlite_version}; {packages}"
    )


def _processor() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.machine()


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "(not installed)"
