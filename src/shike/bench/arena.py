"""Runs contestants, each in a process of its own: no one's garbage is another one's pause."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

from shike.bench.contestants import CONTESTANTS
from shike.bench.measures import MEASURES, Figures

JDK = {
    "jdk-executor": "JDK, ScheduledThreadPoolExecutor",
    "jdk-delay-queue": "JDK, DelayQueue",
    "jdk-timer": "JDK, java.util.Timer",
}
TITLES = {name: contestant.title for name, contestant in CONTESTANTS.items()} | JDK
JAVA_SOURCE = Path(__file__).with_name("JdkTimers.java")
COMPILE_SECONDS = 120.0
BEFORE_SECONDS = 60.0  # of the wall clock: to start; a single call may be long, too
FILL_SECONDS = 60e-6  # for each timer that has to be there before something is measured
PHASES_MAX = 4
LOADED = 3  # on a loaded machine a second of CPU time may take so many


class Result(NamedTuple):
    """One contestant in one measure; without figures, `why` there are none."""

    measure: str
    contestant: str
    pending: int
    figures: Figures
    why: str = ""


class Arena:
    """Takes the measures. A context: the compiled Java lies in a temporary folder until its end."""

    def __init__(self, seconds: float) -> None:
        """At most about so many seconds for one phase of one contestant."""
        self._seconds = seconds
        self._folder = tempfile.TemporaryDirectory(prefix="shike-bench-")
        self._java: str | None = None

    def __enter__(self) -> Arena:
        return self

    def __exit__(self, *_: object) -> None:
        self._folder.cleanup()

    def jdk(self) -> str | None:
        """The `java` that runs our class, compiled on first use; None where there is no JDK, or none that can."""
        java, javac = shutil.which("java"), shutil.which("javac")
        if self._java is None and java and javac:
            words = [javac, "-d", self._folder.name, str(JAVA_SOURCE)]
            done = subprocess.run(words, capture_output=True, timeout=COMPILE_SECONDS, check=False)  # noqa: S603 - ours
            self._java = java if done.returncode == 0 else ""
        return self._java or None

    def contestants(self) -> list[str]:
        """Who can take part on this machine."""
        here = [name for name, contestant in CONTESTANTS.items() if contestant.is_here]
        return here + (list(JDK) if self.jdk() else [])

    def take(self, measure: str, contestant: str, pending: int) -> Result:
        """One result. What takes far too long is ended, and said so."""
        if contestant in JDK:
            words = [str(self._java), "-Xmx3g", "-cp", self._folder.name, "JdkTimers", contestant, str(pending)]
        else:
            words = [sys.executable, "-m", "shike.bench.child", measure, contestant, str(pending), str(self._seconds)]
        limit = LOADED * PHASES_MAX * self._seconds + BEFORE_SECONDS + FILL_SECONDS * pending
        try:
            done = subprocess.run(words, capture_output=True, text=True, timeout=limit, check=False)  # noqa: S603 - ours
        except subprocess.TimeoutExpired:
            return Result(measure, contestant, pending, {}, f"not done in {limit:.0f} s")
        if done.returncode:
            return Result(measure, contestant, pending, {}, (done.stderr.strip().splitlines() or ["it failed"])[-1])
        return Result(measure, contestant, pending, json.loads(done.stdout.splitlines()[-1]))

    def take_all(
        self, measures: Sequence[str], contestants: Sequence[str], pending: Sequence[int], tell: Callable[[str], None]
    ) -> list[Result]:
        """Everything, one after the other; what the JDK has takes part in the first measure alone."""
        results = []
        for size in pending:
            for measure in measures:
                for contestant in contestants:
                    if contestant in JDK and measure != next(iter(MEASURES)):
                        continue
                    tell(f"{measure}, {size:,} pending: {TITLES[contestant]} …")
                    results.append(self.take(measure, contestant, size))
        return results
