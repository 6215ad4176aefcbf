"""When a process has done enough: it grew too large, served too many runs, or holds too many stuck threads.

Deciding is pure. The worker then stops gracefully and leaves starting anew to whoever started it.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

from msgspec import Struct

from shike.bounds import THREADS_MAX
from shike.counted import counted
from shike.errors import BadSetting

RECYCLED_STATUS: Final = 0  # stopping because a limit was reached is no failure


class Limits(Struct, frozen=True, kw_only=True):
    """What one process may reach before it is replaced. 0: no limit."""

    max_runs: int = 0
    max_rss_bytes: int = 0
    max_seconds: float = 0.0
    max_abandoned: int = THREADS_MAX  # threads given up; each keeps its stack and whatever it holds

    def __post_init__(self) -> None:
        for name in self.__struct_fields__:
            if getattr(self, name) < 0:
                raise BadSetting(f"{name} = {getattr(self, name)}: a limit cannot be negative; 0 means none")


def should_recycle(
    limits: Limits, *, runs_done: int, rss_bytes: int = 0, age_seconds: float = 0.0, abandoned: int = 0
) -> str:
    """Why this process should be replaced, in words for the log; empty if it should not."""
    if 0 < limits.max_runs <= runs_done:
        return f"it has done {counted(runs_done, 'run')} (max-runs {limits.max_runs:,})"
    if 0 < limits.max_rss_bytes < rss_bytes:
        return f"it holds {_mebibytes(rss_bytes)} of memory (max-rss {_mebibytes(limits.max_rss_bytes)})"
    if 0 < limits.max_seconds <= age_seconds:
        return f"it is {age_seconds:.0f} s old (max-seconds {limits.max_seconds:.0f})"
    if 0 < limits.max_abandoned <= abandoned:
        return f"{counted(abandoned, 'thread')} held by handlers that do not stop"
    return ""


def rss_bytes() -> int:
    """The resident memory of this process, in bytes; where the system does not tell, its peak so far."""
    try:
        pages = Path("/proc/self/statm").read_bytes().split()[1]
        return int(pages) * os.sysconf("SC_PAGE_SIZE")
    except (OSError, IndexError, ValueError):
        return _peak_rss_bytes()


def _peak_rss_bytes() -> int:
    import resource
    import sys

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024


def _mebibytes(size: int) -> str:
    return f"{size / 2**20:,.0f} MiB"
