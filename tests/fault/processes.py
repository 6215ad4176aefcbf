"""Looking at real processes from a test."""

from __future__ import annotations

import asyncio
import os
import sys
from pathlib import Path

PATIENCE = 20.0  # seconds after which a test is stuck


async def written(note: Path) -> int:
    """The pid that a process writes to a file once it is under way."""
    async with asyncio.timeout(PATIENCE):
        while not (note.exists() and note.read_text()):
            await asyncio.sleep(0.005)
    return int(note.read_text())


def importing() -> dict[str, str]:
    """The environment for a Python that finds what this one finds."""
    return {**os.environ, "PYTHONPATH": os.pathsep.join(["", *sys.path])}


async def gone(pid: int) -> None:
    """Wait until there is no such process."""
    async with asyncio.timeout(PATIENCE):
        while is_alive(pid):
            await asyncio.sleep(0.005)


def is_alive(pid: int) -> bool:
    """Zombies do not count: orphans are taken in by process 1, which may be slow to bury them."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return not Path("/proc/self/stat").exists()


class Brood:
    """The children of this process that were started after it was asked for: servers of other tests do not count."""

    def __init__(self) -> None:
        self._others = _children()

    def pids(self) -> list[str]:
        """Those that live, or that nobody has buried."""
        return [pid for pid in _children() if pid not in self._others]


def _children() -> list[str]:
    tasks = Path("/proc/self/task")
    return [child for task in tasks.iterdir() for child in (task / "children").read_text().split()]
