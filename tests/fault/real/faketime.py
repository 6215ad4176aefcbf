"""A clock of one's own for a process: libfaketime, steered by a file."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

from tests import servers

LIBRARIES = ("usr/lib/*/faketime/libfaketimeMT.so.1", "usr/lib*/faketime/libfaketimeMT.so.1")

SHOW_SECONDS = 30.0  # for a process to start and say what time it is


class FakeTime:
    """`env` for the process; `set` turns its wall clock, whenever it likes. Monotonic clocks go on undisturbed."""

    def __init__(self, folder: Path) -> None:
        self._file = folder / "faketime"
        self.set(0)
        self.env = {
            "LD_PRELOAD": f"{library()}:libc.so.6",  # its malloc: Redis's own and libfaketime wait for each other
            "FAKETIME_TIMESTAMP_FILE": str(self._file),
            "FAKETIME_NO_CACHE": "1",
            "FAKETIME_DONT_FAKE_MONOTONIC": "1",
            "DONT_FAKE_MONOTONIC": "1",
        }

    def set(self, seconds: float) -> None:
        """So far ahead of the machine's clock (or behind) from now on."""
        fresh = self._file.with_suffix(".new")
        fresh.write_text(f"{seconds:+}\n")
        fresh.chmod(0o644)
        fresh.replace(self._file)

    def shown(self) -> float:
        """What the clock of a process under it shows, as seconds ahead of the machine's."""
        words = [sys.executable, "-S", "-c", "import time; print(time.time())"]
        told = subprocess.run(
            words, env={**os.environ, **self.env}, capture_output=True, check=True, timeout=SHOW_SECONDS
        )
        return float(told.stdout) - time.time()


def library() -> str:
    """Where libfaketime lies. Skips the test, or fails it, where it is not installed."""
    found = [path for pattern in LIBRARIES for path in Path("/").glob(pattern)]
    if not found:
        servers.missing("libfaketime is not installed (Debian: faketime)")
    return str(found[0])
