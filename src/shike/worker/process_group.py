"""A program in a process group of its own: watched without a thread, stopped with everything it started.

Its pid is given back to the system only after the group was dealt with, so that no signal can hit a stranger.
"""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from shike.bounds import REAP_SECONDS

LOOK_SECONDS = 0.02  # between two looks where the system cannot tell when a process ends


class ProcessGroup:
    """A running program. `exited` holds its exit status once it is over, negative for the signal that killed it.

    With `sweep`, what it leaves running is killed when it ends; without, that may go on (a daemon it started).
    Belongs to the event loop it was made on. Raises `OSError` when the program cannot be started.
    """

    def __init__(self, argv: Sequence[str], *, sweep: bool, **options: Any) -> None:
        self._sweep = sweep
        self._process = subprocess.Popen(list(argv), start_new_session=True, **options)  # noqa: S603
        self.pid = self._process.pid
        self.stdout = self._process.stdout
        self.stderr = self._process.stderr
        self._loop = asyncio.get_running_loop()
        self.exited: asyncio.Future[int] = self._loop.create_future()
        self._pidfd = -1
        self._watch()

    def send(self, number: signal.Signals) -> None:
        """Signal the whole group, if anybody is left in it."""
        try:
            os.killpg(self.pid, number)
        except (ProcessLookupError, PermissionError):  # the latter: only a zombie is left, on some systems
            pass

    async def ends(self, seconds: float) -> bool:
        """Whether the program ends in time."""
        if not self.exited.done():
            await asyncio.wait([self.exited], timeout=seconds)
        return self.exited.done()

    async def stop(self, grace_seconds: float) -> None:
        """SIGTERM to the group, and SIGKILL to whoever of it is left after the grace. Not cut short by a
        cancellation: afterwards the group is gone, unless the kernel holds one of its processes."""
        stopping = self._loop.create_task(self._stop(grace_seconds))
        cancelled = False
        while not stopping.done():
            try:
                await asyncio.wait([stopping])
            except asyncio.CancelledError:
                cancelled = True
        stopping.result()
        if cancelled:
            raise asyncio.CancelledError

    async def _stop(self, grace_seconds: float) -> None:
        deadline = self._loop.time() + grace_seconds
        if not self.exited.done():
            self._sweep = False  # the others have the same grace
            self.send(signal.SIGTERM)
            if await self.ends(grace_seconds):
                while _runs_on(self.pid) and self._loop.time() < deadline:
                    await asyncio.sleep(LOOK_SECONDS)
            self._sweep = True
            self.send(signal.SIGKILL)
            await self.ends(REAP_SECONDS)

    def _watch(self) -> None:
        try:
            self._pidfd = os.pidfd_open(self.pid)
        except (AttributeError, OSError):
            self._loop.call_later(LOOK_SECONDS, self._look)
        else:
            self._loop.add_reader(self._pidfd, self._end)

    def _look(self) -> None:
        if _is_over(self._process):
            self._end()
        else:
            self._loop.call_later(LOOK_SECONDS, self._look)

    def _end(self) -> None:
        if self._pidfd >= 0:
            self._loop.remove_reader(self._pidfd)
            os.close(self._pidfd)
        if self._sweep:
            self.send(signal.SIGKILL)
        self.exited.set_result(self._process.wait())


def _is_over(process: subprocess.Popen[bytes]) -> bool:
    """Look without taking its exit status, where the system can do that."""
    if not hasattr(os, "waitid"):
        return process.poll() is not None
    return os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None


def _runs_on(group: int) -> bool:
    """Whether a group whose leader is gone still has somebody in it. Zombies do not count: in a container that has
    nobody to bury them they stay for ever."""
    try:
        os.killpg(group, 0)
    except (ProcessLookupError, PermissionError):
        return False
    if not Path("/proc/self/stat").exists():
        return True
    return any(_is_running_member(stat, group) for stat in Path("/proc").glob("[0-9]*/stat"))


def _is_running_member(stat: Path, group: int) -> bool:
    try:
        state, _, its_group = stat.read_bytes().rpartition(b")")[2].split()[:3]
    except (OSError, ValueError):  # it ended in between
        return False
    return int(its_group) == group and state != b"Z"


def ending(status: int) -> str:
    """How a program ended, in words."""
    if status >= 0:
        return f"ended with exit status {status}"
    try:
        return f"was killed by {signal.Signals(-status).name}"
    except ValueError:
        return f"was killed by signal {-status}"
