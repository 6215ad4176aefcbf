"""A small process beside a worker that runs commands: ends them when the worker is killed.

A program cannot be told to die with its parent, and a killed worker cannot end it; left alone it would go on beside
its own repetition. Reads `+PID` and `-PID` lines from the worker, and when the worker is gone kills the process
groups that are still on the list (a program started in the very instant of the kill may not be on it yet). Imports
next to nothing: it has to be there soon and stay small.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Iterable


def watch(lines: Iterable[bytes]) -> list[int]:
    """The groups that were named and not taken back when the lines end."""
    groups: dict[int, None] = {}
    for line in lines:
        if line.startswith(b"+"):
            groups[int(line[1:])] = None
        else:
            groups.pop(int(line[1:]), None)
    return list(groups)


def main() -> None:
    """The entry point. Signals for the worker's whole group or terminal do not concern it."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    for group in watch(sys.stdin.buffer):
        try:
            os.killpg(group, signal.SIGKILL)
        except (ProcessLookupError, PermissionError):
            pass


if __name__ == "__main__":
    main()
