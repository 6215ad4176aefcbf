"""How busy this machine is: what `/proc` counts, and what two looks at it tell.

CPU, memory and I/O are of the whole machine, also inside a container. Elsewhere than on Linux `psutil` is asked, where
it is installed; else nothing is known, and nothing is told.
"""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Callable
from pathlib import Path
from typing import Final

from msgspec import Struct

SAMPLE_SECONDS: Final = 5.0  # between two samples …
WINDOW_SAMPLES: Final = 6  # … over so many: half a minute, so that one hiccup moves no work
PROC: Final = Path("/proc")

_DISK = re.compile(r"(?:[shv]d[a-z]+|xvd[a-z]+|nvme\d+n\d+|mmcblk\d+)")  # whole disks: partitions count twice


class Counters(Struct, frozen=True):
    """What the machine has counted since it booted, and how full its memory is."""

    busy: float  # CPU time spent, of all cores together …
    total: float  # … and passed, in the same unit
    memory: float  # 0 … 1
    io_seconds: tuple[float, ...] = ()  # of each disk: how long it had something to do


class Usage(Struct, frozen=True):
    """Shares from 0 (idle) to 1 (nothing left)."""

    cpu: float = 0.0
    memory: float = 0.0
    io: float = 0.0  # of the busiest disk


def between(old: Counters, new: Counters, seconds: float) -> Usage:
    """What was used from one look to the next, `seconds` apart. Counters that were set back count as idle."""
    passed = new.total - old.total
    disks = zip(old.io_seconds, new.io_seconds, strict=False)
    io = max((after - before for before, after in disks), default=0.0) / seconds if seconds > 0 else 0.0
    return Usage(_share((new.busy - old.busy) / passed if passed > 0 else 0.0), _share(new.memory), _share(io))


def _share(value: float) -> float:
    return min(max(value, 0.0), 1.0)


def counters(proc: Path = PROC) -> Counters | None:
    """Look at the machine; None: it does not say."""
    try:
        stat, memory = (proc / "stat").read_text(), (proc / "meminfo").read_text()
    except OSError:
        return _of_psutil()
    try:
        disks = (proc / "diskstats").read_text()
    except OSError:
        disks = ""
    return parse(stat, memory, disks)


def parse(stat: str, memory: str, disks: str) -> Counters | None:
    """The texts of `/proc/stat`, `meminfo` and `diskstats`; None for what they cannot be."""
    try:
        times = [int(word) for word in stat.split("\n", 1)[0].split()[1:9]]  # guests are counted in `user` already
        sizes = dict(line.split(":", 1) for line in memory.splitlines() if ":" in line)
        whole, free = (int(sizes[name].split()[0]) for name in ("MemTotal", "MemAvailable"))
        rows = [row for line in disks.splitlines() if _DISK.fullmatch((row := line.split())[2])]
        io_seconds = tuple(int(row[12]) / 1000 for row in rows)
        return Counters(sum(times) - times[3] - times[4], sum(times), 1 - free / whole, io_seconds)
    except (ValueError, KeyError, IndexError, ZeroDivisionError):
        return None


def _of_psutil() -> Counters | None:
    try:
        import psutil  # type: ignore[import-untyped, unused-ignore]
    except ImportError:
        return None
    times = psutil.cpu_times()
    total = sum(times)
    return Counters(total - times.idle, total, psutil.virtual_memory().percent / 100)


class Window:
    """The last samples. `look` costs nothing until the next is due."""

    def __init__(self, read: Callable[[], Counters | None]) -> None:
        self._read = read
        self._samples: deque[tuple[float, Counters]] = deque(maxlen=WINDOW_SAMPLES + 1)
        self.usage = Usage()

    def look(self, monotonic: float) -> None:
        """Take a sample, if it is time for one; `usage` is what was used over the window."""
        if self._samples and monotonic - self._samples[-1][0] < SAMPLE_SECONDS:
            return
        found = self._read()
        if found is None:
            return
        self._samples.append((monotonic, found))
        since, oldest = self._samples[0]
        self.usage = between(oldest, found, monotonic - since)
