"""Processes seen from outside: what a child and all its descendants cost, and a child to talk to."""

from __future__ import annotations

import json
import os
import re
import select
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from benchmarks.body import LOG_VARIABLE
from benchmarks.systems import SYSTEMS

ANSWER_SECONDS_MAX = 180.0
POLL_SECONDS = 0.002
_CPUCLOCK_SCHED = 2  # of the kernel's encoding of another process's CPU clock


def tree(pid: int) -> list[int]:
    """The process and its descendants that live."""
    found = [pid]
    for parent in found:
        for thread in Path(f"/proc/{parent}/task").glob("*/children"):
            try:
                found += [int(child) for child in thread.read_text().split()]
            except (FileNotFoundError, ProcessLookupError):
                continue
    return found


def cpu_seconds(pid: int, *, children: bool = True) -> float:
    """CPU time of the tree so far, to the nanosecond; what ended children used is not in it."""
    total_ns = 0
    for process in tree(pid) if children else [pid]:
        try:
            total_ns += time.clock_gettime_ns((~process << 3) | _CPUCLOCK_SCHED)
        except OSError:
            continue
    return total_ns / 1e9


def pss_mb(pid: int) -> float:
    """Memory of the tree in MB (10⁶ bytes), pages shared with others counted by their share."""
    total_kib = 0
    for process in tree(pid):
        text = Path(f"/proc/{process}/smaps_rollup").read_text()
        total_kib += int(re.search(r"^Pss:\s+(\d+)", text, re.MULTILINE)[1])  # type: ignore[index]
    return total_kib * 1024 / 1e6


def wake_ups(pid: int) -> int:
    """How often threads of the tree went to sleep of their own will so far: each was a wake-up."""
    total = 0
    for process in tree(pid):
        for status in Path(f"/proc/{process}/task").glob("*/status"):
            total += int(re.search(r"^voluntary_ctxt_switches:\s+(\d+)", status.read_text(), re.MULTILINE)[1])  # type: ignore[index]
    return total


def wait_until(holds: Callable[[], bool], seconds: float) -> bool:
    """Look every 2 ms until it holds; whether it did in time."""
    limit = time.monotonic() + seconds
    while not holds():
        if time.monotonic() > limit:
            return False
        time.sleep(POLL_SECONDS)
    return True


class Side:
    """A child that runs `benchmarks.side` for one system, in a process group of its own."""

    def __init__(self, system: str, folder: Path, log: Path, *commands: dict[str, Any], count: bool = False) -> None:
        self.log = log
        argv = [SYSTEMS[system].python, "-m", "benchmarks.side", system, str(folder), *map(json.dumps, commands)]
        self.spawned_ns = time.time_ns()
        self._errors = (folder / f"stderr-{self.spawned_ns}").open("w+b")
        self._child = subprocess.Popen(
            [*argv, "--count-statements"] if count else argv,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._errors,
            env={**os.environ, LOG_VARIABLE: str(log)},
            cwd=Path(__file__).parent.parent,
            start_new_session=True,
        )
        self.pid = self._child.pid
        try:
            if not commands:
                self.hear()
        except BaseException:  # nobody else knows of it yet
            self.kill()
            raise

    def tell(self, do: str, **facts: Any) -> None:
        """Send a command without waiting for its answer."""
        assert self._child.stdin is not None
        self._child.stdin.write(json.dumps({"do": do, **facts}).encode() + b"\n")
        self._child.stdin.flush()

    def ask(self, do: str, **facts: Any) -> dict[str, Any]:
        """Send a command and wait for its answer."""
        self.tell(do, **facts)
        return self.hear()

    def hear(self) -> dict[str, Any]:
        """The next answer; RuntimeError with the child's last words if there is none."""
        assert self._child.stdout is not None
        readable, _, _ = select.select([self._child.stdout], [], [], ANSWER_SECONDS_MAX)
        line = self._child.stdout.readline() if readable else b""
        if not line:
            raise RuntimeError(f"the child said nothing: {self.last_words()}")
        answer: dict[str, Any] = json.loads(line)
        return answer

    def words(self) -> str:
        """All that it wrote to standard error."""
        self._errors.seek(0)
        return self._errors.read().decode(errors="replace")

    def last_words(self) -> str:
        """The last line that it wrote to standard error."""
        lines = self.words().strip().splitlines()
        return lines[-1] if lines else "nothing on standard error"

    def kill(self) -> None:
        """SIGKILL to the whole group, and wait until it is gone."""
        try:
            os.killpg(self.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
        self._child.wait()
        for pipe in (self._child.stdin, self._child.stdout, self._errors):
            try:
                if pipe is not None:
                    pipe.close()
            except BrokenPipeError:
                pass

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.kill()
